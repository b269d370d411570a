"""tweepy with a listener that drops what it gets, or writes it as Social Feed Manager's did.

python tweepy_reader.py TOKEN POSTS [FILE]
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


if files:
    client = Writing(token)
    with gzip.open(files[0], "wb") as client.output:
        client.filter()
else:
    client = Dropping(token, chunk_size=65536)
    client.filter()
if client.seen != int(posts):
    sys.exit(f"only {client.seen} of {posts}")
