"""Which formats capture files have, and what compresses and decompresses each.

A compressor's `flush` ends a block: all that was given to it until then can be read back, though the rest be lost.
Both formats carry a sum of their text at their end, which reading compares.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

Name = Literal["gzip", "zstd"]


class DamagedError(Exception):
    """The bytes are not of the format, or do not have the sum that they say."""


class Compressor(Protocol):
    """Makes one gzip member or zstd frame."""

    def compress(self, text: bytes, /) -> bytes:
        """Takes text; returns what of the output is ready, often nothing."""

    def flush(self) -> bytes:
        """Ends a block; returns the rest of what the text so far is read back from."""

    def finish(self) -> bytes:
        """Ends the whole; returns its rest, with the sum."""


class Decompressor(Protocol):
    """Reads one gzip member or zstd frame, however its bytes are cut into pieces."""

    @property
    def eof(self) -> bool:
        """Whether it was read to its end, and its sum is right."""

    @property
    def needs_input(self) -> bool:
        """Whether there is no more text without more bytes."""

    @property
    def unused_data(self) -> bytes:
        """What was given to it beyond its end."""

    def decompress(self, data: bytes, most: int = -1) -> bytes:
        """Takes bytes, and returns the text that they go on with: `most` bytes of it, where that is not negative.

        Raises:
            DamagedError: They are not of the format, or the sum is another.
        """


class Format(NamedTuple):
    """A format of capture files.

    Attributes:
        name: As in the settings.
        suffix: Ends a file's name.
        magic: Begins a file.
        level: Of the compressor: from 1, which is fast, to 9, for the smallest files.
    """

    name: Name
    suffix: str
    magic: bytes
    level: int

    def at(self, level: int | None) -> Format:
        """The format with this level; with its usual one where that is None."""
        return self if level is None else self._replace(level=level)

    def compressor(self) -> Compressor:
        """A new compressor."""
        if self.name == "gzip":
            from sfm_stream.compression.gzip import GzipCompressor

            return GzipCompressor(self.level)
        from sfm_stream.compression.zstd import ZstdCompressor

        return ZstdCompressor(self.level)

    def decompressor(self) -> Decompressor:
        """A new decompressor."""
        if self.name == "gzip":
            from sfm_stream.compression.gzip import GzipDecompressor

            return GzipDecompressor()
        from sfm_stream.compression.zstd import ZstdDecompressor

        return ZstdDecompressor()


GZIP = Format("gzip", ".gz", b"\x1f\x8b", 6)
"""zlib-ng's level 6 takes less than half the CPU of gzip -6, for files that are 3 to 5 % larger."""
ZSTD = Format("zstd", ".zst", b"\x28\xb5\x2f\xfd", 3)
"""Level 9 takes seven times the CPU of 3 and 12 MB, for files that are 10 % smaller; levels beyond do little more."""
FORMATS = (GZIP, ZSTD)
BY_NAME: dict[str, Format] = {each.name: each for each in FORMATS}


def of_name(name: str) -> Format | None:
    """The format that the name of a capture file or a segment says; None where it says none."""
    return next((each for each in FORMATS if name.removesuffix(".part").endswith(each.suffix)), None)


def of_head(head: bytes) -> Format | None:
    """The format of a file by its first four bytes; None where it is not compressed."""
    return next((each for each in FORMATS if head.startswith(each.magic)), None)
