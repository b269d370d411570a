"""A compressor alone: reads a file by the mebibyte, and writes it compressed.

python compressor.py gzip|zlib-ng|zstd LEVEL BYTES INPUT OUTPUT
"""

import sys

kind, level, size, source, target = sys.argv[1:]
if kind == "gzip":
    import zlib

    compressor = zlib.compressobj(int(level), zlib.DEFLATED, 31)
elif kind == "zlib-ng":
    from zlib_ng import zlib_ng

    compressor = zlib_ng.compressobj(int(level), zlib_ng.DEFLATED, 31)
elif sys.version_info >= (3, 14):
    from compression import zstd

    compressor = zstd.ZstdCompressor(int(level))
else:
    from backports import zstd

    compressor = zstd.ZstdCompressor(int(level))
left = int(size)
with open(source, "rb") as reader, open(target, "wb") as writer:
    while left and (block := reader.read(min(left, 1 << 20))):
        writer.write(compressor.compress(block))
        left -= len(block)
    writer.write(compressor.flush())
