"""What the role that prepares a host refuses by name alone, also where no preflight ran before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.roles.streams_host import Deployed, run_playbook

PLAY = """
- hosts: all
  gather_facts: false
  vars: {ansible_facts: {distribution: Debian, distribution_major_version: "12", service_mgr: sysvinit}}
  tasks:
    - ansible.builtin.import_role: {name: sfm_base, tasks_from: %s}
"""


def play(directory: Path, tasks: str, *options: str, **variables: Any) -> Deployed:
    """Runs a part of the role on this machine; nothing but a dry run, unless told otherwise."""
    (directory / "play.yml").write_text(PLAY % tasks)
    inventory = {"all": {"hosts": {"here": {"ansible_connection": "local"}}, "vars": variables}}
    return run_playbook(directory / "play.yml", inventory, directory, "--check", *options)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"sfm_config_dir": "/etc/cron.d"}, 'sfm_config_dir: found "/etc/cron.d"'),
        ({"sfm_data_dir": "/opt/sfm/data"}, 'sfm_data_dir: "/opt/sfm/data" lies within sfm_venv_dir'),
        ({"sfm_log_dir": "/var/log"}, 'sfm_log_dir: found "/var/log"'),
    ],
)
def test_a_removal_refuses_directories_that_are_not_ours_alone(
    tmp_path: Path, variables: dict[str, str], named: str
) -> None:
    """It would take away the system's files, or the data with the software."""
    run = play(tmp_path, "remove", **variables)
    assert run.code != 0
    assert named in run.output
    assert "Remove software" not in run.output


def test_the_role_alone_refuses_what_the_preflight_would(tmp_path: Path) -> None:
    """All faults at once."""
    run = play(tmp_path, "names", sfm_process_owner="root", sfm_state_dir="/etc/state", sfm_operators=["a b"])
    assert run.code != 0
    for variable in ("sfm_process_owner", "sfm_state_dir", "sfm_operators[0]"):
        assert f"{variable}: " in run.output
