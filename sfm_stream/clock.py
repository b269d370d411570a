"""Times as the journal, the status and the tables show them: UTC, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time in a record: one without a zone is damage."""


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


def check(*times: datetime | None) -> None:
    """Refuses times that no clock of ours showed, with which arithmetic would fail.

    Raises:
        ValueError: One lies before 1970, or as good as at the end of the calendar.
    """
    for time in times:
        if time is not None and not 1970 <= time.year <= 9990:
            raise ValueError(f"{time.isoformat()} is no time of a record")


def end_of_hour(time: datetime) -> datetime:
    """The next full hour."""
    return time.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def end_of_day(time: datetime) -> datetime:
    """The next midnight."""
    return time.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def end_of_month(time: datetime) -> datetime:
    """The midnight with which the next month begins."""
    return end_of_day(time.replace(day=28) + timedelta(days=4)).replace(day=1)
