"""Makes proper capture files of the segments that a crash has left behind.

Every complete line is kept; the torn tail is dropped and counted. A segment that another live process
writes cannot be among them: the caller holds the lock of the program's name.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
from zlib_ng import zlib_ng

from sfm_stream import names
from sfm_stream.capture.envelope import look
from sfm_stream.capture.segment import LEVEL
from sfm_stream.durable import sync_directory, write_all

_GZIP = 31
_CHUNK = 1 << 18
_FLUSHED = b"\0\0\xff\xff"
"""The end of an empty deflate block, with which each flush ends."""
_ZEROS = 8
"""A gzip may end in so many zeros: its sum and its length."""


class Salvaged(msgspec.Struct, frozen=True, kw_only=True):
    """What was made of a leftover segment.

    Attributes:
        file: The capture file; None where the segment held no complete line and was removed.
        posts: Complete lines kept.
        bytes: Size of the capture file.
        torn_bytes: Bytes of text after the last complete line, dropped.
        first_id: Id of the first post.
        last_id: Id of the last post.
        sha256: Of the capture file.
        lost_after: When the segment was last written: what arrived later is not in it.
    """

    file: str | None
    posts: int
    bytes: int
    torn_bytes: int
    first_id: str | None
    last_id: str | None
    sha256: str | None
    lost_after: datetime


def leftovers(directory: Path, program: str) -> list[Path]:
    """The segments of a program, oldest first."""
    found = []
    for path in directory.glob(f"{program}-*{names.PART}"):
        name = names.parse(path.name.removesuffix(names.PART))
        if name is not None and name.program == program:
            found.append((name, path))
    return [path for _, path in sorted(found)]


def finished(directory: Path, program: str) -> dict[str, Path]:
    """The capture files of a program that still lie where it wrote them, by name."""
    found = {path.name: names.parse(path.name) for path in directory.glob(f"{program}-*{names.SUFFIX}")}
    return {name: directory / name for name, parsed in found.items() if parsed and parsed.program == program}


def examine(path: Path) -> Salvaged:
    """What a capture file holds, in the words of a salvage.

    Raises:
        OSError: It cannot be read.
    """
    kept = _Kept()
    for _ in kept.complete_lines(_readable(path)):
        pass
    status = path.stat()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return Salvaged(
        file=path.name,
        posts=kept.posts,
        bytes=status.st_size,
        torn_bytes=kept.torn,
        first_id=look(kept.first).data.id or None,
        last_id=look(kept.last).data.id or None,
        sha256=digest.hexdigest(),
        lost_after=datetime.fromtimestamp(status.st_mtime, UTC),
    )


def salvage(path: Path) -> Salvaged:
    """Turns the segment at `path` into a capture file beside it.

    Killed at any point and run again, it loses nothing: the segment is replaced only by a whole file on the disk.

    Raises:
        OSError: The disk is full, or fails; the segment is as it was.
    """
    before = path.stat()
    lost_after = datetime.fromtimestamp(before.st_mtime, UTC)
    temporary = path.with_name(f".{path.name}.salvage")
    temporary.unlink(missing_ok=True)  # of a salvage that was killed; it may be read-only already
    kept = _Kept()
    deflate = zlib_ng.compressobj(LEVEL, zlib_ng.DEFLATED, _GZIP)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        for text in kept.complete_lines(_readable(path)):
            kept.take(descriptor, deflate.compress(text))
        kept.take(descriptor, deflate.flush(zlib_ng.Z_FINISH))
        os.fchmod(descriptor, 0o440)
        # Were this killed and run again, it would still know since when lines are lost.
        os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if kept.posts:
        temporary.replace(path)
        target = _free(path.with_name(path.name.removesuffix(names.PART)))
        path.rename(target)
    else:
        temporary.unlink()
        path.unlink()
    sync_directory(path.parent)
    return Salvaged(
        file=target.name if kept.posts else None,
        posts=kept.posts,
        bytes=kept.size if kept.posts else 0,
        torn_bytes=kept.torn,
        first_id=look(kept.first).data.id or None,
        last_id=look(kept.last).data.id or None,
        sha256=kept.digest.hexdigest() if kept.posts else None,
        lost_after=lost_after,
    )


class _Kept:
    """Counts what goes over from the segment into the capture file."""

    def __init__(self) -> None:
        self.posts = self.size = self.torn = 0
        self.first = self.last = b""
        self.digest = hashlib.sha256()

    def complete_lines(self, pieces: Iterator[tuple[bytes, bool]]) -> Iterator[bytes]:
        tail: list[bytes] = []
        for piece, sound in pieces:
            head, newline, rest = piece.rpartition(b"\n")
            if not newline:
                tail.append(piece)
                continue
            text = b"".join([*tail, head, newline])
            if not sound:
                text, rest = _posts(text + rest)
            tail = [rest]
            if text:
                self.posts += text.count(b"\n")
                self.first = self.first or text.partition(b"\n")[0]
                self.last = text[text.rfind(b"\n", 0, -1) + 1 : -1]
                yield text
        self.torn = sum(map(len, tail))

    def take(self, descriptor: int, data: bytes) -> None:
        write_all(descriptor, data)
        self.digest.update(data)
        self.size += len(data)


def _readable(path: Path) -> Iterator[tuple[bytes, bool]]:
    """The text of a gzip as far as it can be read, in pieces, each with whether it is certain to be what was written.

    The last piece of an unfinished gzip is not: the disk may hold anything beyond the last sync, and some of that
    decodes.
    """
    inflate = zlib.decompressobj(_GZIP)
    piece = b""
    with path.open("rb") as file:
        left = _size_without_zeros(file)
        while not inflate.eof and (data := file.read(min(_CHUNK, left))):
            left -= len(data)
            yield piece, True
            before = inflate.copy()
            try:
                piece = inflate.decompress(data)
            except zlib.error:
                piece = _up_to_the_damage(before, data)
                break
    yield piece, inflate.eof


def _size_without_zeros(file: BinaryIO) -> int:
    """Up to where anything was written: a power cut may leave zeros for what had not reached the disk."""
    size = end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _CHUNK)
        file.seek(start)
        found = len(file.read(end - start).rstrip(b"\0"))
        end = start + found
        if found:
            break
    file.seek(0)
    return end if size - end > _ZEROS else size


def _posts(text: bytes) -> tuple[bytes, bytes]:
    """The lines up to the first that is no post, of which no segment has any; and the rest."""
    end = 0
    while (newline := text.find(b"\n", end)) >= 0 and look(text[end:newline]).data.id:
        end = newline + 1
    return text[:end], text[end:]


def _up_to_the_damage(inflate: zlib._Decompress, data: bytes) -> bytes:
    """The text up to the last flush before the damage, which lies somewhere between that and the error."""
    text = bytearray()
    start = 0
    try:
        while (found := data.find(_FLUSHED, start)) >= 0:
            end = found + len(_FLUSHED)
            text += inflate.decompress(data[start:end])
            start = end
    except zlib.error:
        pass
    return bytes(text)


def _free(path: Path) -> Path:
    """`path`, or the next name that nothing has: a capture file is never replaced."""
    name = names.parse(path.name)
    while name is not None and path.exists():
        name = msgspec.structs.replace(name, number=name.number + 1)
        path = path.with_name(str(name))
    return path
