"""Times as the journal, the status and the tables show them: UTC, to the millisecond."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time in a record: one without a zone is damage."""
STEP = 5.0
"""Seconds; a clock that is only adjusted changes by less between two looks."""


def now() -> datetime:
    """The present time in UTC; milliseconds, since no more is meant."""
    return milliseconds(datetime.now(UTC))


def at(seconds: float) -> datetime:
    """A time given in seconds since 1970, as `now` gives the present one."""
    return milliseconds(datetime.fromtimestamp(seconds, UTC))


def milliseconds(time: datetime) -> datetime:
    """`time` without what is below a millisecond."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def text(time: datetime) -> str:
    """``2026-11-24T20:13:00.123Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(value: str) -> datetime:
    """Reads what `text` writes, and any other ISO 8601 time.

    Raises:
        ValueError: It is no such time.
    """
    time = datetime.fromisoformat(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class Steps:
    """Notices that the clock was set: it then differs from the time that has passed."""

    def __init__(self) -> None:
        self._ahead = _ahead()

    def take(self) -> float:
        """By how many seconds it was set since the last call, ahead or (negative) back; 0 for less than `STEP`."""
        before, self._ahead = self._ahead, _ahead()
        change = self._ahead - before
        return change if abs(change) >= STEP else 0.0


def _ahead() -> float:
    return time.time() - time.monotonic()


def check(*times: datetime | None) -> None:
    """Refuses times that no clock of ours showed, with which arithmetic would fail.

    Raises:
        ValueError: One lies before 1970, or as good as at the end of the calendar.
    """
    for each in times:
        if each is not None and not 1970 <= each.year <= 9990:
            raise ValueError(f"{each.isoformat()} is no time of a record")


def end_of_hour(time: datetime) -> datetime:
    """The next full hour."""
    return time.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def end_of_day(time: datetime) -> datetime:
    """The next midnight."""
    return time.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def end_of_month(time: datetime) -> datetime:
    """The midnight with which the next month begins."""
    return end_of_day(time.replace(day=28) + timedelta(days=4)).replace(day=1)
