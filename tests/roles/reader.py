"""A host as a user sees it who reads what was collected and writes a directory of its own; `nobody` stands for one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.collected import Host

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory to another user")


def as_nobody(*command: object) -> subprocess.CompletedProcess[str]:
    """Runs something as the user, and of the group that reads the data."""
    line = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *map(str, command)]
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd="/")


def require_python() -> None:
    """Skips the test where the user could not start a program."""
    if as_nobody(sys.executable, "-c", "import sfm_stream").returncode:
        pytest.skip("this Python is in a place that only its owner may enter")


def let_read(collected: Host) -> None:
    """Gives the host's directories modes and group as a deployment does."""
    for path in (collected.data, collected.state, collected.config):
        for each in (path, *path.rglob("*")):
            shutil.chown(each, "root", "nogroup")
            each.chmod(0o2750 if each.is_dir() else 0o640)


def written(collected: Host) -> dict[Path, int]:
    """What was collected and recorded, with the times of last change."""
    paths = (*collected.data.rglob("*"), *collected.state.rglob("*"))
    return {path: path.stat().st_mtime_ns for path in paths}
