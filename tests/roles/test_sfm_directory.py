"""The module makes a directory equal to a list: in one run, atomically, and never by accident."""

from __future__ import annotations

import json
import os
import runpy
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.roles.modules import MODULE_UTILS, Result, run_module

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "sfm_streams"
MODULE = ROLE / "library" / "sfm_directory.py"
PATTERN = r"[a-z]+\.conf"


def run(path: Path, files: dict[str, str] | list[dict[str, str]], **options: Any) -> Result:
    """Runs the module as Ansible does, in a process of its own that reads its arguments as JSON."""
    listed = [{"name": k, "content": v} for k, v in files.items()] if isinstance(files, dict) else files
    arguments = {"path": str(path), "files": listed, "pattern": PATTERN, **options}
    return run_module(MODULE, arguments)


def held(path: Path) -> dict[str, str]:
    """The names and contents of what is in a directory."""
    return {each.name: each.read_text() for each in path.iterdir()}


def test_files_are_written_updated_and_removed_in_one_run(tmp_path: Path) -> None:
    """The directory holds what the list says, and the result names what was done."""
    (tmp_path / "old.conf").write_text("old")
    (tmp_path / "kept.conf").write_text("kept")
    (tmp_path / "kept.conf").chmod(0o640)
    (tmp_path / "changed.conf").write_text("before")
    result = run(tmp_path, {"kept.conf": "kept", "changed.conf": "after", "new.conf": "new"})
    assert held(tmp_path) == {"kept.conf": "kept", "changed.conf": "after", "new.conf": "new"}
    assert (result["added"], result["updated"], result["removed"]) == (["new.conf"], ["changed.conf"], ["old.conf"])
    assert result["changed"]


def test_a_file_that_is_exchanged_for_a_link_is_not_read_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the group may write program files: between root's look at a file and root's reading of it."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "secret").write_text("what only root reads")
    (tmp_path / "etc/one.conf").write_text("theirs")
    module = runpy.run_path(str(MODULE))
    answer = stat.S_ISREG

    def exchange(mode: int) -> bool:
        monkeypatch.setattr(stat, "S_ISREG", answer)
        (tmp_path / "etc/one.conf").unlink()
        (tmp_path / "etc/one.conf").symlink_to(tmp_path / "secret")
        return answer(mode)

    files = [{"name": "one.conf", "content": "ours", "mode": None}]
    options = {"path": str(tmp_path / "etc"), "files": files, "pattern": PATTERN, "mode": "0640", "purge": True}
    none = dict.fromkeys(("vital", "allow_empty", "owner", "group", "validate", "secret"))
    directory = module["Directory"](SimpleNamespace(check_mode=True, params={**none, **options}))
    monkeypatch.setattr(stat, "S_ISREG", exchange)
    with pytest.raises(OSError, match="symbolic links"):
        directory.make_equal()


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """What is as it should be is not touched, not even by a rename."""
    files = {"one.conf": "1\n", "two.conf": "2\n"}
    run(tmp_path, files)
    inodes = {each.name: each.stat().st_ino for each in tmp_path.iterdir()}
    assert not run(tmp_path, files)["changed"]
    assert {each.name: each.stat().st_ino for each in tmp_path.iterdir()} == inodes


def test_mode_is_that_of_the_file_or_of_all(tmp_path: Path) -> None:
    """A file may have a mode of its own, and a wrong mode is put right without rewriting the file."""
    files = [{"name": "one.conf", "content": "1"}, {"name": "two.conf", "content": "2", "mode": "0600"}]
    run(tmp_path, files)
    one, two = tmp_path / "one.conf", tmp_path / "two.conf"
    assert (one.stat().st_mode & 0o7777, two.stat().st_mode & 0o7777) == (0o640, 0o600)
    one.chmod(0o666)
    inode = one.stat().st_ino
    result = run(tmp_path, files)
    assert result["updated"] == ["one.conf"]
    assert "0666" in result["diff"][0]["before"]
    assert (one.stat().st_mode & 0o7777, one.stat().st_ino) == (0o640, inode)


def test_what_the_pattern_does_not_match_is_left_alone_and_named(tmp_path: Path) -> None:
    """Other people's files stay, and the result says that they are there."""
    (tmp_path / "THEIRS.conf").write_text("theirs")
    result = run(tmp_path, {"ours.conf": ""})
    assert result["foreign"] == ["THEIRS.conf"]
    assert "THEIRS.conf" in held(tmp_path)


