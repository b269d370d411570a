"""What the programs' journals say of the capture files they finished.

A program writes the sha256 and the size of each file to its journal as it finishes
it: at ``rotate``, or at ``salvage`` where a crash had left it unfinished.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from sfm_stream import clock, names, reading
from sfm_stream.record.journal import journal_path, lines

_EVENTS = frozenset({"rotate", "salvage"})


class RecordedFile(msgspec.Struct, frozen=True):
    """A finished file, as its program recorded it.

    Attributes:
        file: Its name, without a directory.
        sha256: Of all its bytes, in hex.
        bytes: Its size; -1 where the entry does not say.
        time: When it was finished (UTC).
        duplicates: Posts in it that the program knew to have come before; None where the entry does not say.
    """

    file: str
    sha256: str
    bytes: int
    time: datetime
    duplicates: int | None = None


class _Line(msgspec.Struct):
    """What `recorded_files` needs of a line, and no more: a journal has millions."""

    time: clock.Time
    event: str
    file: str = ""
    sha256: str = ""
    bytes: Annotated[int, msgspec.Meta(ge=-1)] = -1
    duplicates: int = 0


def recorded_files(state_dir: Path, program: str, damaged: Callable[[], None] = lambda: None) -> Iterator[RecordedFile]:
    """All files that the program recorded as finished, in the order it did; `damaged` gets each unreadable line.

    One line at a time: a journal of years does not fill the memory.

    Raises:
        UnreadableError: The journal cannot be read.
    """
    decode = msgspec.json.Decoder(_Line).decode
    for raw in lines(journal_path(state_dir, program)):
        # Decoding costs most of the time; of a whole line without a sum, nothing is needed. A line that is cut short is
        # decoded, and counted as damaged.
        if not raw or (b'"sha256"' not in raw and raw.endswith(b"}")):
            continue
        try:
            line = decode(raw)
        except reading.DAMAGE:
            damaged()
            continue
        if line.event in _EVENTS and line.file and len(line.sha256) == 64:
            # A salvage does not tell: who had counted them was killed.
            duplicates = line.duplicates if line.event == "rotate" else None
            yield RecordedFile(line.file.rpartition("/")[2], line.sha256, line.bytes, line.time, duplicates)


Files = dict[str, list[RecordedFile]]
"""What was recorded of files, by name; a name may be recorded twice, where the clock gave it twice."""


def look_up(state_dir: Path, program: str, files: Collection[str]) -> dict[str, RecordedFile]:
    """What the program recorded of these `files` (names without a directory); the latest where it has several."""
    return {each.file: each for each in recorded_files(state_dir, program) if each.file in files}


class ByDay:
    """What a program recorded, day after day, from one reading of its journal; it holds a few days at a time.

    Attributes:
        files: Files recorded, so far.
        damaged: Lines that could not be read, so far.
        late: After `days`, what was recorded more than two days after its day, and after the next: what was salvaged
            after a long outage, or while a clock was wrong. By day, then by name.
    """

    def __init__(self, state_dir: Path | None, program: str) -> None:
        self._rest = recorded_files(state_dir, program, self._count_damaged) if state_dir else iter(())
        self.files = self.damaged = 0
        self.late: dict[date, Files] = {}

    def days(self) -> Iterator[tuple[date, Files]]:
        """Each day of which files were recorded, in order, with all that was recorded of each of its files.

        Raises:
            UnreadableError: The journal cannot be read.
        """
        ahead: dict[date, Files] = {}
        past = date.min
        for line in self._rest:
            self.files += 1
            capture = names.parse(line.file)
            if capture is None:
                continue
            day = capture.time.date()
            kept = ahead if day > past else self.late
            kept.setdefault(day, {}).setdefault(line.file, []).append(line)
            # Files are recorded when they are finished, so a day is complete once entries are two days past it.
            while ahead and (line.time.date() - (first := min(ahead))).days > 2:
                past = first
                yield past, ahead.pop(past)
        for day in sorted(ahead):
            yield day, ahead[day]

    def _count_damaged(self) -> None:
        self.damaged += 1
