#!/usr/bin/python
"""Ansible module: builds the package's wheel and tells the digest of what is in it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: sfm_wheel
short_description: Build the package's wheel
description:
  - Builds a wheel from a checkout with hatchling, or takes one that is there, and tells the digest of its contents.
  - To be run on the controller with the Python that runs Ansible. Changes nothing but O(directory).
author: The sfm-stream authors
options:
  source:
    description: The checkout to build from.
    type: path
  wheel:
    description: A wheel that was built before; it wins over O(source).
    type: str
    default: ""
  directory:
    description: Where the built wheel goes.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Builds the wheel all the same, since the digest decides what else would change.
"""

EXAMPLES = """
- name: Build the package
  sfm_wheel:
    source: /home/admin/sfm-stream
    directory: /tmp/wheel
  delegate_to: localhost
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
"""

RETURN = """
path:
  description: The wheel.
  type: str
  returned: success
digest:
  description: SHA-256 over what the wheel installs; the long description, which is the README, does not count.
  type: str
  returned: success
"""


def digest(wheel: Path) -> str:
    """What the wheel installs, as a SHA-256: a README that was edited is no reason to restart a stream."""
    sums = []
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            content = archive.read(name)
            if name.endswith(".dist-info/METADATA"):
                content = content.partition(b"\n\n")[0]
            if not name.endswith(".dist-info/RECORD"):
                sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def build(source: Path, directory: Path) -> Path:
    """Builds the wheel; raises RuntimeError with what the build said."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.whl"):
        old.unlink()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    found = list(directory.glob("*.whl"))
    if done.returncode or len(found) != 1:
        raise RuntimeError(f"{' '.join(command)} in {source}: {done.stdout}{done.stderr}")
    return found[0]


def main() -> None:
    """Builds or takes the wheel."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path"},
            "wheel": {"type": "str", "default": ""},
            "directory": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        if module.params["wheel"]:
            wheel = Path(module.params["wheel"])
        else:
            wheel = build(Path(module.params["source"]), Path(module.params["directory"]))
        module.exit_json(changed=False, path=str(wheel), digest=digest(wheel))
    except (OSError, zipfile.BadZipFile) as error:
        module.fail_json(msg=f"the wheel cannot be read: {error}")
    except RuntimeError as error:
        module.fail_json(msg=f"the package cannot be built. Was script/bootstrap run? {error}")


if __name__ == "__main__":
    main()
