#!/usr/bin/python
"""Ansible module: how the streams of a host stand, as its own `sfm-stream status` tells it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: sfm_status
short_description: Tell how the streams of a host stand
description:
  - Hands on what C(sfm-stream status --json) says on the host. Changes nothing, and judges nothing.
options:
  command:
    description: The console script.
    type: path
    default: /opt/sfm/current/bin/sfm-stream
  config_dir:
    description: Where the settings of the streams lie.
    type: path
    default: /etc/sfm
author: The sfm-stream authors
attributes:
  check_mode:
    support: full
"""

EXAMPLES = r"""
- name: Ask the host
  sfm_status:
  register: _sfm_status
"""

RETURN = r"""
view:
  description: What C(sfm-stream status --json) says; empty where it said nothing.
  returned: success
  type: dict
problem:
  description: Why it said nothing; empty where it did.
  returned: success
  type: str
"""

SECONDS = 60


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "path", "default": "/opt/sfm/current/bin/sfm-stream"},
            "config_dir": {"type": "path", "default": "/etc/sfm"},
        },
        supports_check_mode=True,
    )
    view, problem = ask(module.params["command"], module.params["config_dir"])
    module.exit_json(changed=False, view=view, problem=problem)


def ask(command: str, config_dir: str) -> tuple[dict[str, Any], str]:
    """What the console script says, and why it says nothing; it exits with 3 where it has found something."""
    if not Path(command).exists():
        return {}, f"nothing is deployed here: there is no {command}"
    arguments = [command, "status", "--json", "--config-dir", config_dir]
    try:
        done = subprocess.run(arguments, capture_output=True, check=False, timeout=SECONDS)
        view = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, f"sfm-stream status: {error}"
    except ValueError:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return {}, f"sfm-stream status: {said[-1] if said else f'code {done.returncode}'}"
    if not isinstance(view, dict):
        return {}, "an older release runs here, whose status this one does not know: deploy"
    return view, ""


if __name__ == "__main__":
    main()
