"""The module that makes, repairs and hands over directories, against an owner who would be root."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.roles.modules import Result, run_module
from tests.support.passable import passable

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "roles" / "sfm_base" / "library"
OWNER, OTHER = "nobody", "games"
UID, OTHER_UID = (pwd.getpwnam(name).pw_uid for name in (OWNER, OTHER))
GROUP = "nogroup"
CAPTURED = "(twitterfilter-|streamsample).*"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="directories are given to others, which only root can do")


def run(module: str, arguments: dict[str, Any], *, check: bool = False) -> Result:
    """Runs a module of the role."""
    return run_module(LIBRARY / f"{module}.py", arguments, check=check)


def wanted(path: Path, **options: Any) -> dict[str, Any]:
    """A directory of the process owner."""
    defaults = {"variable": "sfm_data_dir", "owner": OWNER, "group": GROUP, "mode": "2750", "ours": CAPTURED}
    return {**defaults, "path": str(path), "uses": ["reach", "room"], **options}


def of_root(path: Path, **options: Any) -> dict[str, Any]:
    """A directory of root's."""
    return {
        "variable": "sfm_log_dir",
        "path": str(path),
        "group": GROUP,
        "mode": "2750",
        "uses": ["room", "append"],
        **options,
    }


def make(*directories: dict[str, Any], owner: str = OWNER, check: bool = False) -> Result:
    """Runs the module for the process owner."""
    return run("sfm_directories", {"directories": list(directories), "owner": owner, "group": GROUP}, check=check)


def looks(path: Path) -> tuple[int, int, str]:
    """Owner, group and mode."""
    status = path.lstat()
    return status.st_uid, status.st_gid, f"{stat.S_IMODE(status.st_mode):04o}"


NOGROUP = 65534


@pytest.fixture
def here() -> Iterator[Path]:
    """A directory that all may pass; pytest's own are for root alone."""
    with passable() as place:
        yield place


def test_missing_parents_belong_to_root(here: Path) -> None:
    """The owner of a parent decides what the name below it leads to."""
    os.umask(0o077)
    try:
        result = make(wanted(here / "lib/sfm/data"))
    finally:
        os.umask(0o022)
    assert result["created"] == [str(here / each) for each in ("lib", "lib/sfm", "lib/sfm/data")]
    assert looks(here / "lib/sfm") == looks(here / "lib") == (0, 0, "0755")
    assert looks(here / "lib/sfm/data") == (UID, NOGROUP, "2750")
    assert not make(wanted(here / "lib/sfm/data"))["changed"]


def test_parents_that_the_process_owner_has_are_given_back_to_root(here: Path) -> None:
    """As an earlier release left them; what is below stays as it is."""
    (here / "sfm/data").mkdir(parents=True)
    for path in (here / "sfm", here / "sfm/data"):
        os.chown(path, UID, NOGROUP)
        path.chmod(0o2750)
    before = looks(here / "sfm")
    dry = make(wanted(here / "sfm/data"), check=True)
    assert dry["changed"]
    assert dry["repaired"] == [str(here / "sfm")]
    assert looks(here / "sfm") == before
    assert make(wanted(here / "sfm/data"))["repaired"] == [str(here / "sfm")]
    assert looks(here / "sfm") == (0, 0, "0755")
    assert not make(wanted(here / "sfm/data"))["changed"]


@pytest.mark.parametrize("check", [True, False])
def test_a_link_in_the_place_of_a_directory_is_refused_and_what_it_leads_to_untouched(here: Path, check: bool) -> None:
    """The process owner has renamed `data` and put a link to a directory of root's in its place."""
    (here / "precious").mkdir(mode=0o700)
    (here / "sfm").mkdir()
    os.chown(here / "sfm", UID, NOGROUP)
    (here / "sfm/data").symlink_to(here / "precious")
    result = make(wanted(here / "sfm/data"), of_root(here / "log"), check=check)
    assert result["failed"]
    assert f"sfm_data_dir: {here}/sfm/data is a link to {here}/precious; " in result["msg"]
    assert "nothing was changed" in result["msg"]
    assert looks(here / "precious") == (0, 0, "0700")
    assert not (here / "log").exists()


def test_a_link_on_the_way_is_followed_only_if_it_is_roots_alone(here: Path) -> None:
    """Root's own /var/lib may lie on another disk; a link that others made may lead anywhere."""
    (here / "disk").mkdir()
    (here / "lib").symlink_to("disk")
    assert make(wanted(here / "lib/data"))["created"] == [str(here / "disk/data")]
    os.chown(here / "lib", UID, NOGROUP, follow_symlinks=False)
    assert f"{here}/lib on the way is a link that {OWNER} can change" in make(wanted(here / "lib/data"))["msg"]