def test_without_purge_orphans_stay_and_are_named(tmp_path: Path) -> None:
    """What a running program still reads can go in a later step."""
    (tmp_path / "old.conf").write_text("old")
    result = run(tmp_path, {"new.conf": ""}, purge=False)
    assert result["orphans"] == ["old.conf"]
    assert result["removed"] == []
    assert (tmp_path / "old.conf").exists()


@pytest.mark.parametrize("purge", [True, False])
def test_check_mode_tells_the_truth_and_changes_nothing(tmp_path: Path, purge: bool) -> None:
    """A dry run has the same result and diff as the run that follows, removals included."""
    (tmp_path / "old.conf").write_text("old\n")
    (tmp_path / "changed.conf").write_text("before\n")
    (tmp_path / ".changed.conf.0123abcd.sfm-tmp").write_text("half")
    before = held(tmp_path)
    wanted = {"new.conf": "new\n", "changed.conf": "after\n"}
    predicted = run(tmp_path, wanted, purge=purge, _ansible_check_mode=True, _ansible_diff=True)
    assert held(tmp_path) == before
    real = run(tmp_path, wanted, purge=purge, _ansible_diff=True)
    assert {k: v for k, v in predicted.items() if k != "invocation"} == {
        k: v for k, v in real.items() if k != "invocation"
    }
    assert {"before": "before\n", "after": "after\n"}.items() <= real["diff"][1].items()


def test_a_directory_to_come_counts_as_empty_in_check_mode_only(tmp_path: Path) -> None:
    """On a bare host an earlier task would have made it, and the group that owns the files too."""
    path = tmp_path / "absent"
    predicted = run(path, {"new.conf": ""}, group="no-such-group", _ansible_check_mode=True)
    assert (predicted["changed"], predicted["added"]) == (True, ["new.conf"])
    assert run(path, {"new.conf": ""})["msg"] == f"{path}: does not exist"
    path.mkdir()
    assert run(path, {"a.conf": ""}, group="no-such-group")["msg"] == (
        "group: 'no-such-group' does not exist on this host"
    )


def test_an_empty_list_does_not_remove_everything(tmp_path: Path) -> None:
    """A list that is empty by accident costs nothing; one that is meant to be empty says so."""
    run(tmp_path, {"one.conf": "", "two.conf": ""})
    refused = run(tmp_path, {})
    assert refused["failed"]
    assert "one.conf, two.conf would be removed; nothing was changed" in refused["msg"]
    assert len(held(tmp_path)) == 2
    assert run(tmp_path, {}, allow_empty=True)["removed"] == ["one.conf", "two.conf"]
    assert not run(tmp_path, {})["changed"], "an empty directory may stay empty"


def test_a_file_that_always_stays_does_not_hide_an_empty_list(tmp_path: Path) -> None:
    """Only the vital files count when the list is judged to be empty by accident."""
    run(tmp_path, {"stream.conf": "", "helper.conf": ""})
    refused = run(tmp_path, {"helper.conf": ""}, vital=r"stream\.conf")
    assert refused["failed"]
    assert "stream.conf" in held(tmp_path)


def test_all_new_files_are_judged_at_once_before_any_is_replaced(tmp_path: Path) -> None:
    """One bad file leaves all as they were, and the message names it as the operator knows it."""
    run(tmp_path, {"bad.conf": "good", "good.conf": "good", "same.conf": "x"})
    log = tmp_path.with_suffix(".log")
    script = f'echo "$@" >> {log}; grep -l wrong "$@" && exit 3 || exit 0'
    validate = f"sh -c '{script}' sh %s"
    wanted = {"bad.conf": "wrong", "good.conf": "better", "same.conf": "x"}
    refused = run(tmp_path, wanted, validate=validate)
    assert refused["failed"]
    assert f"(code 3):\n{tmp_path}/bad.conf" in refused["msg"]
    assert held(tmp_path) == {"bad.conf": "good", "good.conf": "good", "same.conf": "x"}
    (calls,) = log.read_text().splitlines()
    assert len(calls.split()) == 2, "only what changes is judged"
    assert run(tmp_path, {**wanted, "bad.conf": "right"}, validate=validate)["changed"]


def test_a_checker_that_cannot_run_is_a_clear_failure(tmp_path: Path) -> None:
    """The message says what could not be run, and nothing was written."""
    refused = run(tmp_path, {"a.conf": ""}, validate="/no/such/command %s")
    assert "could not be checked" in refused["msg"]
    assert held(tmp_path) == {}


