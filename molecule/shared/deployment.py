"""A scenario's inventory that a test may edit, and the playbooks run with it as a user runs them."""

from __future__ import annotations

import copy
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PROJECT = Path(__file__).resolve().parents[2]
BASE, SUPERVISOR, STREAMS = (("--tags", part) for part in ("base", "supervisor", "streams"))
"""Options of a deployment: enough where a test concerns that part alone, and a third of the time."""


class Recap(NamedTuple):
    """One host's line of Ansible's recap."""

    ok: int
    changed: int
    unreachable: int
    failed: int


class Run(NamedTuple):
    """A finished playbook: its exit code, all that it printed, and the recap by host."""

    code: int
    text: str
    recap: Mapping[str, Recap]

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        return sum(each.changed for each in self.recap.values())


class Deployment:
    """The inventory of a scenario, copied to `directory`: edit `hosts` or `everywhere`, then `deploy`."""

    def __init__(self, scenario: Path, directory: Path, project: Path = PROJECT) -> None:
        self.file = directory / "hosts.yml"
        self.project = project
        self.content: dict[str, Any] = yaml.safe_load((scenario / "inventory" / "hosts.yml").read_text())
        self.group: dict[str, Any] = next(iter(self.content.values()))

    def of(self, project: Path) -> Deployment:
        """The same inventory, deployed by the playbooks and the package of another checkout."""
        other = copy.copy(self)
        other.project = project
        return other

    @property
    def everywhere(self) -> dict[str, Any]:
        """The variables that hold for all hosts."""
        return self.group.setdefault("vars", {})  # type: ignore[no-any-return]

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """Each host's own variables."""
        return self.group["hosts"]  # type: ignore[no-any-return]

    def variables(self, host: str) -> dict[str, Any]:
        """What holds for one host."""
        return {**self.everywhere, **self.hosts[host]}

    def filter(self, name: str, host: str | None = None) -> dict[str, Any]:
        """A filter's entry, for editing."""
        filters = self.hosts[host or next(iter(self.hosts))]["sfm_filters"]
        return next(each for each in filters if each["name"] == name)

    def play(self, playbook: str, *options: str, environment: Mapping[str, str] | None = None) -> Run:
        """Runs a playbook of the project with the inventory as it is now."""
        done = subprocess.run(
            self.command(playbook, *options),
            cwd=self.project,
            env=self.environment(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout, recap(done.stdout))

    def command(self, playbook: str, *options: str) -> list[str]:
        """The command line of `play`, for tests that must interrupt it; writes the inventory."""
        self.file.write_text(yaml.safe_dump(self.content, sort_keys=False, allow_unicode=True))
        return ["ansible-playbook", "-i", str(self.file), f"playbooks/{playbook}.yml", *options]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """The environment of a play: the project's own ansible.cfg, no colours."""
        config = {
            "ANSIBLE_CONFIG": str(self.project / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "PYTHONPATH": str(self.project),  # the plugins import the package of the same checkout
        }
        return {**os.environ, **config, **more}

    def deploy(self, *options: str) -> Run:
        """Deploys; a failure of the play is a failure of the test."""
        run = self.play("deploy", *options)
        assert run.code == 0, f"the deployment exited {run.code}:\n{run.text}"
        return run


def recap(text: str) -> dict[str, Recap]:
    """Reads the recap at the end of a play's output."""
    pattern = r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)"
    return {name: Recap(*map(int, counts)) for name, *counts in re.findall(pattern, text, re.MULTILINE)}
