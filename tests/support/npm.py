"""Programs by other people that npm installs for a test alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def install(folder: Path, *packages: str) -> Path:
    """Where packages were installed, without a lock file and without running anything of theirs; or skips the test."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip(f"node and npm are not installed: {', '.join(packages)} cannot be tried")
    (folder / "package.json").write_text("{}")
    options = ("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
    try:
        installed = subprocess.run(
            ["npm", "install", *options, *packages], cwd=folder, capture_output=True, text=True, timeout=90
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install {', '.join(packages)} within 90 s")
    if installed.returncode:
        pytest.skip(f"npm could not install {', '.join(packages)}: {installed.stderr.strip()[-300:]}")
    return folder / "node_modules"
