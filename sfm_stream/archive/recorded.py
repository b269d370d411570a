"""What the programs' journals say of the capture files they finished.

A program writes the sha256 and the size of each file to its journal as it finishes
it: at ``rotate``, or at ``salvage`` where a crash had left it unfinished.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec

from sfm_stream import names, reading
from sfm_stream.record import entries
from sfm_stream.record.journal import journal_path, lines


class Finished(msgspec.Struct, frozen=True):
    """A finished file, as its program recorded it.

    Attributes:
        file: Its name, without a directory.
        sha256: Of all its bytes, in hex.
        bytes: Its size; -1 where the entry does not say.
        time: When it was finished (UTC).
    """

    file: str
    sha256: str
    bytes: int
    time: datetime


def finished(state_dir: Path, program: str) -> Iterator[Finished]:
    """All files that the program recorded as finished, in the order it did; unreadable lines are left out.

    One line at a time: a journal of years does not fill the memory.

    Raises:
        UnreadableError: The journal cannot be read.
    """
    for raw in lines(journal_path(state_dir, program)):
        if b'"sha256"' not in raw:
            continue
        try:
            entry = entries.decode(raw)
        except reading.DAMAGE:
            continue
        if isinstance(entry, entries.Rotate | entries.Salvage) and entry.file and len(entry.sha256 or "") == 64:
            size = -1 if entry.bytes is None else entry.bytes
            yield Finished(entry.file.rpartition("/")[2], entry.sha256 or "", size, entry.time)


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
