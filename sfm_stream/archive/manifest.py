"""The manifest of a day: which files belong there, and the sha256 that each must have.

It lies beside the hours, ``<program>/<YYYY>/<MM>/<DD>/SHA256SUMS``, and ``sha256sum -c
SHA256SUMS``, run in that directory, reads it::

    9f86d0…0a08  20/twitterfilter-storms-2026-11-24T20-15-00Z.jsonl.gz

An entry is written, and on disk for good, before its file is moved there. So a file
that is not listed came by another way, and one that is listed but not there is either
still waiting to be moved or lost. New entries are appended; what a crash leaves of a
half-written last line is cut off by the next run that writes.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from sfm_stream import reading

NAME = "SHA256SUMS"
LIMIT = 1 << 30
"""Bytes; a day of one file a second has 9 MB."""

_LINE = re.compile(rb"(?P<sha256>[0-9a-f]{64}) [ *](?P<file>[0-9]{2}/[^/\\\0\r\n]+)")
"""An entry never leads out of its day."""


class Manifest(msgspec.Struct, frozen=True):
    """What a manifest says.

    Attributes:
        entries: The sha256 of each file, by its path from the day's directory: ``HH/<file>``.
        faults: Lines that are no entries, or that contradict an earlier one, as they stand.
        length: The bytes up to the end of the last whole line.
        torn: Whether anything follows it: an entry that a crash cut short.
    """

    entries: dict[str, str]
    faults: tuple[str, ...] = ()
    length: int = 0
    torn: bool = False


def entry(sha256: str, file: str) -> str:
    """The line for one file; `file` is its path from the day's directory."""
    return f"{sha256}  {file}\n"


def digest(raw: bytes) -> str:
    """The sha256 of a manifest's bytes, which stands for all that it lists."""
    return hashlib.sha256(raw).hexdigest()


def parse(raw: bytes) -> Manifest:
    """Reads a manifest's bytes."""
    length = raw.rfind(b"\n") + 1
    entries: dict[str, str] = {}
    faults = []
    for line in raw[:length].split(b"\n")[:-1]:
        found = _LINE.fullmatch(line)
        file = found["file"].decode("utf-8", "surrogateescape") if found else ""
        if not found or entries.setdefault(file, found["sha256"].decode()) != found["sha256"].decode():
            faults.append(line.decode("utf-8", "surrogateescape"))
    return Manifest(entries=entries, faults=tuple(faults), length=length, torn=length < len(raw))


def read(path: str) -> Manifest | None:
    """The manifest at `path`; None where there is none.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    raw = read_bytes(path)
    return None if raw is None else parse(raw)


def read_bytes(path: str) -> bytes | None:
    """What stands in the manifest at `path`; None where there is none.

    Raises:
        OSError: As from `read`.
    """
    try:
        return reading.read_small(path, LIMIT)
    except FileNotFoundError:
        return None
