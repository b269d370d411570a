"""What `script/demo` shows of the posts, which it reads by a small program of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFT = ROOT / "tests" / "data" / "release-0.1.0"


def test_the_demo_shows_the_newest_posts_of_each_stream() -> None:
    """Of files that a host really had: by program, when, by whom, and the beginning of the text."""
    program = re.search(r"<<'PYTHON'\n(.*?)^PYTHON$", (ROOT / "script/demo").read_text(), re.DOTALL | re.MULTILINE)
    assert program
    done = subprocess.run(
        [sys.executable, "-", LEFT / "data", LEFT / "streams"],
        input=program[1],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["streamsample", "twitterfilter-elections"]
    posts = [line for line in lines if line.startswith(" ")]
    assert len(posts) == 4
    assert all(re.match(r"  2026-11-25T23:04:\d\d(\.\d+)?Z  \w+: \S", line) for line in posts), posts
