"""tweepy with a listener that drops what it gets, compresses it and no more, or writes it as Social Feed Manager's did.

python tweepy_reader.py TOKEN POSTS [FILE [zlib-ng|zstd LEVEL]]
"""

import gzip
import sys

import tweepy

token, posts, *files = sys.argv[1:]


class Dropping(tweepy.StreamingClient):
    """Reads, and counts."""

    seen = 0

    def on_data(self, _):
        """Takes one line."""
        self.count()

    def count(self):
        """Ends when all have come."""
        self.seen += 1
        if self.seen == int(posts):
            self.disconnect()


class Writing(Dropping):
    """Writes each line into a gzip file: level 9, unbuffered, as SFM's listener with gzip.open."""

    output = None

    def on_data(self, data):
        """Takes one line."""
        self.output.write(data + b"\n")
        self.count()


class Compressing(Dropping):
    """Compresses a quarter of a mebibyte at a time: the least that a program can do which keeps posts compressed."""

    def __init__(self, token, output, compressor):
        super().__init__(token, chunk_size=65536)
        self.output, self.compressor = output, compressor
        self.lines, self.size = [], 0

    def on_data(self, data):
        """Takes one line."""
        self.lines.append(data)
        self.size += len(data)
        if self.size >= 1 << 18:
            self.compress()
        self.count()

    def compress(self):
        """Writes what has gathered."""
        self.output.write(self.compressor.compress(b"\n".join([*self.lines, b""])))
        self.lines, self.size = [], 0


if len(files) == 3:
    from compressor import compressor_of

    with open(files[0], "wb") as output:
        client = Compressing(token, output, compressor_of(files[1], int(files[2])))
        client.filter()
        client.compress()
        output.write(client.compressor.flush())
elif files:
    client = Writing(token)
    with gzip.open(files[0], "wb") as client.output:
        client.filter()
else:
    client = Dropping(token, chunk_size=65536)
    client.filter()
if client.seen != int(posts):
    sys.exit(f"only {client.seen} of {posts}")
