"""The pages of a report in a real Chromium, as a person opens them from a disk, judged by axe-core."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from tests.support import npm
from tests.support.collected import three_streams

PACKAGES = ("axe-core@4.14.1", "puppeteer-core@24.43.1")
JUDGE = Path(__file__).parents[1] / "data" / "page_judge.mjs"


def test_pages_are_accessible_quiet_and_as_wide_as_the_screen(tmp_path: Path) -> None:
    """On a desktop and on a phone, light and dark; nothing is loaded from elsewhere."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed: the pages were looked at by nobody")
    (tmp_path / "npm").mkdir()
    modules = npm.install(tmp_path / "npm", *PACKAGES)
    host = three_streams(tmp_path, date(2026, 11, 1), 3, per_day=200)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "sfm_stream", "report", *host.options, "--to", "2026-11-03", "-o", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    judged = subprocess.run(["node", JUDGE, modules, out, browser], capture_output=True, text=True, timeout=200)
    assert judged.returncode == 0, judged.stderr
    found = [json.loads(line) for line in judged.stdout.splitlines()]
    assert len(found) == 16
    faults = [each for each in found if each["against"] or each["said"] or each["others"] or each["wider"] > 0]
    assert faults == []
