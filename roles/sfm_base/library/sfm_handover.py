#!/usr/bin/python
"""Ansible module: ends the processes of users that have something open in directories that change hands."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: sfm_handover
short_description: End what an earlier owner runs in directories
description:
  - Ends the processes of these users whose working directory, program or open files lie in the directories; first by
    SIGTERM, and after some seconds by SIGKILL. Other processes of these users go on, unless root cannot look
    into them, as in a container.
author: The sfm-stream authors
options:
  uids:
    description: The earlier owners, by number.
    type: list
    elements: int
    required: true
  directories:
    description: The directories that change hands.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    support: full
    description: Says which would be ended.
"""

EXAMPLES = """
- name: End what the old owner runs there
  sfm_handover:
    uids: [997]
    directories: [/var/lib/sfm/data, /var/lib/sfm/state]
"""

RETURN = """
ended:
  description: The processes, each as its number and command line.
  type: list
  elements: str
  returned: success
"""

SECONDS = 10
"""How long a process has to end by itself; a capture program needs two to finish its file."""


def processes(uids: set[int], directories: list[str]) -> list[int]:
    """The processes of these users that have something open in the directories, or may have."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if process.stat().st_uid in uids and _uses(process, directories):
                found.append(int(process.name))
    return sorted(found)


def _uses(process: Path, directories: list[str]) -> bool:
    """Whether it has something open there; where not even root may look, as in a container, it counts as having."""
    if b") Z " in (process / "stat").read_bytes():
        return False
    try:
        for link in (process / "cwd", process / "exe", *(process / "fd").iterdir()):
            with contextlib.suppress(FileNotFoundError):
                if _within(str(link.readlink()), directories):
                    return True
    except PermissionError:
        return True
    return False


def _within(path: str, directories: list[str]) -> bool:
    return any(f"{path}/".startswith(f"{directory.rstrip('/')}/") for directory in directories)


def command(pid: int) -> str:
    """A process as a message shows it."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return f"{pid} {words.strip()[:80]}".encode("unicode_escape").decode()
    return str(pid)


def end(pids: list[int], uids: set[int], directories: list[str]) -> list[int]:
    """Ends them, and returns those that are still there."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + SECONDS
        # Looked for anew each time: a process may have started another one meanwhile.
        while (pids := processes(uids, directories)) and time.monotonic() < deadline:
            time.sleep(0.1)
    return pids


def main() -> None:
    """Finds and ends them."""
    module = AnsibleModule(
        argument_spec={
            "uids": {"type": "list", "elements": "int", "required": True},
            "directories": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    uids = set(module.params["uids"]) - {0}
    directories = [os.path.realpath(path) for path in module.params["directories"]]
    found = processes(uids, directories)
    ended = [command(pid) for pid in found]
    if found and not module.check_mode and (left := end(found, uids, directories)):
        module.fail_json(
            msg=f"these do not end: {', '.join(map(command, left))}; end them, and deploy again", ended=ended
        )
    module.exit_json(changed=bool(found), ended=ended)


if __name__ == "__main__":
    main()
