"""One role, run by Ansible on this machine alone, with directories of a test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_CONFIG = Path(__file__).parents[2] / "ansible.cfg"


def run_role(
    role: str, place: Path, *options: str, tasks: str = "main", **variables: object
) -> subprocess.CompletedProcess[str]:
    """Runs tasks of a role, and shows what they change.

    Args:
        role: Its name.
        place: For the play and for Ansible's own files.
        options: Of ansible-playbook.
        tasks: Which of its files.
        variables: Extra variables; `service_mgr` is the fact of that name, which is not gathered: this machine stands
            for any.
    """
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_facts": {"service_mgr": variables.pop("service_mgr", "sysvinit")}},
        "tasks": [{"ansible.builtin.import_role": {"name": role, "tasks_from": tasks}}],
    }
    (place / "play.yml").write_text(json.dumps([play]))
    command = [sys.executable, "-m", "ansible.cli.playbook", "-i", "localhost,", str(place / "play.yml")]
    return subprocess.run(
        [*command, *options, "--diff", "-e", json.dumps(variables)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(place), "ANSIBLE_CONFIG": str(_CONFIG)},
    )
