"""What proves of a segment, before it is whole, that its bytes are those that were written.

A gzip carries one sum, at its end, and a segment that a crash leaves has no end. So each flush has an entry in a small
file beside the segment: how far the segment reaches with it, the CRC of its bytes, and when the first of its lines
arrived. The entry is written before the bytes: a segment never holds what nothing confirms. When the segment is
finished the gzip's own checksum confirms it, and the check is removed.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sfm_stream import names, reading
from sfm_stream.durable import create_anew, write_all

_ENTRY = struct.Struct("<QdI")
_SUM = struct.Struct("<I")
_LENGTH = _ENTRY.size + _SUM.size
_SUFFIX = ".check"


class Flush(NamedTuple):
    """What one flush wrote.

    Attributes:
        end: The segment's size with it.
        since: When the first of its lines arrived, in seconds since 1970.
        crc: CRC-32 of its bytes.
    """

    end: int
    since: float
    crc: int


class Check:
    """The check of a segment being written.

    Raises:
        OSError: From any method, when the disk is full or fails.
    """

    def __init__(self, segment: Path) -> None:
        self._path = path_of(segment)
        self._descriptor = create_anew(self._path)

    def add(self, end: int, since: float, data: bytes) -> None:
        """Records a checksum of `data`, the bytes up to `end`, which are about to be written."""
        entry = _ENTRY.pack(end, since, zlib.crc32(data))
        write_all(self._descriptor, entry + _SUM.pack(zlib.crc32(entry)))

    def sync(self) -> None:
        """Makes it durable."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Closes it."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """Removes it: it is not needed any more."""
        self.close()
        self._path.unlink(missing_ok=True)


def path_of(segment: Path) -> Path:
    """Where the check of a segment lies; hidden, so that what looks for data passes it over."""
    return segment.with_name(f".{segment.name}{_SUFFIX}")


def read(segment: Path) -> Iterator[Flush] | None:
    """The flushes of a segment, in order, up to the first entry that is damaged; None where it has no check.

    Raises:
        OSError: It cannot be read.
    """
    path = path_of(segment)
    if not os.path.lexists(path):
        return None
    return _entries(reading.read_small(path, 1 << 28) if reading.is_regular(path) else b"")


def forget(segment: Path) -> None:
    """Removes the check of a segment that is dealt with; a directory in its place stays, and is in nobody's way."""
    with suppress(FileNotFoundError, IsADirectoryError):
        path_of(segment).unlink()


def orphans(directory: Path, program: str) -> Iterator[Path]:
    """The segments of a program of which nothing is left but a check."""
    for path in directory.glob(f".{program}-*{names.PART}{_SUFFIX}"):
        segment = path.name[1:].removesuffix(_SUFFIX)
        name = names.parse(segment.removesuffix(names.PART))
        if name is not None and name.program == program and not os.path.lexists(directory / segment):
            yield directory / segment


def _entries(raw: bytes) -> Iterator[Flush]:
    end = 0
    for at in range(0, len(raw) - _LENGTH + 1, _LENGTH):
        entry = raw[at : at + _ENTRY.size]
        flush = Flush(*_ENTRY.unpack(entry))
        if _SUM.unpack_from(raw, at + _ENTRY.size)[0] != zlib.crc32(entry) or flush.end <= end:
            return
        yield flush
        end = flush.end
