"""What a stream gets, hour by hour, and what of that is usual."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sfm_stream.reading import UnreadableError
from sfm_stream.record import rates
from sfm_stream.record.rates import Counter, Rates, read, recent, usual

NOON = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
PROGRAM = "twitterfilter-storms"


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets time pass, without waiting."""
    now = [100.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def test_posts_and_the_time_with_a_connection_are_counted_by_the_hour(tmp_path: Path, passed: Any) -> None:
    """A second run goes on from where the first was."""
    counter = Counter(tmp_path, PROGRAM)
    for _ in range(2):
        passed(30)
        counter.tick(NOON, connected=True)
        counter.add(2, NOON)
    passed(60)
    counter.tick(NOON + timedelta(minutes=1), connected=False)
    found = read(tmp_path, PROGRAM)
    assert found is not None
    assert found.hours == {"2026-11-24T12": (4, 60.0)}
    assert found.minutes == {"2026-11-24T12:30": 4}
    again = Counter(tmp_path, PROGRAM)
    again.add(1, NOON)
    assert again.rates.hours == {"2026-11-24T12": (5, 60.0)}


def test_what_is_old_goes_and_the_file_stays_small(tmp_path: Path, passed: Any) -> None:
    """Four weeks of hours, an hour of minutes; what lies ahead of a clock that was set back goes as well."""
    counter = Counter(tmp_path, PROGRAM)
    for back in range(60 * 24 * 40, -600, -10):
        counter.add(100_000, NOON - timedelta(minutes=back))
    counter.save(NOON)
    path = tmp_path / "rates" / f"{PROGRAM}.json"
    assert path.stat().st_size < 40_000
    found = read(tmp_path, PROGRAM)
    assert found is not None
    assert (min(found.hours), max(found.hours)) == ("2026-10-27T11", "2026-11-24T12")
    assert max(found.minutes) == "2026-11-24T12:30"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"hours": {"2026-11-24T12": [-1, 0]}}', b"\xff", None])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, content: bytes | None) -> None:
    """A reader is told; a capture must not fail for it."""
    path = tmp_path / "rates" / f"{PROGRAM}.json"
    path.parent.mkdir()
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"storms\.json"):
        read(tmp_path, PROGRAM)
    counter = Counter(tmp_path, PROGRAM)
    counter.add(1, NOON)
    counter.save(NOON)
    assert read(tmp_path, PROGRAM) == Rates(minutes={"2026-11-24T12:30": 1}, hours={"2026-11-24T12": (1, 0.0)})


def test_without_a_record_nothing_is_known(tmp_path: Path) -> None:
    """Nor with one that holds nothing."""
    assert read(tmp_path, PROGRAM) is None
    assert usual(Rates(), NOON) is None


def test_recent_posts_are_those_of_whole_minutes() -> None:
    """The present one is not over."""
    got = Rates(minutes={f"2026-11-24T12:{minute}": 1 for minute in range(20, 31)})
    assert recent(got, NOON, 10) == 10
    assert recent(got, NOON, 3) == 3


def hours(*of: tuple[timedelta, int, float]) -> Rates:
    return Rates(hours={f"{NOON - back:%Y-%m-%dT%H}": (posts, seconds) for back, posts, seconds in of})


def test_the_usual_is_the_median_of_the_same_hour_of_the_last_weeks() -> None:
    """By the time with a connection: half an hour with half the posts is as good an hour."""
    weeks = [(timedelta(weeks=back), posts, 3600.0) for back, posts in ((1, 600), (2, 60), (3, 660))]
    found = usual(hours(*weeks, (timedelta(weeks=4), 400, 1800.0)), NOON)
    assert found is not None
    assert (found.rate, found.basis) == (10.5, "hour of the week")
    assert found.low == 10


def test_until_two_weeks_are_known_the_last_days_stand_in_for_them() -> None:
    """The same hour of each."""
    found = usual(hours((timedelta(days=1), 60, 3600.0), (timedelta(days=2), 180, 3600.0)), NOON)
    assert found is not None
    assert (found.rate, found.basis) == (2, "hour of the day")


def test_an_hour_with_hardly_a_connection_tells_nothing() -> None:
    """An outage is not what is usual."""
    assert usual(hours((timedelta(days=1), 0, 800.0)), NOON) is None
