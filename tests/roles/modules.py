"""Runs a module of the roles as Ansible does: in a process of its own, with its arguments as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import ansible.module_utils

ROLES = Path(__file__).resolve().parents[2] / "roles"
MODULE_UTILS = [str(path) for path in sorted(ROLES.glob("*/module_utils"))]
RUNNER = """
import runpy, sys, ansible.module_utils
module, *utils = sys.argv[1:]
del sys.argv[1:]
ansible.module_utils.__path__ += utils
runpy.run_path(module, run_name="__main__")
"""
Result = dict[str, Any]

# For tests that import a module or what it shares with others, as Ansible would have it there.
ansible.module_utils.__path__ += [each for each in MODULE_UTILS if each not in ansible.module_utils.__path__]


def run_module(module: Path, arguments: dict[str, Any], *, check: bool = False) -> Result:
    """What a module answers, whether it succeeds or not."""
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(module), *MODULE_UTILS],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": check, **arguments}}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    result: Result = json.loads(done.stdout)
    return result
