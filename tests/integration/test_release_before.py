"""What the release before (0.1.0) left on a host is read, continued and judged as that release did.

tests/data/release-0.1.0 was made by its programs: a filter and the sample stream against its simulator, with dropped
connections, a changed rule, a stop, a sorted archive, and a kill.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Program
from tests.support.waiting import until

LEFT = Path(__file__).resolve().parents[1] / "data" / "release-0.1.0"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A copy of what it left."""
    shutil.copytree(LEFT, tmp_path / "host")
    for path in (tmp_path / "host").rglob("*"):
        path.chmod(0o750 if path.is_dir() else 0o640)
    return tmp_path / "host"


def call(*arguments: str | Path, expect: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "sfm_stream", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_its_archive_passes_the_audit(host: Path) -> None:
    report = call("audit", "--dir", host / "data", "--state-dir", host / "state", "--json")
    assert report["verified"] == report["files"] == 9


def test_its_gaps_are_told_as_it_told_them(host: Path) -> None:
    then = {each["program"]: each for each in json.loads((LEFT / "gaps.json").read_text())}
    for found in call("gaps", "--state-dir", host / "state", "--config-dir", host, "--json", expect=3):
        before = then.pop(found["program"])
        assert found["start"] == before["start"]
        for now, gap in zip(found["gaps"], before["gaps"], strict=True):
            open_yet = gap["end"] is None
            assert {key: now[key] for key in gap if not (open_yet and key == "seconds")} == {
                key: value for key, value in gap.items() if not (open_yet and key == "seconds")
            }
    assert not then


def test_its_history_is_told_as_it_told_it(host: Path) -> None:
    found = call("history", "elections", "--state-dir", host / "state", "--config-dir", host, "--json")
    for now, then in zip(found, json.loads((LEFT / "history.json").read_text()), strict=True):
        assert {key: now[key] for key in then} == then


def test_its_loose_file_is_sorted_beside_those_it_sorted(host: Path) -> None:
    report = call("organizedata", "--dir", host / "data", "--state-dir", host / "state", "--json")
    assert (report["moved"], report["findings"]) == (1, [])
    assert call("audit", "--dir", host / "data", "--state-dir", host / "state", "--json")["verified"] == 10


def test_the_segment_that_its_kill_left_becomes_a_capture_file(host: Path) -> None:
    segment = next((host / "data").glob("*.part"))
    program = Program(
        host, "http://127.0.0.1:9", kind="streamsample", data_dir=str(host / "data"), state_dir=str(host / "state")
    )
    program.start()
    try:
        (salvaged,) = until(lambda: program.journal("salvage"))
    finally:
        program.stop()
    lines = gzip.decompress((host / "data" / salvaged["file"]).read_bytes()).splitlines()
    assert salvaged["segment"] == segment.name
    assert salvaged["posts"] == len(lines) > 0
    assert all(json.loads(line)["data"]["id"] for line in lines)
