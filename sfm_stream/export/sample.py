"""A sample that is the same each time: the posts whose ids have the smallest hashes."""

from __future__ import annotations

import hashlib
import heapq


def number(identity: bytes) -> int:
    """Where a post stands in the order by which samples are drawn: 64 bits, as good as random."""
    return int.from_bytes(hashlib.blake2b(identity, digest_size=8).digest())


class PostSample:
    """Draws `size` of the things that it is shown; each has the same chance."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._largest_first: list[int] = []

    def show(self, identity: bytes) -> None:
        """One more thing to draw from."""
        value = -number(identity)
        if len(self._largest_first) < self._size:
            heapq.heappush(self._largest_first, value)
        elif value > self._largest_first[0]:
            heapq.heapreplace(self._largest_first, value)

    @property
    def limit(self) -> int:
        """The largest number that is drawn; -1 where there is nothing."""
        return -self._largest_first[0] if self._largest_first else -1
