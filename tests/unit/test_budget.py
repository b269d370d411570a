"""What a credential has consumed, and when that is enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfm_stream.capture.budget import DAYS, Meter
from sfm_stream.settings.model import Budget

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
"""The last day of a month."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "budget" / "library.json"


def test_without_limits_nothing_is_ever_spent(path: Path) -> None:
    """None sets no limit, but what was consumed is counted all the same."""
    meter = Meter(path, Budget())
    meter.add(10**9, NOON)
    assert meter.hold(NOON) is None
    assert meter.left(NOON) is None
    assert meter.warning() is None
    assert meter.spent.this_month == 10**9


def test_a_spent_day_holds_until_midnight_utc(path: Path) -> None:
    """At 100 % no more posts may be taken before the next day, in which there are as many again."""
    meter = Meter(path, Budget(per_day=100))
    meter.add(99, NOON)
    assert meter.hold(NOON) is None
    assert meter.left(NOON) == 1
    meter.add(1, NOON)
    hold = meter.hold(NOON)
    assert hold is not None
    assert hold.reason == "100 of 100 posts a day"
    assert hold.until == datetime(2026, 12, 1, tzinfo=UTC)
    assert meter.left(NOON) == 0
    assert meter.hold(hold.until - timedelta(milliseconds=1)) is not None
    assert meter.hold(hold.until) is None
    assert meter.left(hold.until) == 100


def test_a_spent_month_holds_over_its_days(path: Path) -> None:
    """The month outlasts the day, and is said first."""
    meter = Meter(path, Budget(per_day=100, per_month=150))
    first = datetime(2026, 12, 30, 23, tzinfo=UTC)
    meter.add(100, first)
    meter.add(60, first + timedelta(days=1))
    hold = meter.hold(first + timedelta(days=1))
    assert hold is not None
    assert hold.reason == "160 of 150 posts a month"
    assert hold.until == datetime(2027, 1, 1, tzinfo=UTC)
    assert meter.hold(hold.until) is None


def test_a_burst_holds_until_the_next_full_hour(path: Path) -> None:
    """More posts in any 60 seconds than allowed stop the stream; as many as allowed do not."""
    meter = Meter(path, Budget(per_minute=100))
    for second in range(0, 120, 6):
        meter.add(10, NOON + timedelta(seconds=second))
        assert meter.hold(NOON) is None
    meter.add(1, NOON + timedelta(seconds=119))
    hold = meter.hold(NOON + timedelta(minutes=2))
    assert hold is not None
    assert hold.reason == "101 posts in a minute, of 100 allowed"
    assert hold.until == NOON + timedelta(hours=1)
    assert meter.hold(hold.until) is None
    meter.add(100, hold.until)
    assert meter.hold(hold.until) is None, "the burst is counted anew"


def test_counters_and_a_burst_survive_a_crash(path: Path) -> None:
    """Another process goes on from what the last one saved."""
    meter = Meter(path, Budget(per_day=100, per_minute=10))
    meter.add(60, NOON)
    meter.save()
    again = Meter(path, Budget(per_day=100, per_minute=10))
    assert again.left(NOON) == 40
    assert again.hold(NOON) == meter.hold(NOON)
    assert again.hold(NOON) is not None


def test_a_burst_breaker_that_is_taken_away_holds_no_longer(path: Path) -> None:
    """The operator's new budget counts, not the one of the crash before."""
    meter = Meter(path, Budget(per_minute=10))
    meter.add(60, NOON)
    meter.save()
    assert Meter(path, Budget()).hold(NOON) is None


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\0\0\0", b"{}", b"[]", b'{"days": {"2026-11-30": "many"}}', b'{"days": {"today": 1}}', b"\xff"],
)
def test_counters_that_cannot_be_read_are_told_as_lost(path: Path, content: bytes | None) -> None:
    """They are not taken for those of a credential that has consumed nothing; what is recounted takes their place."""
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    meter = Meter(path, Budget(per_day=100))
    assert meter.lost
    meter.restore({"2026-11-30": 30}, NOON)
    meter.add(1, NOON)
    meter.save()
    again = Meter(path, Budget(per_day=100))
    assert (again.lost, again.left(NOON)) == (None, 69)