def test_a_link_in_a_directory_that_others_may_write_is_refused(here: Path) -> None:
    """Though root made it: the next one may not be root's."""
    (here / "open").mkdir()
    (here / "disk").mkdir()
    (here / "open/lib").symlink_to(here / "disk")
    (here / "open").chmod(0o777)
    assert "can change; name the directory that it leads to" in make(wanted(here / "open/lib/data"))["msg"]


def test_a_directory_of_roots_lies_below_no_one_elses(here: Path) -> None:
    """Logs are opened as root, by name."""
    (here / "alice").mkdir()
    os.chown(here / "alice", OTHER_UID, 0)
    message = make(of_root(here / "alice/log"))["msg"]
    assert f"sfm_log_dir: {here}/alice, on the way to {here}/alice/log, is {OTHER}:root 0755" in message
    assert "chown root:" in message
    os.chown(here / "alice", 0, 0)
    (here / "alice").chmod(0o775)
    assert "so others than root decide" in make(of_root(here / "alice/log"))["msg"]


def test_what_others_could_write_does_not_become_roots_unseen(here: Path) -> None:
    """Program files and software that someone else put there would be root's, and be trusted."""
    (here / "etc").mkdir()
    (here / "etc/theirs.conf").touch()
    os.chown(here / "etc", UID, NOGROUP)
    assert "Check its contents, then: chown root:" in make(of_root(here / "etc", variable="sfm_config_dir"))["msg"]
    (here / "etc/theirs.conf").unlink()
    assert make(of_root(here / "etc", variable="sfm_config_dir"))["adjusted"] == [str(here / "etc")]


def test_a_log_that_is_a_link_of_somebody_else_is_named(here: Path) -> None:
    """Logs are opened as root by supervisord, which would write to whatever the name leads to."""
    (here / "log").mkdir()
    (here / "log/a.log").symlink_to("/etc/shadow")
    assert not make(of_root(here / "log")).get("failed"), "root's own link is root's own choice"
    os.chown(here / "log/a.log", UID, NOGROUP, follow_symlinks=False)
    assert f"{here}/log/a.log is not a file of its own (a link, of {OWNER})" in make(of_root(here / "log"))["msg"]


def test_a_directory_of_somebody_else_is_not_taken(here: Path) -> None:
    """Not empty, and nothing of ours in it; an empty one, or one with capture files, is."""
    (here / "web").mkdir()
    (here / "web/index.html").touch()
    os.chown(here / "web", OTHER_UID, 0)
    assert f"{here}/web belongs to {OTHER} and holds nothing of ours" in make(wanted(here / "web"))["msg"]
    (here / "web/index.html").unlink()
    assert make(wanted(here / "web"))["adjusted"] == [str(here / "web")]


@pytest.mark.parametrize(
    ("path", "named"), [("/var/lib/dpkg", "Debian package"), ("/var/backups", "the home of backup")]
)
def test_a_directory_of_the_systems_is_not_taken(path: str, named: str) -> None:
    """A package brought it, or it is a user's home; found on the host, whatever its name."""
    result = make(wanted(Path(path)), check=True)
    assert result["failed"]
    assert named in result["msg"]


@pytest.mark.parametrize("owner", [OWNER, "sfm-to-be-made"])
def test_a_parent_that_the_process_owner_cannot_pass_is_named_with_its_mode_and_cure(here: Path, owner: str) -> None:
    """Tried as the owner where there is one already, and read from the modes where there is not."""
    (here / "private/below").mkdir(parents=True)
    (here / "private").chmod(0o700)
    data = wanted(here / "private/below/data", owner=owner)
    result = make(data, owner=owner, check=True)
    assert (
        f"sfm_data_dir: {owner} cannot get to {here}/private/below/data: {here}/private is root:root 0700"
        in result["msg"]
    )
    assert f"chmod o+x {here}/private" in result["msg"]
    (here / "private").chmod(0o711)
    assert make(data, owner=owner, check=True)["created"] == [f"{here}/private/below/data"]


def test_an_acl_that_lets_the_process_owner_pass_counts(here: Path) -> None:
    """The kernel is asked as the owner; modes alone would say no."""
    (here / "private").mkdir(mode=0o700)
    entries = (
        (0x01, 7, 0xFFFFFFFF),
        (0x02, 1, UID),
        (0x04, 0, 0xFFFFFFFF),
        (0x10, 1, 0xFFFFFFFF),
        (0x20, 0, 0xFFFFFFFF),
    )
    acl = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + perm.to_bytes(2, "little") + who.to_bytes(4, "little") for tag, perm, who in entries
    )
    os.setxattr(here / "private", "system.posix_acl_access", acl)
    assert not make(wanted(here / "private/data")).get("failed")


@pytest.fixture
def mounted(here: Path) -> Iterator[Path]:
    """A small filesystem of its own."""
    place = here / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0755,nr_inodes=100", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_found_before_anything_is_changed(here: Path, mounted: Path) -> None:
    """By space, and by inodes."""
    (mounted / "filler").write_bytes(bytes(1500 << 10))
    result = make(wanted(here / "first"), wanted(mounted / "data", variable="sfm_state_dir"))
    assert f"sfm_state_dir: the filesystem of {mounted} is full" in result["msg"]
    assert not (here / "first").exists()
    (mounted / "filler").unlink()
    for index in range(90):
        (mounted / f"f{index}").touch()
    assert "no inode left" in make(wanted(mounted / "data"))["msg"]


