"""The clock of the simulated X: makes posts, or replays recorded ones, and offers them to the open connections."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Protocol

import msgspec

from sfm_stream.sources.x.rules.trial import lines
from sfm_stream.sources.x.simulator.generator import Draft, Generator
from sfm_stream.sources.x.simulator.ids import Ids
from sfm_stream.sources.x.simulator.texts import Json

TICK = 0.02
"""Seconds between two offers at high rates."""

BACKFILL_SECONDS = 300
_RECENT = 200_000


class Item(msgspec.Struct, frozen=True):
    """A post on its way.

    Attributes:
        id: Its id.
        made: When, in seconds since 1970.
        draft: What it is; of a recorded post, only what rules see.
        raw: A recorded post's bytes, to be sent exactly so.
    """

    id: str
    made: float
    draft: Draft
    raw: bytes | None = None


class Taker(Protocol):
    """A reader of posts."""

    def offer(self, items: Iterable[Item]) -> None:
        """Takes what it wants of the posts."""


class Firehose:
    """Makes `rate` posts a second while anyone listens, and remembers the last ones where backfill is allowed."""

    def __init__(self, rate: float, seed: int, *, remember: bool) -> None:
        self._rate = rate
        self._generator = Generator(seed)
        self._ids = Ids()
        self._remember = remember
        self._recent: deque[Item] = deque(maxlen=_RECENT)
        self.takers: set[Taker] = set()
        self.made = 0

    @property
    def users(self) -> list[Json]:
        """Everybody who posts."""
        return self._generator.users

    def recent(self, seconds: float) -> list[Item]:
        """The posts of the last seconds."""
        since = time.time() - seconds
        return [item for item in self._recent if item.made >= since]

    async def run(self) -> None:
        """Ticks for ever."""
        async for count in ticks(self._rate):
            if not self.takers and not self._remember:
                continue
            now = time.time()
            items = [Item(str(self._ids.next(now)), now, self._generator.next()) for _ in range(count)]
            self.made += count
            if self._remember:
                self._recent.extend(items)
                while self._recent and self._recent[0].made < now - BACKFILL_SECONDS:
                    self._recent.popleft()
            for taker in tuple(self.takers):
                taker.offer(items)


class RecordedPosts:
    """Recorded posts, for one app and endpoint: each once, or over and over, going on where it stopped.

    Unlike the firehose it waits while nobody listens, so that a test knows what must arrive.
    """

    def __init__(self, items: list[Item], rate: float, *, loop: bool) -> None:
        self._items = items
        self._rate = rate
        self._loop = loop
        self._position = 0

    async def run(self, taker: Taker) -> None:
        """Offers what is left; returns at the end unless it loops."""
        async for count in ticks(self._rate):
            if self._position >= len(self._items):
                if not self._loop or not self._items:
                    return
                self._position = 0
            items = self._items[self._position : self._position + count]
            self._position += len(items)
            taker.offer(items)


class Delivery:
    """While it is entered, a connection is given posts: the firehose's, or those of a replay."""

    def __init__(self, firehose: Firehose, taker: Taker, replay: RecordedPosts | None) -> None:
        self._firehose, self._taker, self._replay = firehose, taker, replay
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        if self._replay is None:
            self._firehose.takers.add(self._taker)
        else:
            self._task = asyncio.create_task(self._replay.run(self._taker))

    def __exit__(self, *_: object) -> None:
        self._firehose.takers.discard(self._taker)
        if self._task is not None:
            self._task.cancel()


async def ticks(rate: float) -> AsyncIterator[int]:
    """At each tick the number of posts that are due, so that the rate holds over time."""
    pause = max(TICK, 1 / rate)
    start, given = time.monotonic(), 0
    while True:
        await asyncio.sleep(pause)
        due = int((time.monotonic() - start) * rate + 1e-6) - given
        if due > rate:
            # The process was stopped for a while; the posts of that time are not made up for.
            given += due - int(max(rate * pause, 1))
            due = int(max(rate * pause, 1))
        if due > 0:
            given += due
            yield due


def read_recorded(source: Iterable[bytes]) -> list[Item]:
    """Recorded posts, one a line, plain or compressed.

    Raises:
        ValueError: A line is not a post; the message gives its number among those that are not blank.
    """
    items = []
    for number, line in enumerate(lines(source), 1):
        raw = line.rstrip(b"\r")
        try:
            envelope = msgspec.json.decode(raw)
            post_id = envelope["data"]["id"]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"post {number} is none as X streams them: {error}") from error
        items.append(Item(post_id, 0.0, Draft(envelope), raw))
    return items
