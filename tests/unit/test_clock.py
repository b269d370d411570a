"""Times in UTC, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream import clock

moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_now_is_in_utc_and_has_no_more_than_milliseconds() -> None:
    """What is journaled can be read back as it was."""
    assert clock.now().tzinfo is UTC
    assert clock.now().microsecond % 1000 == 0
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


@given(moments)
def test_a_time_reads_back_as_it_was_written(moment: datetime) -> None:
    """To the millisecond, whatever the time."""
    assert clock.parse(clock.text(moment)) == clock.milliseconds(moment)
    assert clock.text(moment).endswith("Z")


@given(moments, moments)
def test_texts_sort_as_their_times_do(first: datetime, second: datetime) -> None:
    """A journal can be searched without reading its times."""
    assert (clock.text(first) <= clock.text(second)) == (clock.milliseconds(first) <= clock.milliseconds(second))


def test_other_time_zones_are_written_in_utc() -> None:
    """No reader has to know where the host stands."""
    moment = datetime(2026, 11, 24, 22, 13, tzinfo=timezone(timedelta(hours=2)))
    assert clock.text(moment) == "2026-11-24T20:13:00.000Z"
    assert clock.parse("2026-11-24T22:13:00+02:00") == moment
    assert clock.parse("2026-11-24") == datetime(2026, 11, 24, tzinfo=UTC)


def test_what_is_no_time_is_refused() -> None:
    """Anything but ISO 8601."""
    with pytest.raises(ValueError):
        clock.parse("yesterday")


@given(moments)
def test_periods_end_after_each_moment_where_the_next_begins(moment: datetime) -> None:
    """The ends of hour, day and month are later than the moment, and nothing of their period is left after them."""
    hour, day, month = clock.end_of_hour(moment), clock.end_of_day(moment), clock.end_of_month(moment)
    tick = timedelta(microseconds=1)
    assert moment < hour <= day <= month
    assert (hour - tick).strftime("%F %H") == moment.strftime("%F %H") != hour.strftime("%F %H")
    assert (day - tick).date() == moment.date() != day.date()
    assert (month - tick).strftime("%Y %m") == moment.strftime("%Y %m") != month.strftime("%Y %m")


def test_the_end_of_february_knows_leap_years() -> None:
    """A month is never longer or shorter than it is."""
    assert clock.end_of_month(datetime(2028, 2, 1, 5, tzinfo=UTC)) == datetime(2028, 3, 1, tzinfo=UTC)
    assert clock.end_of_month(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
