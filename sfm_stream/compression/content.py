"""The text of a file, compressed or not, whole or torn, in pieces: a file of any size takes little memory.

Read a file as::

    with opened(path) as content:
        for line in content.lines():
            ...
    if content.ending != "whole" or content.rest:
        ...
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sfm_stream import reading
from sfm_stream.compression.formats import DamagedError, Format, of_head, of_name

Ending = Literal["whole", "torn", "damaged"]

CHUNK = 1 << 18
"""Bytes that are read from a file at a time, and the most text in one piece, however far it expands."""
_STEP = 1 << 12
"""Bytes to decompress at a time: where some are damaged, the text of no more than these is lost before them."""
_MAGIC = 4
"""Bytes that tell the format."""


class Content:
    """What is in a file, which may be plain text, gzip or zstd, of one or several members or frames.

    Iterate once over it, for its text in pieces, or over its `lines`. Of a torn or damaged file, that is all that can
    be read.

    Args:
        pieces: The file's bytes, cut anywhere.
        kind: Its format where its first bytes tell none; None for plain text.

    Attributes:
        format: The format; told by the first bytes.
        rest: What followed the end of the last of the `lines`: the beginning of one that was torn, mostly.
        ending: ``whole``; ``torn``, where it stops before its end, as a file does that is being written, or that a
            crash has left; ``damaged``, where bytes are not those that were written. None while it is not read.
    """

    def __init__(self, pieces: Iterable[bytes], kind: Format | None = None) -> None:
        self.format = kind
        self.rest = b""
        self.ending: Ending | None = None
        self._pieces = iter(pieces)

    def __iter__(self) -> Iterator[bytes]:
        head = b""
        while len(head) < _MAGIC and (piece := next(self._pieces, None)) is not None:
            head += piece
        self.format = of_head(head) or self.format
        if self.format is None:
            if head:
                yield head
            yield from self._pieces
            self.ending = "whole"
        else:
            try:
                yield from self._text(self.format, head)
            except DamagedError:
                self.ending = "damaged"

    def lines(self) -> Iterator[bytes]:
        r"""The lines that end in ``\n``, without that; empty ones as well."""
        tail: list[bytes] = []
        for piece in self:
            first, *others = piece.split(b"\n")
            tail.append(first)
            if others:
                yield b"".join(tail)
                tail = [others.pop()]
                yield from others
        self.rest = b"".join(tail)

    def _text(self, kind: Format, data: bytes) -> Iterator[bytes]:
        member = kind.decompressor()
        while True:
            if text := member.decompress(data, CHUNK):
                yield text
            data = b""
            if member.eof:
                data, member = member.unused_data.lstrip(b"\0"), kind.decompressor()
                while not data:  # zeros may follow, which fill the last block of a tape or of a disk
                    if (piece := next(self._pieces, None)) is None:
                        self.ending = "whole"
                        return
                    data = piece.lstrip(b"\0")
            elif member.needs_input:
                if (piece := next(self._pieces, None)) is None:
                    self.ending = "torn"
                    return
                data = piece


@contextmanager
def opened(path: Path | str) -> Iterator[Content]:
    """The content of the file at `path`; where its first bytes tell no format, its name does.

    Raises:
        OSError: It cannot be opened, also while reading; or it is no regular file.
    """
    with os.fdopen(reading.open_regular(path), "rb", buffering=CHUNK) as file:
        yield Content(iter(lambda: file.read(_STEP), b""), of_name(str(path)))
