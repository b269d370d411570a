"""What a server says, in the log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sfm_stream.table import printable
from tests.unit.rules_server import App, serving


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("naïve 選挙 🌪", "naïve 選挙 🌪"),
        ("\x1b[2J\r\n\a", "\\x1b[2J\\r\\n\\x07"),
        ("\udcff", "\\xff"),
        ("half \ud83d", "half \\ud83d"),
        ("\u202eevil", "\\u202eevil"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    """Whatever a string can hold, bytes of file names and halves of pairs included."""
    assert printable(text) == shown


def test_control_characters_of_a_server_do_not_reach_the_log(tmp_path: Path) -> None:
    """X's own words are shown, and cannot clear the reader's screen, nor forge lines."""
    with serving(App()) as app:
        app.answers = [(401, {"title": "No", "detail": "\x1b[2J\n2026 ERROR forged"})] * 9
        settings = {"kind": "filterstream", "name": "a", "credential": "c", "api_url": app.url, "min_free": "0"}
        settings |= {"data_dir": str(tmp_path / "data"), "state_dir": str(tmp_path / "state")}
        settings["rules"] = [{"name": "main", "track": ["storm"]}]
        for place, content in (("streams/twitterfilter-a", settings), ("credentials/c", {"bearer_token": "x"})):
            path = tmp_path / f"{place}.json"
            path.parent.mkdir()
            path.write_text(json.dumps(content))
            path.chmod(0o600)
        (tmp_path / "data").mkdir()
        (tmp_path / "state").mkdir()
        command = [sys.executable, "-m", "sfm_stream", "filterstream", "a", "--save", "--config-dir", str(tmp_path)]
        run = subprocess.run(command, capture_output=True, timeout=60)
    assert b"\\x1b[2J" in run.stderr
    assert b"\x1b" not in run.stderr
    assert b"\n2026 ERROR forged" not in run.stderr
