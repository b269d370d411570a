"""Damaged counters of a budget, and a clock that goes anywhere: nothing is spent twice, and nothing raises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.capture.budget import DAYS, Meter, Spent
from sfm_stream.settings.model import Budget
from tests.fuzz.damage import HARM, Harm, harmed

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BUDGET = Budget(per_minute=50, per_day=100, per_month=1000)
SPENT = Spent(days={"2026-11": 5, "2026-11-23": 60, "2026-11-24": 30}, held_until=NOON, segment="s", of_segment=3)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)


def used(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """Read, asked and counted with, saved and read again."""
    path = tmp_path_factory.mktemp("state") / "budget" / "lab.json"
    path.parent.mkdir()
    path.write_bytes(raw)
    meter = Meter(path, BUDGET)
    if meter.lost is not None:
        assert not meter.spent.days
        meter.restore({"2026-11-24": 30}, NOON)
    left = meter.left(NOON)
    assert left is not None
    assert left <= 100
    meter.hold(NOON)
    meter.add(1, NOON)
    assert meter.left(NOON) == max(0, left - 1)
    meter.warning()
    meter.save()
    assert Meter(path, BUDGET).left(NOON) == meter.left(NOON)


@given(st.lists(HARM, min_size=1, max_size=3))
def test_damaged_counters_are_lost_or_counters(tmp_path_factory: pytest.TempPathFactory, harms: list[Harm]) -> None:
    """Whatever bytes are other than were written."""
    raw = msgspec.json.encode(SPENT)
    for harm in harms:
        raw = harmed(raw, harm)
    used(tmp_path_factory, raw)


@given(st.dictionaries(st.sampled_from([*SPENT.__struct_fields__, "day", "today", "month", "this_month"]), ODD))
def test_counters_of_other_types_are_lost_or_counters(
    tmp_path_factory: pytest.TempPathFactory, odd: dict[str, Any]
) -> None:
    """Whatever their fields are, the first release's among them."""
    used(tmp_path_factory, msgspec.json.encode(msgspec.to_builtins(SPENT) | odd))


@given(st.lists(st.tuples(st.integers(-400, 400), st.integers(0, 40)), max_size=30))
def test_a_clock_that_goes_anywhere_and_comes_back_loses_no_post_of_the_month(
    tmp_path_factory: pytest.TempPathFactory, jumps: list[tuple[int, int]]
) -> None:
    """What was spent before it jumped is spent when it is right again; nothing is ever negative."""
    path = tmp_path_factory.mktemp("state") / "lab.json"
    meter = Meter(path, Budget(per_month=10**9))
    meter.add(60, NOON)
    for days, posts in jumps:
        meter.add(posts, NOON + timedelta(days=days))
        assert all(count >= 0 for count in meter.spent.days.values())
        assert len(meter.spent.days) <= DAYS + 1
        assert len(meter.spent.ahead) <= DAYS
    meter.left(NOON)
    assert meter.spent.this_month >= 60
