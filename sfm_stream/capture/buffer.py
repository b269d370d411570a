"""The bounded buffer between the thread that reads the socket and the one that writes to the disk.

A disk that is slow for a while must not stall the reader, whom X would cut off. When the buffer is full,
what arrives is dropped and counted, and the writer journals how much.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from sfm_stream.capture.segment import Line

LIMIT = 64 << 20
"""Bytes held at most: more than a minute at X's cap of 250 posts a second."""
CROWDED = 2 << 20
"""Bytes with which the reader waits for a writer that is at work; the system holds back what comes meanwhile."""
STALLED = 0.5
"""Seconds after which a writer that takes nothing is taken to wait for the disk."""


class Overflow(msgspec.Struct, frozen=True, kw_only=True):
    """What was dropped since it was last asked."""

    posts: int
    bytes: int
    first_time: datetime
    last_time: datetime


class Buffer:
    """Lines in the order of their arrival.

    Args:
        wake: Called by `put` when the buffer was empty; must be quick, and callable from any thread.
        limit: Bytes to hold at most.
    """

    def __init__(self, wake: Callable[[], None], limit: int = LIMIT) -> None:
        self.high_water = 0
        """The most bytes that it ever held."""
        self._wake = wake
        self._limit = limit
        self._lines: deque[Line] = deque()
        self._size = 0
        self._dropped: Overflow | None = None
        self._taken = 0.0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    @property
    def oldest(self) -> float | None:
        """When the line arrived that has waited longest, in seconds since 1970; None where none waits."""
        with self._lock:
            return self._lines[0].time if self._lines else None

    @property
    def count(self) -> int:
        """Lines held, and lines dropped that `overflow` has not told yet."""
        with self._lock:
            return len(self._lines) + (self._dropped.posts if self._dropped else 0)

    def has_room(self, lines: Sequence[Line]) -> bool:
        """Whether all of them can be put, and none is dropped."""
        return not self._lines or self._size + _size(lines) <= self._limit

    @property
    def crowded(self) -> bool:
        """Whether a writer that has the disk's attention, and only lacks time, should catch up first.

        A reader that goes on would not make it faster, and fill the memory. Where the disk is slow it must go on.
        """
        return self._size > CROWDED and time.monotonic() - self._taken < STALLED

    def put(self, lines: Sequence[Line]) -> None:
        """Adds lines that came together, of which there is at least one; drops those that do not fit."""
        with self._lock:
            first, size = not self._lines, self._size + _size(lines)
            if size <= self._limit:
                self._lines.extend(lines)
                self._size = size
            else:
                for line in lines:
                    self._put_or_drop(line)
            self.high_water = max(self.high_water, self._size)
        if first:
            self._wake()

    def take(self, most: int) -> list[Line]:
        """Takes lines out, oldest first: at least one where there are any, and no more than about `most` bytes."""
        taken: list[Line] = []
        size = 0
        with self._lock:
            while self._lines and size < most:
                line = self._lines.popleft()
                size += len(line.raw)
                taken.append(line)
            self._size -= size
        if taken:
            self._taken = time.monotonic()
        return taken

    def overflow(self) -> Overflow | None:
        """What was dropped since the last call; None where nothing was."""
        with self._lock:
            dropped, self._dropped = self._dropped, None
        return dropped

    def _put_or_drop(self, line: Line) -> None:
        size = self._size + len(line.raw)
        if size <= self._limit or not self._lines:
            self._lines.append(line)
            self._size = size
        else:
            self._drop(line)

    def _drop(self, line: Line) -> None:
        """Counts only: were each noted, a writer that is stuck for hours would fill the memory all the same."""
        time, before = datetime.fromtimestamp(line.time, UTC), self._dropped
        self._dropped = Overflow(
            posts=(before.posts if before else 0) + 1,
            bytes=(before.bytes if before else 0) + len(line.raw),
            first_time=before.first_time if before else time,
            last_time=time,
        )


def _size(lines: Sequence[Line]) -> int:
    return sum([len(line.raw) for line in lines])
