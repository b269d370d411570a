"""A program's append-only record of what happened to its stream: one JSON object a line.

Each line has ``time`` (UTC) and ``event``; docs/journal.md lists the events with their fields.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from sfm_stream import clock, reading
from sfm_stream.durable import set_aside, sync_directory, write_all
from sfm_stream.errors import StorageError
from sfm_stream.record.entries import Entries


def journal_path(state_dir: Path, program: str) -> Path:
    """Where the journal of a program lies."""
    return state_dir / "journal" / f"{program}.jsonl"


class Record(Protocol):
    """Where the parts of a capture tell what happened."""

    def write(self, event: str, /, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Keeps one entry."""


class NoJournal:
    """Keeps nothing: for a stream that is only printed."""

    def write(self, event: str, /, **fields: Any) -> None:  # noqa: ANN401
        """Forgets one entry."""


class Journal:
    """Appends to a journal; safe to use from several threads.

    A crash may leave an incomplete last line: it is taken off when the journal is next opened, and that is journaled.
    What is no regular file is set aside, and a journal that is removed while it is in use is begun anew; the new one
    says so.

    Raises:
        StorageError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._torn = False
        try:
            aside = set_aside(path) if os.path.lexists(path) and not reading.is_regular(path) else None
            self._open()
            torn = _cut_torn_line(self._descriptor)
        except OSError as error:
            raise self._error(error) from error
        if aside:
            self.write("journal", lost=f"it was no regular file; what lay there is now {aside.name}")
        if torn:
            self.write("journal", torn_bytes=torn)

    def write(self, event: str, /, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Appends one entry; it is on the disk when this returns. Fields that are None are left out."""
        line = _line(event, fields)
        with self._lock:
            try:
                if not reading.is_at(self.path, self._descriptor):
                    removed = self._descriptor
                    self._open()
                    os.close(removed)
                    line = _line("journal", {"lost": "it was removed or replaced while the program ran"}) + line
                # What a full disk cut short must not swallow the entry after it.
                torn, self._torn = self._torn, True
                write_all(self._descriptor, b"\n" + line if torn else line)
                self._torn = False
                os.fsync(self._descriptor)
            except OSError as error:
                raise self._error(error) from error

    def _open(self) -> None:
        self.path.parent.mkdir(mode=0o750, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o640)
        sync_directory(self.path.parent)

    def _error(self, error: OSError) -> StorageError:
        return StorageError(f"{self.path}: cannot be written: {error.strerror}")


def read(path: Path) -> Entries:
    """The entries of a journal; none where there is no such file.

    Raises:
        UnreadableError: While reading: it may not be read, fails, or is no regular file.
    """
    return Entries(lines(path))


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a journal as they stand, as `read` finds them."""
    try:
        yield from reading.lines(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise reading.UnreadableError(f"{path}: cannot be read: {error.strerror}") from error


class Tail(NamedTuple):
    """The end of a journal.

    Attributes:
        lines: As `lines` has them.
        whole: Whether that is all of it.
    """

    lines: list[bytes]
    whole: bool


def tail(path: Path, since: datetime) -> Tail:
    """The lines from the last one on that is older than `since`, without reading what lies before them.

    Raises:
        UnreadableError: As for `read`.
    """
    try:
        with os.fdopen(reading.open_regular(path), "rb") as file:
            size, reach = file.seek(0, os.SEEK_END), _FIRST_REACH
            while True:
                start = max(0, size - reach)
                file.seek(start)
                found = file.read(size - start).split(b"\n")
                if start == 0 or any(_is_older(line, since) for line in found[1:64]):
                    return Tail(found[start > 0 :], start == 0)
                reach *= 4
    except FileNotFoundError:
        return Tail([], whole=True)
    except OSError as error:
        raise reading.UnreadableError(f"{path}: cannot be read: {error.strerror}") from error


_FIRST_REACH = 64 << 10


class _Timed(msgspec.Struct):
    time: clock.Time


def _is_older(line: bytes, since: datetime) -> bool:
    try:
        return msgspec.json.decode(line, type=_Timed).time < since
    except reading.DAMAGE:
        return False


def _cut_torn_line(descriptor: int) -> int:
    """Takes an incomplete last line off; returns how many bytes it had."""
    size = os.fstat(descriptor).st_size
    end = size
    while end:
        start = max(0, end - 65536)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
    return size - end


def _line(event: str, fields: dict[str, Any]) -> bytes:
    entry: dict[str, object] = {"time": clock.text(clock.now()), "event": event}
    entry.update({key: _plain(value) for key, value in fields.items() if value is not None})
    return msgspec.json.encode(entry) + b"\n"


def _plain(value: object) -> object:
    return clock.text(value) if isinstance(value, datetime) else value