def test_what_a_killed_run_left_behind_is_cleaned(tmp_path: Path) -> None:
    """Temporary files go, and the result says so."""
    run(tmp_path, {"a.conf": ""})
    (tmp_path / ".a.conf.0123abcd.sfm-tmp").write_text("half")
    result = run(tmp_path, {"a.conf": ""})
    assert (result["changed"], result["cleaned"]) == (True, [".a.conf.0123abcd.sfm-tmp"])
    assert set(held(tmp_path)) == {"a.conf"}


def test_a_link_or_directory_in_the_way_is_refused_by_name(tmp_path: Path) -> None:
    """It is not ours to replace what someone put there on purpose; nothing else is changed either."""
    (tmp_path / "a.conf").symlink_to("/etc/hostname")
    assert run(tmp_path, {"a.conf": "", "b.conf": ""})["msg"] == (
        f"{tmp_path}/a.conf: is a link to /etc/hostname, where a file of this deployment belongs; move it away"
    )
    (tmp_path / "a.conf").unlink()
    (tmp_path / "a.conf").mkdir()
    assert "is not a regular file" in run(tmp_path, {"a.conf": "", "b.conf": ""})["msg"]
    assert not (tmp_path / "b.conf").exists()


def test_a_link_at_an_orphans_name_is_removed_and_not_followed(tmp_path: Path) -> None:
    """Removing a link takes away the link alone."""
    directory, target = tmp_path / "d", tmp_path / "target"
    directory.mkdir()
    target.write_text("kept")
    (directory / "old.conf").symlink_to(target)
    assert run(directory, {"a.conf": ""})["removed"] == ["old.conf"]
    assert target.read_text() == "kept"


@pytest.mark.parametrize("name", ["../a.conf", "A.conf", "a.conf.bak"])
def test_names_outside_the_pattern_are_refused(tmp_path: Path, name: str) -> None:
    """A list cannot reach outside its directory or write what would never be removed."""
    assert "does not match" in run(tmp_path, {name: ""})["msg"]


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    """Which of the two would win is not for chance to say."""
    twice = [{"name": "a.conf", "content": "1"}, {"name": "a.conf", "content": "2"}]
    assert "twice" in run(tmp_path, twice)["msg"]


def test_two_runs_at_once_do_not_mix(tmp_path: Path) -> None:
    """The second is refused while the first holds the directory."""
    import fcntl

    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert "another deployment" in run(tmp_path, {"a.conf": ""})["msg"]
    finally:
        os.close(handle)


def test_contents_never_come_back_in_the_result(tmp_path: Path) -> None:
    """Neither the diff nor the echo of the arguments holds a secret."""
    (tmp_path / "a.conf").write_text("old-secret")
    result = run(tmp_path, {"a.conf": "new-secret", "b.conf": "new-secret"}, secret=True, _ansible_diff=True)
    assert result["changed"]
    assert "diff" not in result
    assert "secret" not in json.dumps(result).replace('"secret": true', "")


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Write
      sfm_directory:
        path: "{{ path }}"
        template: thing.conf.j2
        items: "{{ items }}"
        pattern: '[a-z]+\\.conf'
"""


@pytest.mark.parametrize("check", [True, False])
def test_ansible_renders_a_template_for_each_item(tmp_path: Path, check: bool) -> None:
    """Through a real play: variables and item reach the template, --check --diff shows it, and one task does it all."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "thing.conf.j2").write_text(
        "{% if item.colour is defined %}\ncolour={{ item.colour }}\n{% endif %}\nplace={{ place }} {{ '{{' }}\n"
    )
    (tmp_path / "play.yml").write_text(PLAY)
    target = tmp_path / "target"
    target.mkdir()
    items = [{"name": "a.conf", "colour": "{{ not_a_template }}"}, {"name": "b.conf", "mode": "0600"}]
    variables = {"path": str(target), "place": "here", "items": items[1:]}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "--diff", "play.yml"]
    done = subprocess.run(
        [*command, "-e", json.dumps(variables), *(["--check"] if check else [])],
        cwd=tmp_path,
        env={
            **os.environ,
            "ANSIBLE_LIBRARY": str(ROLE / "library"),
            "ANSIBLE_MODULE_UTILS": ":".join(MODULE_UTILS),
            "ANSIBLE_ACTION_PLUGINS": str(ROLE / "action_plugins"),
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+place=here {{" in done.stdout
    assert held(target) == ({} if check else {"b.conf": "place=here {{\n"})
