"""A compressor alone: reads a file by the mebibyte, and writes it compressed.

python compressor.py gzip|zlib-ng|zstd LEVEL BYTES INPUT OUTPUT
"""

import sys


def compressor_of(kind, level):
    """A new compressor."""
    if kind == "gzip":
        import zlib

        return zlib.compressobj(level, zlib.DEFLATED, 31)
    if kind == "zlib-ng":
        from zlib_ng import zlib_ng

        return zlib_ng.compressobj(level, zlib_ng.DEFLATED, 31)
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdCompressor(level)


def main(kind, level, size, source, target):
    """Compresses so many bytes of a file."""
    compressor, left = compressor_of(kind, int(level)), int(size)
    with open(source, "rb") as reader, open(target, "wb") as writer:
        while left and (block := reader.read(min(left, 1 << 20))):
            writer.write(compressor.compress(block))
            left -= len(block)
        writer.write(compressor.flush())


if __name__ == "__main__":
    main(*sys.argv[1:])