def test_read_only_and_noexec_mounts_are_found(here: Path, mounted: Path) -> None:
    """The first can hold no data, the second can start no program."""
    subprocess.run(["mount", "-o", "remount,noexec", mounted], check=True)
    venv = of_root(mounted / "venv", variable="sfm_venv_dir", uses=["reach", "run"])
    assert "mounted noexec" in make(venv)["msg"]
    assert not make(wanted(mounted / "data")).get("failed")
    subprocess.run(["mount", "-o", "remount,ro,exec", mounted], check=True)
    message = make(wanted(mounted / "other"), venv)["msg"]
    assert message.startswith("2 faults in the directories of this host; nothing was changed:\n")
    assert message.count("mounted read-only") == 2


def test_a_handover_gives_the_new_owner_what_the_old_one_had_and_nothing_else(here: Path) -> None:
    """Files and directories of ours; links, files of others and what is beside them stay, wherever they lead."""
    precious = here / "precious"
    precious.write_text("root's")
    data = here / "data"
    tree = data / "twitterfilter-a/2026/11"
    tree.mkdir(parents=True)
    (tree / "twitterfilter-a-1.jsonl.gz").touch()
    (tree / "link").symlink_to(precious)
    (tree / "rooted").touch()
    (data / "notes").touch()
    for path in [data, *data.rglob("*")]:
        if path.name != "rooted":
            os.chown(path, OTHER_UID, 0, follow_symlinks=False)
    result = make(wanted(data))
    assert result["earlier"] == [OTHER_UID]
    assert result["handed_over"] == 4
    assert looks(tree / "twitterfilter-a-1.jsonl.gz")[0] == looks(tree)[0] == looks(data)[0] == UID
    assert looks(precious)[0] == looks(tree / "rooted")[0] == 0
    assert looks(data / "notes")[0] == looks(tree / "link")[0] == OTHER_UID
    assert not make(wanted(data))["changed"]


def test_a_handover_gives_nothing_away_to_an_owner_who_swaps_names_meanwhile(here: Path) -> None:
    """The old owner exchanges a directory and a link to root's files, over and over, while root hands over."""
    (here / "precious/2026").mkdir(parents=True)
    for index in range(200):
        (here / f"precious/2026/{index}").touch()
    script = (
        "import os,sys\nos.setuid(int(sys.argv[2]));os.chdir(sys.argv[1])\n"
        "while True:\n"
        " try:\n  os.rename('streamsample','aside');os.symlink('../precious','streamsample')\n"
        "  os.unlink('streamsample');os.rename('aside','streamsample')\n"
        " except OSError: pass\n"
    )
    for turn in range(8):
        data = here / f"data{turn}"
        (data / "streamsample/2026").mkdir(parents=True)
        for index in range(200):
            (data / f"streamsample/2026/{index}").touch()
        for path in [*data.rglob("*"), data]:
            os.chown(path, OTHER_UID, 0)
        hostile = subprocess.Popen([sys.executable, "-c", script, str(data), str(OTHER_UID)])
        try:
            make(wanted(data))
        finally:
            hostile.kill()
            hostile.wait()
        assert {path.stat().st_uid for path in [here / "precious", *(here / "precious").rglob("*")]} == {0}


def test_what_the_old_owner_runs_there_ends_and_nothing_else(here: Path) -> None:
    """A process with a file open in the data, even one that ignores SIGTERM; another of the same user goes on."""
    (here / "data").mkdir()
    os.chown(here / "data", OTHER_UID, 0)
    ignore = "signal.signal(15, signal.SIG_IGN)"
    stubborn = f"import os,signal,time\nos.setuid({OTHER_UID})\n{ignore}\nprint(flush=True)\ntime.sleep(99)"
    inside = subprocess.Popen([sys.executable, "-c", stubborn], cwd=here / "data", stdout=subprocess.PIPE)
    outside = subprocess.Popen([sys.executable, "-c", stubborn], cwd=here, stdout=subprocess.PIPE)
    try:
        for process in (inside, outside):
            assert process.stdout is not None
            process.stdout.readline()
        arguments = {"uids": [OTHER_UID], "directories": [str(here / "data")]}
        dry = run("sfm_handover", arguments, check=True)
        assert dry["changed"]
        assert inside.poll() is None
        result = run("sfm_handover", arguments)
        assert result["ended"][0].startswith(f"{inside.pid} ")
        assert len(result["ended"]) == 1
        time.sleep(0.2)
        assert inside.poll() == -9
        assert outside.poll() is None
    finally:
        for process in (inside, outside):
            process.kill()
            process.wait()
