"""The playbooks as people call them: parts of them, and inventories without hosts, end in words, never in silence."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.streams_host import BIN, ROOT, TOKEN, Deployed, run_playbook

PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
STREAM: dict[str, Any] = {
    "sfm_credentials": {"library": {"bearer_token": TOKEN}},
    "sfm_filters": [{"name": "storms", "credential": "library", "track": ["storm"]}],
}
LOCAL = {"ansible_connection": "local"}
# An address that leads nowhere: what tries to connect is unreachable.
AWAY = {"ansible_host": "192.0.2.1", "ansible_timeout": 1}


def play(name: str, directory: Path, inventory: dict[str, Any], *options: str) -> Deployed:
    return run_playbook(ROOT / "playbooks" / f"{name}.yml", inventory, directory, *options)


def one_line(run: Deployed) -> str:
    return " ".join(run.output.split())


@pytest.mark.parametrize("name", ["deploy", "preflight", "remove", "status"])
@pytest.mark.parametrize("content", [None, "all:\n  hosts:\n   a:\n  b\n"], ids=["missing", "unparsable"])
def test_an_inventory_that_cannot_be_read_is_an_error(name: str, content: str | None, tmp_path: Path) -> None:
    """Ansible by itself takes it for an empty one, on which everything goes well."""
    path = tmp_path / "inventory.yml"
    if content:
        path.write_text(content)
    command = [BIN / "ansible-playbook", "-i", path, ROOT / "playbooks" / f"{name}.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "PLAY [" not in done.stdout


@pytest.mark.parametrize("name", ["deploy", "preflight", "remove", "status"])
def test_an_inventory_without_hosts_is_an_error(name: str, tmp_path: Path) -> None:
    run = play(name, tmp_path, {"all": {"hosts": {}}})
    assert run.code != 0, run.output
    assert "No host to work on: all matches 0 hosts of the inventory." in one_line(run)


@pytest.mark.parametrize("options", [("--limit", "web"), ("-e", "sfm_hosts=archive")], ids=["limit", "pattern"])
def test_a_choice_that_leaves_no_host_is_an_error(options: tuple[str, ...], tmp_path: Path) -> None:
    """A host outside the group, or a group that does not exist."""
    inventory = {"sfm": {"hosts": {"capture": AWAY}}, "other": {"hosts": {"web": AWAY}}}
    run = play("deploy", tmp_path, inventory, *options)
    assert run.code != 0, run.output
    assert "No host to work on: " in run.output


def test_the_playbooks_work_on_the_group_sfm_if_there_is_one(tmp_path: Path) -> None:
    """Hosts outside it are neither examined nor touched, even where they inherit the same variables."""
    inventory = {
        "all": {"vars": STREAM},
        "sfm": {"hosts": {"capture": AWAY}},
        "other": {"hosts": {"web": {**AWAY, "sfm_nonsense": 1}}},
    }
    assert play("preflight", tmp_path, inventory).ok().changed == 0
    refused = play("preflight", tmp_path, inventory, "-e", "sfm_hosts=other")
    assert "sfm_nonsense: unknown variable" in refused.output
    listed = play("deploy", tmp_path, inventory, "--list-hosts").ok().output
    assert re.findall(r"play #3 .*?hosts \(1\):\s+capture", listed, re.DOTALL), listed


def test_the_choice_of_hosts_is_no_variable_of_the_inventory(tmp_path: Path) -> None:
    """It is read before any host's variables, so there it would have no effect, without a word."""
    inventory = {"all": {"hosts": {"capture": {**AWAY, "sfm_hosts": "all"}}, "vars": STREAM}}
    run = play("preflight", tmp_path, inventory)
    assert run.code != 0
    assert "sfm_hosts: has no effect in the inventory" in run.output


def test_all_playbooks_choose_hosts_in_the_same_way() -> None:
    """The pattern cannot be shared between plays."""
    plays = {path.name: yaml.safe_load(path.read_text()) for path in PLAYBOOKS if path.name != "hosts.yml"}
    chosen = {each["hosts"] for content in plays.values() for each in content if "hosts" in each}
    assert len(chosen) == 1
    assert all("import_playbook" in str(content[0]) for content in plays.values())


def test_a_host_that_declares_no_stream_and_has_none_is_left_alone(tmp_path: Path) -> None:
    """It is looked at, without becoming root; `sfm_filters: []` declares none either. Removal leaves it alone too."""
    inventory = {"all": {"hosts": {"silent": LOCAL, "empty": {**LOCAL, "sfm_filters": []}}}}
    nowhere = f"sfm_config_dir={tmp_path}/etc/sfm ansible_become_exe=/nonexistent"
    for name, more in (("deploy", ""), ("remove", " sfm_remove_confirmed=true")):
        run = play(name, tmp_path, inventory, "-e", nowhere + more).ok()
        assert run.changed == 0
        for host in ("silent", "empty"):
            assert f"{host} has no stream, declared or deployed; it is left alone." in one_line(run)
        assert "sfm_base" not in run.output


def test_a_host_that_declares_no_stream_any_more_is_deployed_so_that_they_go(tmp_path: Path) -> None:
    """What an earlier deployment left there is a reason to go on."""
    (tmp_path / "sfm").mkdir()
    inventory = {"all": {"hosts": {"here": {**LOCAL, "sfm_filters": []}}}}
    run = play("deploy", tmp_path, inventory, "--check", "-e", f"sfm_config_dir={tmp_path}/sfm")
    assert "it is left alone" not in run.output
    assert "TASK [sfm_base : " in run.output


@pytest.mark.parametrize(
    "options",
    [
        ("--skip-tags", "base"),
        ("--skip-tags", "always"),
        ("--start-at-task", "Write the credentials of active streams"),
        ("--start-at-task", "Create directories"),
        ("--start-at-task", "Reload systemd"),
        ("--start-at-task", "Start and enable timers"),
        ("--start-at-task", "Apply the program files to the live processes, and wait until all run"),
    ],
    ids=lambda options: options[1],
)
def test_a_deployment_without_what_every_part_needs_says_what_to_run(options: tuple[str, ...], tmp_path: Path) -> None:
    """One message in place of an undefined variable or of an output that is hidden; no host is asked anything."""
    inventory = {"all": {"hosts": {"here": LOCAL}, "vars": STREAM}}
    run = play("deploy", tmp_path, inventory, *options)
    assert run.code != 0
    assert run.changed == 0
    assert f"{options[0]}" in run.output
    assert "leaves out what every part needs: the examination of the inventory, and the release." in one_line(run)
    assert "to deploy a part alone, name it: --tags supervisor" in one_line(run)
    assert "is undefined" not in run.output


def test_the_role_of_the_streams_alone_names_the_role_that_it_needs(tmp_path: Path) -> None:
    """In a play of somebody's own."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "roles": ["sfm_streams"]}]))
    run = run_playbook(playbook, {"all": {"hosts": {"here": LOCAL}, "vars": STREAM}}, tmp_path)
    assert run.code != 0
    assert "the role sfm_base sets them, and this run left it out" in one_line(run)
