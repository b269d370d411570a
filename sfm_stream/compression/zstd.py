"""zstd, by Python 3.14's `compression.zstd` or its backport."""

from __future__ import annotations

import sys

from sfm_stream.compression.formats import DamagedError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class ZstdCompressor:
    """See `sfm_stream.compression.formats.Compressor`."""

    def __init__(self, level: int) -> None:
        parameter = zstd.CompressionParameter
        self._frame = zstd.ZstdCompressor(options={parameter.compression_level: level, parameter.checksum_flag: 1})
        self.compress = self._frame.compress

    def flush(self) -> bytes:
        """See `Compressor`."""
        return self._frame.flush(self._frame.FLUSH_BLOCK)

    def finish(self) -> bytes:
        """See `Compressor`."""
        return self._frame.flush(self._frame.FLUSH_FRAME)


class ZstdDecompressor:
    """See `sfm_stream.compression.formats.Decompressor`."""

    def __init__(self) -> None:
        self._frame = zstd.ZstdDecompressor()

    @property
    def eof(self) -> bool:
        """See `Decompressor`."""
        return self._frame.eof

    @property
    def needs_input(self) -> bool:
        """See `Decompressor`."""
        return self._frame.needs_input

    @property
    def unused_data(self) -> bytes:
        """See `Decompressor`."""
        return self._frame.unused_data

    def decompress(self, data: bytes, most: int = -1) -> bytes:
        """See `Decompressor`."""
        try:
            return self._frame.decompress(data, most)
        except zstd.ZstdError as error:
            raise DamagedError(str(error)) from error