@pytest.mark.parametrize(
    ("budget", "until"),
    [
        (Budget(per_day=100), datetime(2026, 12, 1, tzinfo=UTC)),
        (Budget(per_day=100, per_month=1000), datetime(2026, 12, 1, tzinfo=UTC)),
        (Budget(), None),
    ],
)
def test_what_nobody_knows_holds_for_the_rest_of_the_period(path: Path, budget: Budget, until: datetime | None) -> None:
    """Over a restart as well, and says what to do to go on sooner; that done, it goes on from what was written."""
    early = NOON.replace(day=2)
    meter = Meter(path, budget)
    meter.restore({}, early, "the journal was removed")
    meter.save()
    hold = Meter(path, budget).hold(early)
    if until is None:
        assert hold is None
        return
    assert hold is not None
    assert hold.until == (until if budget.per_month else datetime(2026, 11, 3, tzinfo=UTC))
    assert "the journal was removed" in hold.reason
    path.write_text(hold.reason.split("shows, as ")[1].split(", to ")[0].replace("POSTS", "40"))
    again = Meter(path, budget)
    assert again.hold(early) is None
    assert again.spent.this_month == 40


def test_the_counters_of_the_first_release_are_taken_over(path: Path) -> None:
    """Today's, and those of the month's other days."""
    path.parent.mkdir()
    path.write_text('{"day":"2026-11-30","today":10,"month":"2026-11","this_month":25,"segment":"a","of_segment":4}')
    meter = Meter(path, Budget(per_day=100, per_month=100))
    assert meter.lost is None
    assert (meter.spent.today, meter.spent.this_month) == (10, 25)
    meter.catch_up("a", 6, NOON)
    assert (meter.spent.today, meter.spent.this_month) == (12, 27)
    assert meter.left(NOON + timedelta(days=1)) == 100


def test_a_clock_that_was_months_ahead_takes_nothing_from_the_month(path: Path) -> None:
    """Set ahead and back: what was spent before counts again, and what was taken in between counts for today."""
    meter = Meter(path, Budget(per_day=100, per_month=1000))
    meter.add(60, NOON - timedelta(days=3))
    meter.add(30, NOON)
    meter.add(5, NOON + timedelta(days=60))
    assert meter.spent.this_month == 5
    meter.save()
    again = Meter(path, Budget(per_day=100, per_month=1000))
    assert again.left(NOON) == 65
    assert (again.spent.today, again.spent.this_month) == (35, 95)


def test_a_clock_that_was_far_behind_takes_nothing_from_the_month(path: Path) -> None:
    """As on a machine that starts without one: while it is wrong, what was spent holds; right again, all counts."""
    meter = Meter(path, Budget(per_day=100, per_month=1000))
    meter.add(60, NOON - timedelta(days=3))
    meter.add(30, NOON)
    wrong = datetime(1970, 1, 1, tzinfo=UTC)
    assert meter.left(wrong) == 10
    meter.save()
    again = Meter(path, Budget(per_day=100, per_month=1000))
    assert again.left(NOON) == 70
    assert (again.spent.today, again.spent.this_month) == (30, 90)
    assert again.left(NOON + timedelta(days=1)) == 100


def test_only_so_many_days_are_kept(path: Path) -> None:
    """The file does not grow with the years."""
    meter = Meter(path, Budget())
    for day in range(200):
        meter.add(1, NOON + timedelta(days=day))
    assert len(meter.spent.days) <= DAYS


def test_each_period_warns_once_at_eighty_percent(path: Path) -> None:
    """A day and a month warn apart from each other, and the next day again."""
    meter = Meter(path, Budget(per_day=100, per_month=200))
    meter.add(79, NOON)
    assert meter.warning() is None
    meter.add(1, NOON)
    assert meter.warning() == "80 of 100 posts a day are consumed (80%)"
    assert meter.warning() is None
    meter.add(80, NOON)
    assert meter.warning() == "160 of 200 posts a month are consumed (80%)"
    assert meter.warning() is None
    meter.add(90, NOON + timedelta(days=1))
    assert meter.warning() == "90 of 100 posts a day are consumed (90%)"


