#!/usr/bin/python
"""Ansible module: what the streams of a host are doing, as its programs and supervisor tell it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sfm_owned import read_owned
from ansible.module_utils.sfm_supervisord import UnreachableError, commands, connect, deployed, processes

DOCUMENTATION = r"""
---
module: sfm_status
short_description: Tell what the streams of a host are doing
description:
  - Puts together what C(sfm-stream status), C(sfm-stream gaps) and supervisor say. Changes nothing.
options:
  command:
    description: The console script.
    type: path
    default: /opt/sfm/current/bin/sfm-stream
  config_dir:
    description: Where the settings of the streams lie.
    type: path
    default: /etc/sfm
  state_dir:
    description: Where the scheduled jobs leave the outcome of their last run.
    type: path
    default: /var/lib/sfm/state
  pattern:
    description: A regular expression that matches the names of all programs of ours.
    type: str
    required: true
  config:
    description: supervisord's configuration file.
    type: path
    default: /etc/supervisor/supervisord.conf
author: The sfm-stream authors
attributes:
  check_mode:
    support: full
"""

EXAMPLES = r"""
- name: Ask the host
  sfm_status:
    pattern: twitterfilter-.+|streamsample
  register: _sfm_status
"""

RETURN = r"""
streams:
  description: What C(sfm-stream status --json) says.
  returned: success
  type: list
  elements: dict
coverage:
  description: For each program the share of the last 24 hours in which it was connected.
  returned: success
  type: dict
programs:
  description: For each program of ours what supervisor has it as. Programs of other people are not among them, whatever
    their names.
  returned: success
  type: dict
jobs:
  description: For each scheduled job that ever ran its C(time), C(exit_code) and C(error).
  returned: success
  type: dict
problems:
  description: What could not be asked, and why.
  returned: success
  type: list
  elements: str
"""

SECONDS = 60
JOBS = {"organizedata": "organize.json", "audit": "audit.json"}
"""The scheduled jobs, and the file in the state directory in which each leaves the outcome of its last run."""


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "path", "default": "/opt/sfm/current/bin/sfm-stream"},
            "config_dir": {"type": "path", "default": "/etc/sfm"},
            "state_dir": {"type": "path", "default": "/var/lib/sfm/state"},
            "pattern": {"type": "str", "required": True},
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
        },
        supports_check_mode=True,
    )
    problems: list[str] = []
    yesterday = datetime.now(UTC) - timedelta(days=1)
    ask = Asker(module.params["command"], module.params["config_dir"], problems)
    streams = ask("status", "--json")
    coverage = ask("gaps", "--format", "json", "--since", f"{yesterday:%Y-%m-%dT%H:%M:%S}") if streams else []
    module.exit_json(
        changed=False,
        streams=streams,
        coverage={each["program"]: each["connected"] for each in coverage},
        programs=_programs(module.params, problems),
        jobs=dict(_jobs(Path(module.params["state_dir"]), problems)),
        problems=problems,
    )


class Asker:
    """Asks the console script; what goes wrong is a problem, and an empty answer."""

    def __init__(self, command: str, config_dir: str, problems: list[str]) -> None:
        self._command = command
        self._config_dir = config_dir
        self._problems = problems

    def __call__(self, *arguments: str) -> list[dict[str, Any]]:
        """The list that a command prints as JSON; it does so too where it exits with 3, having found something."""
        command = [self._command, *arguments, "--config-dir", self._config_dir]
        if not Path(self._command).exists():
            problem = f"nothing is deployed here: there is no {self._command}"
            if problem not in self._problems:
                self._problems.append(problem)
            return []
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS)
            answer: list[dict[str, Any]] = json.loads(done.stdout)
            if not isinstance(answer, list) or not all(isinstance(each, dict) for each in answer):
                raise ValueError("no list of objects")
        except (OSError, subprocess.TimeoutExpired) as error:
            self._problems.append(f"sfm-stream {arguments[0]}: {error}")
        except ValueError:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            self._problems.append(f"sfm-stream {arguments[0]}: {said[-1] if said else f'code {done.returncode}'}")
        else:
            return answer
        return []


def _jobs(state_dir: Path, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The outcome of each job that ever ran; one that cannot be read, or is none, is a problem and costs itself."""
    for name, file in JOBS.items():
        try:
            outcome = read_owned(state_dir, file)
            kept = {key: outcome[key] for key in ("time", "exit_code", "error")}
            datetime.fromisoformat(kept["time"])
            if type(kept["exit_code"]) is not int or not isinstance(kept["error"], str | None):
                raise ValueError("exit_code or error is of another type than a job writes")
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"{name}: the outcome of its last run cannot be read: {state_dir / file}: {error.strerror}")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            problems.append(f"{name}: the outcome of its last run is damaged: {state_dir / file}: {error!r}")
        else:
            yield name, kept


def _programs(params: dict[str, Any], problems: list[str]) -> dict[str, str]:
    pattern = re.compile(params["pattern"])
    settings = Path(params["config_dir"]) / "streams"
    try:
        supervisor = connect(Path(params["config"]), seconds=0)
        live, files = processes(supervisor, pattern.fullmatch), commands(supervisor)
    except UnreachableError as error:
        problems.append(str(error))
        return {}
    ours = (p for n, p in live.items() if deployed(p, files.get(n), known=(settings / f"{n}.json").exists()))
    return {process["name"]: process["statename"] for process in ours}


if __name__ == "__main__":
    main()
