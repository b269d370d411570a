"""One reader over files: their lines in order, in batches, of whatever compression; what is damaged costs itself."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from sfm_stream import reading
from sfm_stream.compression.content import CHUNK, Content
from sfm_stream.export.files import InputFile, Places, opened
from sfm_stream.sources.lenient import loads

_WAIT = 0.5
"""Seconds between two looks at a file that is being written."""


class Batch(NamedTuple):
    """Lines that follow one another in a file.

    Attributes:
        source: The file.
        first: How many lines of the file come before.
        lines: Without their ends; none is empty.
    """

    source: InputFile
    first: int
    lines: list[bytes]


class Reader:
    """Reads files one after the other.

    Args:
        files: What to read.
        places: Where a file is looked for that was moved meanwhile; None where none is.
        report: Gets a line on each file that could not be read, or not to its end.

    Attributes:
        counts: ``files`` and ``lines`` that were read; ``unfinished``, files that stop before their end; ``damaged``,
            files in which bytes are not what was written, or that could not be read; ``torn``, lines cut short.
        idle: Called when a file that is being written has been read as far as it goes; None does not wait for more.
    """

    def __init__(self, files: Iterable[InputFile], places: Places | None, report: Callable[[str], None]) -> None:
        self._files, self._places, self._report = files, places, report
        self.counts: Counter[str] = Counter()
        self.idle: Callable[[], None] | None = None

    def batches(self) -> Iterator[Batch]:
        """All lines."""
        for each in self._files:
            self.counts["files"] += 1
            try:
                descriptor, path = opened(each, self._places)
                with os.fdopen(descriptor, "rb", buffering=CHUNK) as file:
                    yield from self._of(each, Content(self._pieces(file.fileno(), path)), path)
            except OSError as error:
                self.counts["damaged"] += 1
                self._report(f"{each.path}: cannot be read: {error.strerror}")

    def _of(self, each: InputFile, content: Content, path: str) -> Iterator[Batch]:
        number, tail = 0, b""
        for piece in content:
            if b"\n" not in piece:
                tail += piece
                continue
            *whole, rest = (tail + piece if tail else piece).split(b"\n")
            tail = rest
            if lines := [line for line in whole if line and not line.isspace()]:
                yield Batch(each, number, lines)
                number += len(lines)
        if tail.strip():
            if content.ending == "whole" and not each.live:
                yield Batch(each, number, [tail])
                number += 1
            elif not each.live:
                self.counts["torn"] += 1
        self.counts["lines"] += number
        if content.ending == "damaged":
            self.counts["damaged"] += 1
            self._report(f"{path}: is damaged: what comes after its {number:,} readable lines is missing here")
        elif content.ending == "torn" and not each.live:
            self.counts["unfinished"] += 1
            self._report(f"{path}: stops before its end, after {number:,} whole lines")

    def _pieces(self, descriptor: int, path: str) -> Iterator[bytes]:
        while True:
            if piece := os.read(descriptor, CHUNK >> 3):
                yield piece
            elif self.idle is None or not path.endswith(".part"):
                return
            else:
                self.idle()
                there = reading.is_at(path, descriptor)
                time.sleep(_WAIT if there else 0)
                if not there:  # finished, and no more will come
                    while piece := os.read(descriptor, CHUNK >> 3):
                        yield piece
                    return


_DECODE = msgspec.json.Decoder().decode
_ENCODE = msgspec.json.Encoder().encode
_NUL = b"\\u0000"


def strict(line: bytes) -> bytes | None:
    """A line as JSON that every reader takes; the line itself where it is that already.

    Half surrogates, NUL and bytes that are no UTF-8 become U+FFFD; NaN and numbers out of range null.

    Returns:
        None where it is no JSON.
    """
    if _NUL not in line:
        try:
            _DECODE(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return line.strip()
    try:
        return _ENCODE(loads(line))
    except (ValueError, RecursionError):
        return None
