"""What a credential has consumed, and when that is enough.

The counters lie in ``budget/<credential>.json`` below the state directory. They belong to the credential,
not to the filter: a filter that is renamed or restarted does not begin again. X counts by UTC, and so does this.

Posts are counted by day, so that no clock takes a day or a month away. When the clock is set back, what was counted for
days that then lie ahead counts for the day it is set back to, since nobody can tell which of the two times was wrong;
when the clock comes to those days again, it counts for them again.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Annotated

import msgspec

from sfm_stream import clock
from sfm_stream.durable import replace_file
from sfm_stream.reading import UnreadableError, read_record
from sfm_stream.settings.model import Budget

DURABLE = 30.0
"""Seconds between two saves that wait for the disk."""
WARN_AT = 0.8
"""The share of a budget at which a warning is due."""
DAYS = 70
"""So many days are kept: a month, and the one before it."""

Day = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d(-\d\d)?$")]
"""A day like ``2026-11-24``; or a month like ``2026-11``, for posts of it whose day is not known."""
Count = Annotated[int, msgspec.Meta(ge=0)]


class Spent(msgspec.Struct, kw_only=True):
    """Posts consumed by one credential.

    Attributes:
        days: How many on each day; the last of them is the day that is counted.
        ahead: The same of days that lie ahead of a clock that was set back, each with the day for which they count now.
        held_until: Until when the burst breaker keeps the stream stopped.
        held_for: Why.
        unknown_until: Until when the stream is stopped since nobody knows what was spent.
        unknown_for: Why, and what to do.
        segment: The file that posts went into last.
        of_segment: How many of that file's posts are counted here.
    """

    days: dict[Day, Count] = {}
    ahead: dict[Day, tuple[Count, Day]] = {}
    held_until: clock.Time | None = None
    held_for: str = ""
    unknown_until: clock.Time | None = None
    unknown_for: str = ""
    segment: str = ""
    of_segment: Count = 0

    def __post_init__(self) -> None:
        clock.check(self.held_until, self.unknown_until)

    @property
    def day(self) -> str:
        """The day that is counted."""
        return max((day for day in self.days if len(day) == 10), default="")

    @property
    def today(self) -> int:
        """Posts in that day."""
        return self.days.get(self.day, 0)

    @property
    def this_month(self) -> int:
        """Posts in its month."""
        month = self.day[:7]
        return sum(posts for day, posts in self.days.items() if day[:7] == month)


class _Before(msgspec.Struct, kw_only=True):
    """The counters as the first release kept them."""

    day: Day
    today: Count
    month: Day
    this_month: Count
    segment: str = ""
    of_segment: Count = 0


class Hold(msgspec.Struct, frozen=True):
    """A budget is spent: no post may be taken before `until`."""

    reason: str
    until: datetime


class Meter:
    """Counts the posts of one credential against its budget. Not for use from several threads at once.

    Attributes:
        path: Where they lie.
        spent: The counters.
        lost: Why they have to be counted again; None where they were read.

    Raises:
        OSError: From `save`.
    """

    def __init__(self, path: Path, budget: Budget) -> None:
        self.path = path
        self._budget = budget
        self._minute: deque[tuple[float, int]] = deque()
        self._in_minute = 0
        self._durable_due = 0.0
        self._warned: set[str] = set()
        self.spent, self.lost = _read(path)

    def add(self, posts: int, time: datetime) -> None:
        """Counts posts that arrived at about `time`."""
        self._turn(time)
        self.spent.days[self.spent.day] += posts
        if self._budget.per_minute is None:
            return
        second = time.timestamp()
        self._minute.append((second, posts))
        self._in_minute += posts
        # What seems to lie ahead was counted before the clock stepped back, and would stay until it has caught up.
        while not second - 60 < self._minute[0][0] <= second:
            self._in_minute -= self._minute.popleft()[1]
        # A rule that suddenly matches half the world is stopped within a minute, not at the end of the day's budget.
        if self._in_minute > self._budget.per_minute:
            self.spent.held_until = clock.end_of_hour(time)
            self.spent.held_for = f"{self._in_minute} posts in a minute, of {self._budget.per_minute} allowed"
            self._minute.clear()
            self._in_minute = 0

    def catch_up(self, segment: str, posts: int, time: datetime) -> None:
        """Counts what a kill kept from being counted: a segment of so many posts, last written at `time`, was left."""
        missed = posts - (self.spent.of_segment if self.spent.segment == segment else 0)
        day = f"{time:%Y-%m-%d}"
        # Counted by the segment's own time: the posts of yesterday's crash are yesterday's money.
        if missed > 0:
            if day > self.spent.day:
                self._turn(time)  # never back to the day of an old segment
            self.spent.days[day] = self.spent.days.get(day, 0) + missed
        self.spent.segment, self.spent.of_segment = segment, posts

    def restore(self, days: dict[str, int], time: datetime, unknown: str = "") -> None:
        """Takes counts that were recounted in place of the lost ones; `unknown` says why they cannot be relied on.

        Then nothing may be taken for the rest of the period of which nobody knows what is left.
        """
        self.spent, self.lost = Spent(days=dict(days)), None
        if unknown and self._budget.per_month is not None:
            self.spent.unknown_until = clock.end_of_month(time)
        elif unknown and self._budget.per_day is not None:
            self.spent.unknown_until = clock.end_of_day(time)
        if self.spent.unknown_until is not None:
            self.spent.unknown_for = (
                f"how many posts were taken before is not known: {unknown}; to go on sooner, write what X's portal "
                f'shows, as {{"days": {{"{time:%Y-%m}": POSTS}}}}, to {self.path}, and restart'
            )
        self._turn(time)

    def hold(self, time: datetime) -> Hold | None:
        """Why and until when no more posts may be taken; None while they may."""
        self._turn(time)
        spent, budget = self.spent, self._budget
        if spent.unknown_until is not None and time < spent.unknown_until:
            return Hold(spent.unknown_for, spent.unknown_until)
        if budget.per_month is not None and spent.this_month >= budget.per_month:
            return Hold(f"{spent.this_month} of {budget.per_month} posts a month", clock.end_of_month(time))
        if budget.per_day is not None and spent.today >= budget.per_day:
            return Hold(f"{spent.today} of {budget.per_day} posts a day", clock.end_of_day(time))
        # An hour at most, whatever is written there: a clock that was wrong when it was set holds no stream for years.
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
            ("a month", self.spent.this_month, self._budget.per_month, self.spent.day[:7]),
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
        # Waiting for the disk each second would cost more than the capture of a quiet stream.
        durable = monotonic() >= self._durable_due
        if durable:
            self._durable_due = monotonic() + DURABLE
        replace_file(self.path, msgspec.json.encode(self.spent), durable=durable)

    def _turn(self, time: datetime) -> None:
        """Begins a new day or month. A clock that stepped back over midnight does not bring back an old one."""
        spent, day = self.spent, f"{time:%Y-%m-%d}"
        tomorrow = f"{time + timedelta(days=1):%Y-%m-%d}"
        if day == spent.day and not spent.ahead:
            return
        # A clock that ran ahead counted into days to come; they count for the real day until theirs has come, so that
        # neither the wrong clock nor its repair makes a budget begin anew.
        for ahead in [each for each in spent.ahead if each <= tomorrow]:
            posts, counted_on = spent.ahead.pop(ahead)
            spent.days[counted_on] = max(0, spent.days.get(counted_on, 0) - posts)
            spent.days[ahead] = spent.days.get(ahead, 0) + posts
        for ahead in [each for each in spent.days if each[:10] > tomorrow]:
            posts = spent.days.pop(ahead)
            spent.ahead[ahead] = (posts, day)
            spent.days[day] = spent.days.get(day, 0) + posts
        if day > spent.day:
            spent.days.setdefault(day, 0)
        # No budget looks back further, and the file is written each second.
        for old in sorted(spent.days)[:-DAYS]:
            del spent.days[old]
        for far in sorted(spent.ahead)[DAYS:]:
            del spent.ahead[far]


def _read(path: Path) -> tuple[Spent, str | None]:
    """The counters in a file, and why they are none where they are not."""
    try:
        spent = read_record(path, Spent)
        if spent is None:
            return Spent(), f"there is no {path}"
        if spent.days:
            return spent, None
        before = read_record(path, _Before)
    except UnreadableError as error:
        return Spent(), str(error)
    if before is None:
        return Spent(), f"there is no {path}"
    days = {before.day: before.today}
    if rest := before.this_month - (before.today if before.day.startswith(before.month) else 0):
        days[before.month] = max(0, rest)
    return Spent(days=days, segment=before.segment, of_segment=before.of_segment), None
