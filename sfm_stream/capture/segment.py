"""The file that a stream is writing: a gzip of lines that ends up whole whatever happens.

A segment is created exclusively under its ``.part`` name. What was written is given to the system
at each `flush` and is on the disk after each `sync`; either ends a deflate block, so that all of it
can be read back though the rest be lost. `finish` completes the gzip, syncs, renames and syncs the
directory: from then on it is a capture file, read-only, and never changes again.

Not promised: lines since the last flush survive no kill -9, lines since the last sync no power cut.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from zlib_ng import zlib_ng

from sfm_stream import names
from sfm_stream.durable import sync_directory, write_all

LEVEL = 6
"""zlib-ng's level: half the CPU of gzip -6 at 3 % larger files."""
_GZIP = 31  # window bits: 15, and 16 for a gzip header and trailer


class Line(NamedTuple):
    """A line of a stream as it arrived, without its line end.

    Attributes:
        raw: The bytes.
        time: When it arrived, in seconds since 1970.
        id: The post's id.
    """

    raw: bytes
    time: float
    id: str


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

    Raises:
        OSError: From any method, when the disk is full or fails; what was flushed before stays readable.
    """

    def __init__(self, directory: Path, program: str, begun: datetime) -> None:
        self.name, self._descriptor = _create(directory, program, begun)
        self.path = directory / f"{self.name}{names.PART}"
        self.posts = 0
        self.size = 0
        """Bytes of the file so far."""
        self.unflushed = False
        self.unsynced = False
        self._directory = directory
        self._first: Line | None = None
        self._last: Line | None = None
        self._digest = hashlib.sha256()
        self._deflate = zlib_ng.compressobj(LEVEL, zlib_ng.DEFLATED, _GZIP)

    def write(self, lines: Sequence[Line]) -> None:
        """Appends lines, which must not be empty."""
        self._first = self._first or lines[0]
        self._last = lines[-1]
        self.posts += len(lines)
        self.unflushed = self.unsynced = True
        self._append(self._deflate.compress(b"\n".join([*(line.raw for line in lines), b""])))

    def flush(self) -> None:
        """Gives all that was written to the system, where a kill -9 cannot reach it."""
        self._append(self._deflate.flush(zlib_ng.Z_SYNC_FLUSH))
        self.unflushed = False

    def sync(self) -> None:
        """Puts all that was written on the disk, where a power cut cannot reach it."""
        if self.unflushed:
            self.flush()
        os.fdatasync(self._descriptor)
        self.unsynced = False

    def finish(self) -> Finished:
        """Turns the segment into a capture file."""
        self._append(self._deflate.flush(zlib_ng.Z_FINISH))
        os.fchmod(self._descriptor, 0o440)
        os.fsync(self._descriptor)
        self.path.rename(self._directory / str(self.name))
        sync_directory(self._directory)
        os.close(self._descriptor)
        return Finished(
            file=str(self.name),
            posts=self.posts,
            bytes=self.size,
            sha256=self._digest.hexdigest(),
            first_id=self._first and self._first.id,
            last_id=self._last and self._last.id,
            first_time=_arrival(self._first),
            last_time=_arrival(self._last),
        )

    def _append(self, data: bytes) -> None:
        if data:
            write_all(self._descriptor, data)
            self._digest.update(data)
            self.size += len(data)


def _create(directory: Path, program: str, begun: datetime) -> tuple[names.CaptureName, int]:
    """A name that nothing has yet, neither as a segment nor as a capture file, and its new file."""
    name = names.CaptureName(program=program, time=begun.replace(microsecond=0))
    while True:
        segment = directory / f"{name}{names.PART}"
        try:
            descriptor = os.open(segment, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        except FileExistsError:
            pass
        else:
            # Whoever has a segment alone can make its capture file: looked at now and not before, that stays true.
            if not (directory / str(name)).exists():
                sync_directory(directory)  # or a power cut takes the name of what a sync has put on the disk
                return name, descriptor
            os.close(descriptor)
            segment.unlink()
        name = msgspec.structs.replace(name, number=name.number + 1)


def _arrival(line: Line | None) -> datetime | None:
    return None if line is None else datetime.fromtimestamp(line.time, UTC)
