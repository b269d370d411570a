"""Capture files of two programs over a month, and the journals that name them, as many as wanted."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sfm_stream import names

START = datetime(2026, 11, 1, tzinfo=UTC)
PROGRAMS = ("twitterfilter-storms", "streamsample")


def fill(data: Path, state: Path, files: int, size: int, *, journals: bool = True) -> None:
    """Makes the files, all with the same content, and where wanted the journals."""
    content = os.urandom(size)
    sha256 = hashlib.sha256(content).hexdigest()
    data.mkdir()
    (state / "journal").mkdir(parents=True)
    each = files // len(PROGRAMS)
    step = timedelta(days=30) / max(1, each)
    for program in PROGRAMS:
        with (state / "journal" / f"{program}.jsonl").open("w") as journal:
            for index in range(each):
                # Where there are more files than seconds, the number tells them apart.
                when = START + step * index
                capture = names.CaptureName(program=program, time=when.replace(microsecond=0), number=index + 1)
                with open(data / str(capture), "wb") as file:  # noqa: PTH123 - a million of them
                    file.write(content)
                line = {"time": when.isoformat(), "event": "rotate", "file": str(capture), "bytes": size}
                if journals:
                    journal.write(json.dumps({**line, "sha256": sha256}) + "\n")
    os.sync()
