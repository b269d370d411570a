"""The pages of a report."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

from tests.support.collected import three_streams


def test_pages_tell_what_was_asked_and_what_is_missing_and_need_nothing_else(tmp_path: Path) -> None:
    """All streams and each one, without a script or anything from elsewhere."""
    host = three_streams(tmp_path, date(2026, 11, 1), 3, per_day=100)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "sfm_stream", "report", *host.options, "--to", "2026-11-03", "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    pages = {path.name: path.read_text() for path in out.glob("*.html")}
    assert len(pages) == 4
    assert "Autumn storms 2026" in pages["index.html"]
    storms = pages["stream-twitterfilter-storms.html"]
    for words in ("flash flood", "no answer: Connection timed out", "How to cite", "k-lost", "k-recovered"):
        assert words in storms
    for text in pages.values():
        assert "<script" not in text
        assert not re.search(r'(src|<link[^>]*href)="(?!data:)', text)
