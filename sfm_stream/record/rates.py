"""How many posts a program gets: by minute over the last hour, and by hour over the last four weeks.

``rates/<program>.json`` below the state directory; the capture replaces it once a minute. From it comes what is usual
for a stream at this hour of the week, by which one that gets nothing is told from one that never gets much.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import msgspec

from sfm_stream import reading
from sfm_stream.durable import replace_file

WEEKS = 4
MINUTES = 60
SAVE = 60.0
"""Seconds between two saves."""
ENOUGH = 900.0
"""Seconds of connection in an hour, from which on it tells what is usual."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Connected = Annotated[float, msgspec.Meta(ge=0, le=7200)]


class Rates(msgspec.Struct, kw_only=True):
    """What a program got.

    Attributes:
        minutes: Posts in each of the last minutes (``2026-11-24T20:13``) in which there were any.
        hours: Of each of the last hours (``2026-11-24T20``) its posts, and for how many seconds there was a connection.
    """

    minutes: dict[str, Count] = {}
    hours: dict[str, tuple[Count, Connected]] = {}


class Usual(NamedTuple):
    """What a stream gets at this hour.

    Attributes:
        rate: Posts a minute: the median.
        low: What they are in a weak hour: a quarter of those compared were weaker.
        basis: Which hours were compared.
    """

    rate: float
    low: float
    basis: str


class Counter:
    """Counts what one program gets. Not for use from several threads at once."""

    def __init__(self, state_dir: Path, program: str) -> None:
        self._path = _path(state_dir, program)
        try:
            self.rates = read(state_dir, program) or Rates()
        except reading.UnreadableError:
            self.rates = Rates()
        self._looked = time.monotonic()
        self._due = self._looked + SAVE

    def add(self, posts: int, now: datetime) -> None:
        """Counts posts that have just arrived."""
        minute, hour = _minute(now), _hour(now)
        self.rates.minutes[minute] = self.rates.minutes.get(minute, 0) + posts
        before, seconds = self.rates.hours.get(hour, (0, 0.0))
        self.rates.hours[hour] = before + posts, seconds

    def tick(self, now: datetime, *, connected: bool) -> None:
        """Counts the time with a connection since the last call; to be called about once a second.

        Raises:
            OSError: The disk is full, or fails.
        """
        looked, self._looked = self._looked, time.monotonic()
        if connected:
            hour = _hour(now)
            posts, seconds = self.rates.hours.get(hour, (0, 0.0))
            self.rates.hours[hour] = posts, min(3600.0, seconds + self._looked - looked)
        if self._looked >= self._due:
            self.save(now)

    def save(self, now: datetime) -> None:
        """Replaces the file, without what is too old, or lies ahead of a clock that was set back.

        Raises:
            OSError: The disk is full, or fails.
        """
        self._due = time.monotonic() + SAVE
        first, last = _minute(now - timedelta(minutes=MINUTES + 1)), _minute(now)
        self.rates.minutes = {each: count for each, count in self.rates.minutes.items() if first <= each <= last}
        first, last = _hour(now - timedelta(weeks=WEEKS, hours=1)), _hour(now)
        self.rates.hours = {
            each: (posts, round(seconds, 1))
            for each, (posts, seconds) in self.rates.hours.items()
            if first <= each <= last
        }
        replace_file(self._path, msgspec.json.encode(self.rates), durable=False)


def read(state_dir: Path, program: str) -> Rates | None:
    """What a program got; None where no record of it is kept.

    Raises:
        UnreadableError: There is one that cannot be read.
    """
    return reading.read_record(_path(state_dir, program), Rates)


def recent(rates: Rates, now: datetime, minutes: int) -> int:
    """Posts in the last whole minutes."""
    return sum(rates.minutes.get(_minute(now - timedelta(minutes=back)), 0) for back in range(1, minutes + 1))


def usual(rates: Rates, now: datetime) -> Usual | None:
    """What is usual at this hour; None where not even yesterday's is known.

    Compared are the same hour of the last weeks, or until two of them are known, the same hour of the last days.
    """
    weeks = [now - timedelta(weeks=back) for back in range(1, WEEKS + 1)]
    days = [now - timedelta(days=back) for back in range(1, 7 * WEEKS)]
    for times, basis, least in ((weeks, "hour of the week", 2), (days, "hour of the day", 1)):
        same = _rates(rates, times)
        if len(same) >= least:
            around = sorted(_rates(rates, [each + timedelta(hours=by) for each in times for by in (-1, 0, 1)]))
            return Usual(median(same), around[len(around) // 4], basis)
    return None


def _rates(rates: Rates, times: list[datetime]) -> list[float]:
    """Posts a minute in the hours of these times, as far as there was a connection for long enough."""
    found = [rates.hours.get(_hour(each), (0, 0.0)) for each in times]
    return [posts * 60 / seconds for posts, seconds in found if seconds >= ENOUGH]


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M}"


def _hour(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H}"


def _path(state_dir: Path, program: str) -> Path:
    return state_dir / "rates" / f"{program}.json"