def test_the_price_of_a_month_is_shown_in_dollars(path: Path) -> None:
    """Posts times the configured price."""
    meter = Meter(path, Budget(price=0.005))
    meter.add(333_332, NOON)
    assert meter.dollars_this_month == 1666.66


def test_a_clock_that_steps_back_over_midnight_gives_no_second_day(path: Path) -> None:
    """What was spent before the step counts on."""
    meter = Meter(path, Budget(per_day=100))
    after, before = datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC), datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    meter.add(60, after)
    meter.add(30, before)
    assert meter.left(after) == 10
    assert meter.left(before) == 10


def test_a_clock_that_was_years_ahead_does_not_lock_the_budget_for_years(path: Path) -> None:
    """The day that it began is not waited for; what was counted in it belongs to today."""
    meter = Meter(path, Budget(per_day=100, per_minute=100))
    wrong = NOON.replace(year=2038)
    meter.add(101, wrong)
    assert meter.hold(wrong) is not None
    hold = meter.hold(NOON)
    assert hold is not None
    assert hold.until == datetime(2026, 12, 1, tzinfo=UTC)
    assert meter.hold(hold.until) is None
    assert meter.left(hold.until) == 100


def test_a_clock_that_steps_back_does_not_count_a_burst_twice(path: Path) -> None:
    """Posts that seem to lie in the future would never leave the last minute."""
    meter = Meter(path, Budget(per_minute=100))
    for minute in (30, 0, 1, 2, 3, 4):
        meter.add(90, NOON + timedelta(minutes=minute))
    assert meter.hold(NOON + timedelta(minutes=4)) is None


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 100_000)), max_size=40),
    st.integers(1, 200),
    st.integers(1, 1000),
)
def test_a_stream_that_takes_what_is_left_never_exceeds_its_budget(
    tmp_path_factory: pytest.TempPathFactory, arrivals: list[tuple[int, int]], per_day: int, per_month: int
) -> None:
    """Over any course of posts and time, no day and no month has more than it may."""
    meter = Meter(tmp_path_factory.getbasetemp() / "none.json", Budget(per_day=per_day, per_month=per_month))
    time, days, months = NOON, dict[str, int](), dict[str, int]()
    for posts, seconds in arrivals:
        time += timedelta(seconds=seconds)
        left = meter.left(time)
        assert left is not None
        assert (left == 0) == (meter.hold(time) is not None)
        taken = min(posts, left)
        meter.add(taken, time)
        for counts, period in ((days, f"{time:%Y-%m-%d}"), (months, f"{time:%Y-%m}")):
            counts[period] = counts.get(period, 0) + taken
    assert all(count <= per_day for count in days.values())
    assert all(count <= per_month for count in months.values())


def test_what_a_kill_kept_from_being_counted_is_caught_up(path: Path) -> None:
    """The left segment tells how many posts there were; those that were counted of it are not counted again."""
    meter = Meter(path, Budget(per_day=100))
    meter.add(30, NOON)
    meter.spent.segment, meter.spent.of_segment = "a.part", 30
    meter.save()
    again = Meter(path, Budget(per_day=100))
    for _ in range(2):
        again.catch_up("a.part", 42, NOON)
        assert again.left(NOON) == 58
    again.catch_up("b.part", 5, NOON)
    assert again.left(NOON) == 53


def test_an_old_segment_is_counted_in_its_month_and_turns_nothing_back(path: Path) -> None:
    """What was spent today stays spent."""
    meter = Meter(path, Budget(per_day=100, per_month=1000))
    meter.add(60, NOON)
    meter.catch_up("old.part", 10, NOON - timedelta(days=5))
    meter.catch_up("older.part", 10, NOON - timedelta(days=50))
    assert (meter.spent.today, meter.spent.this_month) == (60, 70)
    assert meter.left(NOON) == 40


def test_a_segment_of_a_new_day_begins_that_day(path: Path) -> None:
    """The process was killed after midnight, before it counted."""
    meter = Meter(path, Budget(per_day=100))
    meter.add(100, NOON)
    meter.catch_up("new.part", 10, NOON + timedelta(days=1))
    assert meter.left(NOON + timedelta(days=1)) == 90
