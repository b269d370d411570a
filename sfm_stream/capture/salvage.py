"""Makes proper capture files of the segments that a crash has left behind.

Every complete line that is certain to be what was written is kept: what the segment's `check` confirms, or all of a
file whose own sum holds. What a crash cut short is dropped and counted. Where bytes are other than were written, the
whole segment is kept aside besides, under a name that no capture file has: what lies beyond the damage may have been
altered, and a person decides.

A segment without a check was left by a release that made none. A process that is killed alters no byte, so what can be
read of it is kept, and counted as unchecked; where it cannot be read to its end, none of it is certain.

A segment that another live process writes cannot be among them: the caller holds the lock of the program's name.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import msgspec

from sfm_stream import names, reading
from sfm_stream.capture import check
from sfm_stream.compression.content import Content, opened
from sfm_stream.compression.formats import GZIP, DamagedError, Format, of_name
from sfm_stream.durable import asides, sync_directory, write_all
from sfm_stream.sources.lines import Classify

_CHUNK = 1 << 18
_LITTLE = 1 << 9
_ZEROS = 8
"""A whole file may end in so many zeros of its own: its sum, and in gzip its length."""


class Salvaged(msgspec.Struct, frozen=True, kw_only=True):
    """What was made of a leftover segment.

    Attributes:
        file: The capture file; None where the segment held no complete line and was removed.
        posts: Complete lines kept.
        bytes: Size of the capture file.
        torn_bytes: Bytes that were cut short, dropped.
        first_id: Id of the first post.
        last_id: Id of the last post.
        sha256: Of the capture file.
        lost_after: When the segment was last written: what arrived later is not in it.
        unchecked: Posts kept that nothing confirms.
        aside: The file with all of the damaged segment; None where none was damaged.
        aside_lines: Lines that can be read in it beyond those kept; any of them may have been altered.
        aside_since: When the first of them arrived, where that is known.
    """

    file: str | None
    posts: int
    bytes: int
    torn_bytes: int
    first_id: str | None
    last_id: str | None
    sha256: str | None
    lost_after: datetime
    unchecked: int | None = None
    aside: str | None = None
    aside_lines: int | None = None
    aside_since: datetime | None = None


def leftovers(directory: Path, program: str) -> list[Path]:
    """The segments of a program, oldest first."""
    found = []
    for path in directory.glob(f"{program}-*{names.PART}"):
        name = names.parse(path.name.removesuffix(names.PART))
        # `storms-*` also finds the segments of a program `storms-2`, which may be running.
        if name is not None and name.program == program and reading.is_regular(path):
            found.append((name, path))
    return [path for _, path in sorted(found)]


def finished(directory: Path, program: str) -> dict[str, Path]:
    """The capture files of a program that still lie where it wrote them, by name."""
    found = {path.name: names.parse(path.name) for path in directory.glob(f"{program}-*")}
    return {
        name: directory / name
        for name, parsed in found.items()
        if parsed and parsed.program == program and parsed.suffix in names.SUFFIXES
    }


def examine(path: Path, classify: Classify) -> Salvaged:
    """What a capture file holds, in the words of a salvage; `classify` is the source's.

    Raises:
        OSError: It cannot be read.
    """
    kept = _Kept(classify)
    status = path.stat()
    for _ in kept.complete_lines(_text(path, status.st_size)):
        pass
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    written = datetime.fromtimestamp(status.st_mtime, UTC)
    return kept.told(path, status.st_size, digest, written, _aside_of(path, kept.posts))


def lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a capture file, or of as much of it as can be read.

    Raises:
        OSError: It cannot be read.
    """
    with opened(path) as content:
        yield from content.lines()


