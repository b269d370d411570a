"""A removal ends the programs of the deployment and no others, and tells what it left, beside a real supervisord."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.roles.streams_host import Host, run_playbook, running_host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the roles give files to root, so only root can run them")
REMOVAL = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.import_role": {"name": "sfm_supervisor", "tasks_from": "look"}},
            {"ansible.builtin.import_role": {"name": "sfm_streams", "tasks_from": "remove"}},
            {"ansible.builtin.debug": {"var": "_sfm_programs.shared_logs"}},
        ],
    }
]


@pytest.fixture
def host() -> Iterator[Host]:
    with running_host() as running:
        (running.here / "removal.yml").write_text(json.dumps(REMOVAL))
        yield running


def old_sfm(host: Host, name: str, log: str) -> None:
    """A program of an older SFM's, from a file of its own."""
    (host.here / "theirs" / f"{name}.conf").write_text(
        f"[program:{name}]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile={log}\nstderr_logfile={log}.err\n"
    )
    host.ctl("update", name)
    host.await_that(lambda: name in host.pids())


def test_only_what_the_deployment_runs_is_stopped_and_forgotten(host: Host) -> None:
    """An older SFM's programs go on; someone else's file that supervisor cannot read is no obstacle."""
    old_sfm(host, "twitterfilter-1", f"{host.here}/theirs/1.log")
    host.deploy().ok()
    pid = host.pids()["twitterfilter-1"]
    (host.here / "theirs" / "broken.conf").write_text("[program:broken]\n")
    dry = host.deploy("--check", play="removal.yml").ok()
    assert len(host.programs()) == 3
    run = host.deploy(play="removal.yml").ok()
    assert run.changed == dry.changed == 2
    assert host.pids() == {"twitterfilter-1": pid}
    assert "twitterfilter-1: supervisor has a program of this name" in " ".join(run.output.split())
    assert "_sfm_programs.shared_logs: false" in run.output
    assert host.deploy(play="removal.yml").ok().changed == 0


def test_a_program_of_ours_whose_file_was_removed_before_is_stopped_as_well(host: Host) -> None:
    """A removal that broke off between the files and the processes is taken up by the next."""
    host.deploy().ok()
    for path in (host.here / "etc/supervisor.d").iterdir():
        path.unlink()
    host.deploy(play="removal.yml").ok()
    assert host.programs() == {}


def test_logs_that_others_write_beside_ours_are_known(host: Host) -> None:
    """So the directory stays."""
    host.deploy().ok()
    old_sfm(host, "harvester", f"{host.here}/log/harvester.log")
    assert "_sfm_programs.shared_logs: true" in host.deploy(play="removal.yml").ok().output


def test_the_size_of_a_linked_data_directory_is_that_of_what_it_leads_to(tmp_path: Path) -> None:
    """A link itself has none."""
    for name in ("disk", "state", "etc"):
        (tmp_path / name).mkdir()
    (tmp_path / "disk" / "posts.gz").write_bytes(os.urandom(3 * 1024 * 1024))
    (tmp_path / "data").symlink_to("disk")
    role = {"ansible.builtin.import_role": {"name": "sfm_base", "tasks_from": "remove"}}
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [role]}]))
    places = {f"sfm_{name}_dir": str(tmp_path / name) for name in ("data", "state", "venv", "log")}
    variables = {"ansible_connection": "local", "sfm_config_dir": str(tmp_path / "etc"), **places}
    run = run_playbook(tmp_path / "play.yml", {"all": {"hosts": {"here": variables}}}, tmp_path, "--check").ok()
    assert f"{tmp_path}/data (3.1M): captured posts" in run.output
