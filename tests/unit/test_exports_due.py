"""Which files of a scheduled export are due."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sfm_stream.export.declared import DeclaredExport
from sfm_stream.export.due import due

MONDAY = datetime(2026, 11, 23, 3, 41, tzinfo=UTC)


def names(now: datetime, *there: str, made: datetime = MONDAY, **keys: Any) -> list[str]:
    """The names of due files where these are there, made at one time."""
    export = DeclaredExport(**{"name": "birds", "filter": "birds", **keys})
    return [each.name for each in due(export, now, dict.fromkeys(there, made))]


@pytest.mark.parametrize(
    ("span", "name", "start", "end"),
    [
        ("day", "birds-2026-11-22.csv", "2026-11-22", "2026-11-23"),
        ("week", "birds-2026-W47.csv", "2026-11-16", "2026-11-23"),
        ("month", "birds-2026-10.csv", "2026-10-01", "2026-11-01"),
    ],
)
def test_the_first_run_makes_the_last_span_that_is_over(span: str, name: str, start: str, end: str) -> None:
    """And no older one: an archive of years would give thousands of files."""
    (found,) = due(DeclaredExport(name="birds", filter="birds", span=span), MONDAY, {})  # type: ignore[arg-type]
    assert found.name == name
    assert [f"{each:%Y-%m-%d}" for each in found.span if each] == [start, end]


def test_a_file_is_made_once() -> None:
    """Whenever it was made."""
    assert names(MONDAY, "birds-2026-W47.csv") == []
    assert names(MONDAY.replace(day=29), "birds-2026-W47.csv") == []
    assert names(MONDAY.replace(day=30), "birds-2026-W47.csv") == ["birds-2026-W48.csv"]


def test_a_host_that_was_off_makes_up_for_what_it_missed() -> None:
    """All since the newest file, the oldest first; over the end of a year of 53 weeks too."""
    assert names(MONDAY, "birds-2026-11-19.csv", span="day") == [f"birds-2026-11-{day}.csv" for day in (20, 21, 22)]
    january = datetime(2027, 1, 12, 3, 41, tzinfo=UTC)
    assert names(january, "birds-2026-W52.csv") == ["birds-2026-W53.csv", "birds-2027-W01.csv"]
    assert names(january, "birds-2026-10.csv", span="month") == ["birds-2026-11.csv", "birds-2026-12.csv"]


def test_days_by_a_weekly_schedule_are_made_on_monday() -> None:
    """All seven of them."""
    sunday = datetime(2026, 11, 22, 3, 41, tzinfo=UTC)
    assert names(sunday, "birds-2026-11-15.csv", span="day", schedule="weekly") == []
    assert len(names(MONDAY, "birds-2026-11-15.csv", span="day", schedule="weekly")) == 7


def test_a_span_that_outlasts_its_schedule_is_made_when_it_is_over() -> None:
    """A month is not made each day."""
    assert names(MONDAY, "birds-2026-10.csv", span="month", schedule="daily") == []


def test_one_file_of_all_is_made_anew_as_often_as_its_schedule_says() -> None:
    """Of all that was sent before the schedule's last day, week or month began."""
    export = DeclaredExport(name="birds", filter="birds", span="all", schedule="daily", format="ids")
    (found,) = due(export, MONDAY, {})
    assert (found.name, found.span.start, found.span.end) == ("birds-ids.txt", None, MONDAY.replace(hour=0, minute=0))
    assert names(MONDAY, "birds.csv", span="all", made=MONDAY) == []
    assert names(MONDAY.replace(day=29), "birds.csv", span="all", made=MONDAY) == []
    assert names(MONDAY.replace(day=30), "birds.csv", span="all", made=MONDAY) == ["birds.csv"]


def test_files_of_other_exports_and_formats_are_none_of_it() -> None:
    """A directory may be shared."""
    others = ("birds-2026-W47.xlsx", "birds-ids-2026-W47.csv", "birds-2026-11-22.csv", "README.md", ".kept")
    assert names(MONDAY, *others) == ["birds-2026-W47.csv"]