def salvage(path: Path, classify: Classify) -> Salvaged:
    """Turns the segment at `path` into a capture file beside it.

    Killed at any point and run again, it loses nothing: the segment is replaced only by a whole file on the disk.

    Raises:
        OSError: The disk is full, or fails; the segment is as it was.
    """
    # The size is taken once: nobody writes to it, or the name could not have been locked.
    before = path.stat()
    certain = _certain(path)
    temporary = path.with_name(f".{path.name}.salvage")
    temporary.unlink(missing_ok=True)  # of a salvage that was killed; it may be read-only already
    kept = _Kept(classify)
    compressor = _format(path).compressor()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        for text in kept.complete_lines(_text(path, certain.size)):
            kept.take(descriptor, compressor.compress(text))
        kept.take(descriptor, compressor.finish())
        # As a finished file: from here on nobody has a reason to change it.
        os.fchmod(descriptor, 0o440)
        # Were this killed and run again, it would still know since when lines are lost.
        os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if certain.rest == "torn":
        kept.torn += before.st_size - certain.size
    if certain.rest == "damaged":
        _keep_aside(path)
    target = path.with_name(path.name.removesuffix(names.PART))
    aside = _aside_of(target, kept.posts)
    if kept.posts:
        # In two steps, since a free name may be taken before a rename to it: killed between the two, the next start
        # finds the whole file at the segment's own name.
        temporary.replace(path)
        target = _free(target)
        path.rename(target)
    else:
        temporary.unlink()
        path.unlink(missing_ok=True)
    check.forget(path)
    # Before it is journaled: what the journal calls kept must be there after a power cut.
    sync_directory(path.parent)
    lost_after = before.st_mtime
    if certain.rest == "torn" and certain.since:
        lost_after = min(lost_after, certain.since)
    told = kept.told(target, kept.size, kept.digest.hexdigest(), datetime.fromtimestamp(lost_after, UTC), aside)
    return msgspec.structs.replace(
        told,
        unchecked=kept.posts if certain.trusted and kept.posts else None,
        aside_since=datetime.fromtimestamp(certain.since, UTC) if aside and certain.since else None,
    )


class _Certain(NamedTuple):
    """How much of a segment is what was written.

    Attributes:
        size: Its bytes from the beginning that are.
        rest: What the others are.
        since: When the first line that is not among them arrived, in seconds since 1970; 0 where that is not known.
        trusted: Whether nothing confirms them.
    """

    size: int
    rest: Literal["nothing", "torn", "damaged"] = "nothing"
    since: float = 0.0
    trusted: bool = False


def _certain(path: Path) -> _Certain:
    flushes = check.read(path)
    with os.fdopen(reading.open_regular(path), "rb") as file:
        written = _size_without_zeros(file)
        found = _Certain(0, "damaged") if flushes is None else _checked(file, written, flushes)
    if found.rest == "nothing":
        return found
    # The file carries a sum of its own, which is there only where it was finished, but then proves all of it.
    sound, whole = _reads(path)
    if whole:
        return _Certain(path.stat().st_size)
    if flushes is None and sound:
        return _Certain(written, trusted=True)
    return found


def _checked(file: BinaryIO, written: int, flushes: Iterable[check.Flush]) -> _Certain:
    """What the check of a segment confirms, of which all beyond `written` bytes is zeros."""
    size, end = os.fstat(file.fileno()).st_size, 0
    for flush in flushes:
        # The check is written before its block: a kill between the two leaves an entry for what never came.
        if flush.end > size or zlib.crc32(file.read(flush.end - end)) != flush.crc:
            if flush.end <= written:
                return _Certain(end, "damaged", flush.since)
            return _Certain(end, "torn" if size > end else "nothing", flush.since)
        end = flush.end
    return _Certain(end, "damaged" if written > end else "nothing")


def _reads(path: Path) -> tuple[bool, bool]:
    """Whether a file can be read without a fault, and whether it is whole: its own sum holds, and nothing follows."""
    member = _format(path).decompressor()
    with path.open("rb") as file:
        left = _size_without_zeros(file)
        try:
            while not member.eof and (data := file.read(min(_CHUNK, left))):
                left -= len(data)
                member.decompress(data)
        except DamagedError:
            return False, False
        if member.eof:
            alone = not left and not member.unused_data
            return alone, alone
        with suppress(DamagedError):
            member.decompress(file.read(_ZEROS))
    return True, member.eof


