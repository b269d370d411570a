"""The file that a stream is writing: compressed lines that end up whole whatever happens.

A segment is created exclusively under its ``.part`` name. What was written is given to the system
at each `flush` and is on the disk after each `sync`; either ends a block of the format, so that all of it
can be read back though the rest be lost, and has its sum in the segment's `check`, so that it can be
trusted. `finish` completes the file, syncs, renames and syncs the directory: from then on it is a
capture file, read-only, and never changes again.

Not promised: lines since the last flush survive no kill -9, lines since the last sync no power cut.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from sfm_stream import names
from sfm_stream.capture.check import Check
from sfm_stream.compression.formats import GZIP, Format
from sfm_stream.durable import sync_directory, write_all
from sfm_stream.sources.feed import Position

MOST = 1 << 20
"""Compressed bytes that wait for a flush; more are flushed before it is due."""


class Line(NamedTuple):
    """A line of a stream as it arrived, without its line end.

    Attributes:
        raw: The bytes.
        time: When it arrived, in seconds since 1970.
        id: The post's id.
        position: Where it is in the source's sequence; None for sources without one.
    """

    raw: bytes
    time: float
    id: str
    position: Position | None = None


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal keeps of a capture file; times are of arrival."""

    file: str
    posts: int
    bytes: int
    sha256: str
    first_id: str | None
    last_id: str | None
    first_time: datetime | None
    last_time: datetime | None


class Segment:
    """A segment being written.

    Args:
        directory: Where it is made.
        program: Begins its name.
        begun: Stands in its name.
        kind: Its format.

    Raises:
        OSError: From any method, when the disk is full or fails; what was flushed before stays readable.
    """

    def __init__(self, directory: Path, program: str, begun: datetime, kind: Format = GZIP) -> None:
        self.name, self._descriptor = _create(directory, program, begun, kind)
        self.path = directory / f"{self.name}{names.PART}"
        self.posts = 0
        self.size = 0
        """Bytes of the file so far, those that wait for a flush included."""
        self.unflushed = False
        self.unsynced = False
        self._directory = directory
        self._first: Line | None = None
        self._last: Line | None = None
        self._digest = hashlib.sha256()
        self._compressor = kind.compressor()
        self._waiting: list[bytes] = []
        self._flushed = 0
        self._since = 0.0
        self._failed: OSError | None = None
        self._check = Check(self.path)
        sync_directory(directory)  # or a power cut takes the names of what a sync has put on the disk

    def write(self, lines: Sequence[Line]) -> None:
        """Appends lines, which must not be empty."""
        self._first = self._first or lines[0]
        self._last = lines[-1]
        self.posts += len(lines)
        self._since = self._since or lines[0].time
        self.unflushed = self.unsynced = True
        text = [line.raw for line in lines]
        text.append(b"")  # so that the last one ends, too
        # One call for all lines: each costs more than the bytes of a short line.
        self._take(self._compressor.compress(b"\n".join(text)))
        if self.size - self._flushed >= MOST:
            self.flush()

    def flush(self) -> None:
        """Gives all that was written to the system, where a kill -9 cannot reach it."""
        self._give(self._compressor.flush)
        self.unflushed = False

    def sync(self) -> None:
        """Puts all that was written on the disk, where a power cut cannot reach it."""
        if self.unflushed:
            self.flush()
        # The check first: a block without an entry is not trusted, an entry without its block costs nothing.
        self._check.sync()
        os.fdatasync(self._descriptor)
        self.unsynced = False

    def missing(self) -> str | None:
        """What has been done to the file by somebody else; None while it is as this has left it.

        Raises:
            OSError: The directory cannot be looked into.
        """
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return "it was removed, or its directory was"
        if self._failed is not None:
            return None
        own = os.fstat(self._descriptor)
        if not os.path.samestat(found, own):
            return "another file is in its place"
        # Somebody else wrote to it: what follows would lie where no reader of the format expects it.
        if own.st_size != self._flushed:
            return f"it has {own.st_size} bytes, and {self._flushed} were written"
        return None

    def abandon(self) -> None:
        """Lets go of the file as it is."""
        os.close(self._descriptor)
        self._check.close()

    @property
    def first_id(self) -> str | None:
        """The id of its first post."""
        return self._first.id if self._first else None

    def finish(self) -> Finished:
        """Turns the segment into a capture file."""
        self._give(self._compressor.finish)
        try:
            os.fchmod(self._descriptor, 0o440)
            os.fsync(self._descriptor)
            self.path.rename(self._directory / str(self.name))
        except OSError as error:
            self._failed = error
            raise
        # After the rename: a segment without its check is one that nothing confirms.
        self._check.remove()
        sync_directory(self._directory)
        os.close(self._descriptor)
        return Finished(
            file=str(self.name),
            posts=self.posts,
            bytes=self.size,
            sha256=self._digest.hexdigest(),
            first_id=self.first_id,
            last_id=self._last and self._last.id,
            first_time=_arrival(self._first),
            last_time=_arrival(self._last),
        )

    @property
    def span(self) -> tuple[datetime | None, datetime | None]:
        """When its first and its last line arrived."""
        return _arrival(self._first), _arrival(self._last)

    def _take(self, data: bytes) -> None:
        if data:
            self._waiting.append(data)
            self._digest.update(data)
            self.size += len(data)

    def _give(self, end: Callable[[], bytes]) -> None:
        """Ends a block, or the whole, and writes all that waits: its checksum first."""
        if self._failed is not None:
            raise self._failed  # nothing may follow what was written in part
        self._take(end())
        data = b"".join(self._waiting)
        if not data:
            return
        try:
            self._check.add(self.size, self._since, data)
            write_all(self._descriptor, data)
        except OSError as error:
            self._failed = error
            raise
        # Only now: what a full disk took in part must not be written again behind that.
        self._waiting.clear()
        self._flushed, self._since = self.size, 0.0


def _create(directory: Path, program: str, begun: datetime, kind: Format) -> tuple[names.CaptureName, int]:
    """A name that nothing has yet, neither as a segment nor as a capture file, and its new file."""
    name = names.CaptureName(program=program, time=begun.replace(microsecond=0), suffix=names.suffix_of(kind))
    while True:
        segment = directory / f"{name}{names.PART}"
        try:
            descriptor = os.open(segment, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        except FileExistsError:
            pass
        else:
            # Only the one holder of a segment can make its capture file: looked at now and not before, that stays true.
            if not any((directory / str(each)).exists() for each in name.in_all_formats):
                return name, descriptor
            os.close(descriptor)
            segment.unlink()
        name = msgspec.structs.replace(name, number=name.number + 1)


def _arrival(line: Line | None) -> datetime | None:
    return None if line is None else datetime.fromtimestamp(line.time, UTC)
