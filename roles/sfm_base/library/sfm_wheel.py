#!/usr/bin/python
"""Ansible module: builds the package's wheel and tells the digest of what is in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: sfm_wheel
short_description: Build the package's wheel
description:
  - Builds a wheel from a checkout with hatchling, or takes one that is there, and tells the digest of its contents.
  - Packs a wheelhouse into one file, which is quicker to copy than many.
  - To be run on the controller with the Python that runs Ansible. Changes nothing but its own cache, where several
    runs at once do not disturb each other.
author: The sfm-stream authors
options:
  source:
    description: The checkout to build from.
    type: path
  wheel:
    description: A wheel that was built before; it wins over O(source).
    type: str
    default: ""
  wheelhouse:
    description: A directory of wheels to pack.
    type: str
    default: ""
  cache:
    description: Where built wheels go; C(XDG_CACHE_HOME) or C(~/.cache), and sfm-stream in it, if left out.
    type: path
attributes:
  check_mode:
    support: full
    description: Builds the wheel all the same, since the digest decides what else would change.
"""

EXAMPLES = """
- name: Build the package
  sfm_wheel:
    source: /home/admin/sfm-stream
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
wheelhouse:
  description: The packed wheelhouse.
  type: str
  returned: if there is one
"""

KEEP_SECONDS = 7 * 24 * 3600
"""How long the cache keeps what no run has asked for."""


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


def build(source: Path, cache: Path) -> Path:
    """Builds the wheel into the cache; raises RuntimeError with what the build said."""
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", scratch]
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
        found = list(Path(scratch).glob("*.whl"))
        if done.returncode or len(found) != 1:
            raise RuntimeError(f"{' '.join(command)} in {source}: {done.stdout}{done.stderr}")
        place = cache / digest(found[0])[:16]
        place.mkdir(exist_ok=True)
        os.utime(place)
        return found[0].replace(place / found[0].name)


def pack(wheelhouse: Path, cache: Path) -> Path:
    """Packs the wheels into one file in the cache, unless the same ones lie there packed."""
    wheels = sorted(wheelhouse.glob("*.whl"))
    if not wheels:
        raise RuntimeError(f"{wheelhouse} holds no wheels; how to fill it: roles/sfm_base/README.md")
    listing = "".join(f"{wheel.name} {wheel.stat().st_size} {wheel.stat().st_mtime_ns}\n" for wheel in wheels)
    packed = cache / f"wheelhouse-{hashlib.sha256(listing.encode()).hexdigest()[:16]}.tar"
    if packed.exists():
        os.utime(packed)
        return packed
    handle, scratch = tempfile.mkstemp(dir=cache)
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        for wheel in wheels:
            archive.add(wheel, f"wheelhouse/{wheel.name}")
    return Path(scratch).replace(packed)


def tidy(cache: Path) -> None:
    """Forgets what was not asked for in a long time; a run at the same time may be as quick."""
    for old in cache.iterdir():
        if time.time() - old.stat().st_mtime > KEEP_SECONDS:
            for file in [*old.iterdir()] if old.is_dir() else [old]:
                file.unlink(missing_ok=True)
            if old.is_dir():
                old.rmdir()


def main() -> None:
    """Builds or takes the wheel, and packs the wheelhouse."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path"},
            "wheel": {"type": "str", "default": ""},
            "wheelhouse": {"type": "str", "default": ""},
            "cache": {"type": "path"},
        },
        supports_check_mode=True,
    )
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    cache = Path(module.params["cache"] or home / "sfm-stream")
    result = {}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        tidy(cache)
        wheel = Path(module.params["wheel"]) if module.params["wheel"] else build(Path(module.params["source"]), cache)
        if module.params["wheelhouse"]:
            result["wheelhouse"] = str(pack(Path(module.params["wheelhouse"]), cache))
        module.exit_json(changed=False, path=str(wheel), digest=digest(wheel), **result)
    except (OSError, zipfile.BadZipFile) as error:
        module.fail_json(msg=f"the wheel cannot be made or read: {error}")
    except RuntimeError as error:
        module.fail_json(msg=f"the package cannot be built. Was script/bootstrap run? {error}")


if __name__ == "__main__":
    main()