def _keep_aside(path: Path) -> None:
    """Gives a damaged segment a second name, which stays when the first goes to what is certain of it."""
    for aside in asides(path.with_name(path.name.removesuffix(names.PART))):
        if not os.path.lexists(aside):
            try:
                os.link(path, aside)
            except OSError:
                # No links here. Killed before the capture file has its name, its lines are in this file alone.
                path.rename(aside)
            return
        if aside.samefile(path):
            return  # of a salvage that was killed


def _aside_of(target: Path, kept: int) -> tuple[str, int] | None:
    """The damaged segment from which a capture file was made, and its lines beyond those kept; None without one."""
    last: Path | None = None
    for aside in asides(target):
        if not os.path.lexists(aside):
            break
        last = aside
    if last is None or not reading.is_regular(last):
        return None
    lines = sum(text.count(b"\n") for text in _text(last, last.stat().st_size, _LITTLE))
    return last.name, max(0, lines - kept)


class _Kept:
    """Counts what goes over from the segment into the capture file."""

    def __init__(self, classify: Classify) -> None:
        self._classify = classify
        self.posts = self.size = self.torn = 0
        self.first = self.last = b""
        self.digest = hashlib.sha256()

    def complete_lines(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        tail: list[bytes] = []
        for piece in pieces:
            head, newline, rest = piece.rpartition(b"\n")
            if not newline:
                tail.append(piece)
                continue
            # By whole lines, so that the new file ends with one, wherever the old one was cut.
            text = b"".join([*tail, head, newline])
            tail = [rest]
            self.posts += text.count(b"\n")
            self.first = self.first or text.partition(b"\n")[0]
            self.last = text[text.rfind(b"\n", 0, -1) + 1 : -1]
            yield text
        self.torn = sum(map(len, tail))

    def take(self, descriptor: int, data: bytes) -> None:
        write_all(descriptor, data)
        self.digest.update(data)
        self.size += len(data)

    def told(self, file: Path, size: int, sha256: str, lost_after: datetime, aside: tuple[str, int] | None) -> Salvaged:
        return Salvaged(
            file=file.name if self.posts else None,
            posts=self.posts,
            bytes=size if self.posts else 0,
            torn_bytes=self.torn,
            first_id=self._classify(self.first).id or None,
            last_id=self._classify(self.last).id or None,
            sha256=sha256 if self.posts else None,
            lost_after=lost_after,
            aside=aside[0] if aside else None,
            aside_lines=aside[1] if aside else None,
        )


def _text(path: Path, size: int, step: int = _CHUNK) -> Iterator[bytes]:
    """The text in the first `size` bytes of a file, in pieces, up to the `step` bytes of which some cannot be read."""
    with os.fdopen(reading.open_regular(path), "rb") as file:
        steps = (file.read(min(step, size - at)) for at in range(0, size, step))
        yield from Content(steps, _format(path))


def _format(path: Path) -> Format:
    return of_name(path.name.partition(names.DAMAGED)[0]) or GZIP


def _size_without_zeros(file: BinaryIO) -> int:
    """Up to where anything was written: a power cut may leave zeros for what had not reached the disk."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _CHUNK)
        file.seek(start)
        found = len(file.read(end - start).rstrip(b"\0"))
        end = start + found
        if found:
            break
    file.seek(0)
    return end


def _free(path: Path) -> Path:
    """`path`, or the next name that nothing has: a capture file is never replaced."""
    name = names.parse(path.name)
    while name is not None and path.exists():
        name = msgspec.structs.replace(name, number=name.number + 1)
        path = path.with_name(str(name))
    return path
