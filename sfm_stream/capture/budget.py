"""What a credential has consumed, and when that is enough.

The counters lie in ``budget/<credential>.json`` below the state directory. They belong to the credential,
not to the filter: a filter that is renamed or restarted does not begin again. X counts by UTC, and so does this.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import msgspec

from sfm_stream import clock
from sfm_stream.durable import replace_file
from sfm_stream.reading import UnreadableError, read_record
from sfm_stream.settings.model import Budget

DURABLE = 30.0
"""Seconds between two saves that wait for the disk."""
WARN_AT = 0.8
"""The share of a budget at which a warning is due."""


class Spent(msgspec.Struct, kw_only=True):
    """Posts consumed by one credential.

    Attributes:
        day: The day counted, like ``2026-11-24``.
        today: Posts in that day.
        month: The month counted, like ``2026-11``.
        this_month: Posts in that month.
        held_until: Until when the burst breaker keeps the stream stopped.
        held_for: Why.
        segment: The file that posts went into last.
        of_segment: How many of that file's posts are counted here.
    """

    day: str = ""
    today: int = 0
    month: str = ""
    this_month: int = 0
    held_until: clock.Time | None = None
    held_for: str = ""
    segment: str = ""
    of_segment: int = 0


class Hold(msgspec.Struct, frozen=True):
    """A budget is spent: no post may be taken before `until`."""

    reason: str
    until: datetime


class Meter:
    """Counts the posts of one credential against its budget. Not for use from several threads at once.

    Raises:
        OSError: From `save`.
    """

    def __init__(self, path: Path, budget: Budget) -> None:
        self._path = path
        self._budget = budget
        self._minute: deque[tuple[float, int]] = deque()
        self._in_minute = 0
        self._durable_due = 0.0
        self._warned: set[str] = set()
        try:
            self.spent = read_record(path, Spent) or Spent()
        except UnreadableError:
            self.spent = Spent()

    def add(self, posts: int, time: datetime) -> None:
        """Counts posts that arrived at about `time`."""
        self._turn(time)
        self.spent.today += posts
        self.spent.this_month += posts
        if self._budget.per_minute is None:
            return
        second = time.timestamp()
        self._minute.append((second, posts))
        self._in_minute += posts
        # What seems to lie ahead was counted before the clock stepped back, and would stay until it has caught up.
        while not second - 60 < self._minute[0][0] <= second:
            self._in_minute -= self._minute.popleft()[1]
        if self._in_minute > self._budget.per_minute:
            self.spent.held_until = clock.end_of_hour(time)
            self.spent.held_for = f"{self._in_minute} posts in a minute, of {self._budget.per_minute} allowed"
            self._minute.clear()
            self._in_minute = 0

    def catch_up(self, segment: str, posts: int, time: datetime) -> None:
        """Counts what a kill kept from being counted: a segment of so many posts, last written at `time`, was left."""
        missed = posts - (self.spent.of_segment if self.spent.segment == segment else 0)
        if missed > 0:
            if f"{time:%Y-%m-%d}" > self.spent.day:
                self._turn(time)  # never back to the day of an old segment
            if self.spent.day == f"{time:%Y-%m-%d}":
                self.spent.today += missed
            if self.spent.month == f"{time:%Y-%m}":
                self.spent.this_month += missed
        self.spent.segment, self.spent.of_segment = segment, posts

    def hold(self, time: datetime) -> Hold | None:
        """Why and until when no more posts may be taken; None while they may."""
        self._turn(time)
        spent, budget = self.spent, self._budget
        if budget.per_month is not None and spent.this_month >= budget.per_month:
            return Hold(f"{spent.this_month} of {budget.per_month} posts a month", clock.end_of_month(time))
        if budget.per_day is not None and spent.today >= budget.per_day:
            return Hold(f"{spent.today} of {budget.per_day} posts a day", clock.end_of_day(time))
        until = spent.held_until
        if until is not None and time < until < time + timedelta(hours=2) and budget.per_minute is not None:
            return Hold(spent.held_for, until)
        return None

    def left(self, time: datetime) -> int | None:
        """Posts that may still be taken now; None for any number."""
        self._turn(time)
        limits = [
            (self._budget.per_day, self.spent.today),
            (self._budget.per_month, self.spent.this_month),
        ]
        return min((max(0, limit - spent) for limit, spent in limits if limit is not None), default=None)

    def warning(self) -> str | None:
        """What has passed 80 % of its budget; each day and month says so once."""
        for name, spent, limit, period in (
            ("a day", self.spent.today, self._budget.per_day, self.spent.day),
            ("a month", self.spent.this_month, self._budget.per_month, self.spent.month),
        ):
            if limit is not None and spent >= limit * WARN_AT and period not in self._warned:
                self._warned.add(period)
                return f"{spent} of {limit} posts {name} are consumed ({spent / limit:.0%})"
        return None

    @property
    def dollars_this_month(self) -> float:
        """What the posts of the month cost at the configured price."""
        return round(self.spent.this_month * self._budget.price, 2)

    def save(self) -> None:
        """Keeps the counters through a crash of the program; a power cut may bring back those of half a minute ago."""
        durable = monotonic() >= self._durable_due
        if durable:
            self._durable_due = monotonic() + DURABLE
        replace_file(self._path, msgspec.json.encode(self.spent), durable=durable)

    def _turn(self, time: datetime) -> None:
        """Begins a new day or month. A clock that stepped back does not bring back an old one.

        A day that lies further ahead was never here: a clock was wrong, and what it counted belongs to today.
        """
        day, month = f"{time:%Y-%m-%d}", f"{time:%Y-%m}"
        if self.spent.day > f"{time + timedelta(days=1):%Y-%m-%d}":
            self.spent.day, self.spent.month = day, month
        if day > self.spent.day:
            self.spent.day, self.spent.today = day, 0
        if month > self.spent.month:
            self.spent.month, self.spent.this_month = month, 0
