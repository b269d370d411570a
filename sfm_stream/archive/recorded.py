"""What the programs' journals say of the capture files they finished.

A program writes the sha256 and the size of each file to its journal as it finishes
it: at ``rotate``, or at ``salvage`` where a crash had left it unfinished.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec

from sfm_stream import names
from sfm_stream.record.journal import journal_path

_EVENTS = frozenset({"rotate", "salvage"})


class Finished(msgspec.Struct, frozen=True):
    """A finished file, as its program recorded it.

    Attributes:
        file: Its name, without a directory.
        sha256: Of all its bytes, in hex.
        bytes: Its size.
        time: When it was finished (UTC).
    """

    file: str
    sha256: str
    bytes: int
    time: datetime


class _Line(msgspec.Struct):
    time: datetime
    event: str = ""
    file: str = ""
    sha256: str = ""
    bytes: int = -1


def finished(state_dir: Path, program: str) -> Iterator[Finished]:
    """All files that the program recorded as finished, in the order it did; unreadable lines are left out.

    One line at a time: a journal of years does not fill the memory.
    """
    decoder = msgspec.json.Decoder(_Line)
    try:
        journal = journal_path(state_dir, program).open("rb")
    except (FileNotFoundError, NotADirectoryError):
        return
    with journal:
        for raw in journal:
            if b'"sha256"' not in raw:
                continue
            try:
                line = decoder.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if line.event in _EVENTS and line.file and len(line.sha256) == 64:
                yield Finished(line.file.rpartition("/")[2], line.sha256, line.bytes, line.time)


def look_up(state_dir: Path, program: str, files: Collection[str]) -> dict[str, Finished]:
    """What the program recorded of these `files` (names without a directory); the last word where it has several."""
    return {each.file: each for each in finished(state_dir, program) if each.file in files}


class ByDay:
    """What a program recorded of each day's files, day after day, from one reading of its journal.

    Holds a few days at a time. A file that was finished more than two days after its day (salvaged after a long
    outage) may be left out.
    """

    def __init__(self, state_dir: Path, program: str) -> None:
        self._rest = finished(state_dir, program)
        self._ahead: dict[date, dict[str, str]] = {}

    def of(self, day: date) -> dict[str, str]:
        """The sha256 of each file of `day`; ask for days in ascending order."""
        self._ahead = {each: files for each, files in self._ahead.items() if each >= day}
        for line in self._rest:
            capture = names.parse(line.file)
            if capture and capture.time.date() >= day:
                self._ahead.setdefault(capture.time.date(), {})[line.file] = line.sha256
            if line.time.date() > day + timedelta(days=2):
                break
        return self._ahead.pop(day, {})
