"""The body of an HTTP answer, taken out of its codings piece by piece as it arrives.

Written for bytes of any kind: nothing here needs more memory than the pieces it is given and `STEP`, and all that came
before a break, or before what is not HTTP, has been yielded when the error is raised. (urllib3 loses the chunk that a
break cuts, and takes chunks of a negative size.) Pure.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

STEP = 1 << 20
"""Bytes that compressed data may expand to at a time."""
_HEAD_LIMIT = 4096
"""Bytes of a chunk's size and extensions; no server needs more than a few."""
_CHUNK_HEAD = re.compile(rb"(?:\r?\n)?([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
"""The end of the chunk before it, if there is one, and the size."""
_ANY_ZLIB = 47
"""Window bits: 15, and 32 to tell gzip from zlib by their heads."""


class BodyError(Exception):
    """The body is not as HTTP has it, or ended before its end."""


def unchunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Undoes the chunked transfer coding, up to the last chunk; trailers are not read.

    Raises:
        BodyError: After the content before it: a size that is none, or an end before the last chunk.
    """
    rest, left = b"", 0
    for piece in pieces:
        data, at = rest + piece, 0
        content = []
        fault = last = False
        while True:
            if left:
                part = data[at : at + left]
                content.append(part)
                at += len(part)
                left -= len(part)
            if left or at == len(data):
                rest = b""
                break
            head = _CHUNK_HEAD.match(data, at)
            if head is None:
                rest = data[at:]
                fault = b"\n" in rest.removeprefix(b"\r").removeprefix(b"\n") or len(rest) > _HEAD_LIMIT
                break
            at, left = head.end(), int(head[1], 16)
            if last := not left:
                break
        if content:
            yield b"".join(content)
        if fault:
            raise BodyError("what stands where the size of a chunk should is none")
        if last:
            return
    raise BodyError("the connection ended within the answer")


def inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Undoes gzip or deflate, no more than `STEP` bytes at a time however far it expands.

    Raises:
        BodyError: The compression is damaged.
    """
    inflate = zlib.decompressobj(_ANY_ZLIB)
    for piece in pieces:
        data = piece
        while True:
            try:
                text = inflate.decompress(data, STEP)
            except zlib.error as error:
                raise BodyError(f"the compression is damaged: {error}") from None
            if text:
                yield text
            data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            if inflate.eof:
                inflate = zlib.decompressobj(_ANY_ZLIB)
            if not data and len(text) < STEP:
                break
