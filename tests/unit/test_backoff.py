"""How long to wait before the next connection."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfm_stream.sources.reconnect import STABLE
from sfm_stream.sources.x.backoff import CAP_WAIT, CONNECTS, WINDOW, Backoff
from sfm_stream.sources.x.refusals import Refusal, RefusalKind

XS_LIMIT = 50
"""Connects in 15 minutes."""


def refused(kind: RefusalKind) -> Refusal:
    return Refusal(kind=kind, status=0, detail="")


@pytest.fixture
def backoff() -> Backoff:
    return Backoff(random.Random(7))


def test_the_first_drop_of_a_connection_costs_no_wait(backoff: Backoff) -> None:
    """X asks to reconnect at once after an established connection drops; repeated drops back off."""
    waits = [backoff.after_drop(0.0, established=True) for _ in range(8)]
    assert waits[0] == 0.0
    for wait, full in zip(waits[1:], [1, 2, 4, 8, 16, 20, 20], strict=True):
        assert full * 0.9 <= wait <= full


def test_network_errors_wait_a_quarter_second_more_each_time(backoff: Backoff) -> None:
    """250 ms, 500 ms, 750 ms, and 16 s at most."""
    waits = [backoff.after_drop(0.0, established=False) for _ in range(100)]
    assert waits[:3] == [0.25, 0.5, 0.75]
    assert max(waits) <= 16
    assert waits[-1] > 14


def test_server_errors_double_from_five_seconds(backoff: Backoff) -> None:
    """5 s, 10 s, 20 s, and 320 s at most, but for the jitter of a tenth."""
    waits = [backoff.after_refusal(0.0, refused(RefusalKind.SERVER), 0) for _ in range(10)]
    for wait, full in zip(waits, [5, 10, 20, 40, 80, 160, 320, 320, 320, 320], strict=True):
        assert full * 0.9 <= wait <= full


@pytest.mark.parametrize("kind", [RefusalKind.RATE_LIMIT, RefusalKind.CONNECTIONS])
def test_limits_double_from_a_minute(backoff: Backoff, kind: RefusalKind) -> None:
    """60 s, 120 s, 240 s, where X does not say when its limit ends."""
    waits = [backoff.after_refusal(0.0, refused(kind), 0) for _ in range(3)]
    for wait, full in zip(waits, [60, 120, 240], strict=True):
        assert full * 0.9 <= wait <= full


def test_credits_are_asked_about_now_and_then(backoff: Backoff) -> None:
    """Somebody must pay first: each half hour, without growing."""
    for wait in [backoff.after_refusal(0.0, refused(RefusalKind.CREDITS), 0) for _ in range(10)]:
        assert 15 * 60 <= wait <= 60 * 60


@pytest.mark.parametrize(("reset", "full"), [(0.0, CAP_WAIT), (7200.0, 7200.0), (30 * 86400.0, 86400.0)])
def test_a_spend_cap_is_waited_for_to_the_next_cycle_and_asked_about_daily(
    backoff: Backoff, reset: float, full: float
) -> None:
    """Somebody may raise it before."""
    assert full * 0.9 <= backoff.after_refusal(0.0, refused(RefusalKind.SPEND_CAP), reset) <= full


def test_a_refused_credential_is_tried_ever_more_slowly(backoff: Backoff) -> None:
    """From a minute to a quarter of an hour."""
    waits = [backoff.after_refusal(0.0, refused(RefusalKind.CREDENTIAL), 0) for _ in range(6)]
    for wait, full in zip(waits, [60, 120, 240, 480, 900, 900], strict=True):
        assert full * 0.9 <= wait <= full


@given(st.floats(0.001, WINDOW))
def test_a_limit_whose_end_x_says_is_waited_for_to_its_end(reset: float) -> None:
    """Never shorter than X said, and only some seconds longer."""
    wait = Backoff().after_refusal(0.0, refused(RefusalKind.RATE_LIMIT), reset)
    assert reset < wait <= reset + 3


def test_no_clock_that_goes_wrong_stops_a_stream_for_days(backoff: Backoff) -> None:
    """No limit of X lasts longer than its 15 minutes, whatever the difference of two clocks says."""
    assert backoff.after_refusal(0.0, refused(RefusalKind.RATE_LIMIT), 86400 * 365) <= WINDOW + 3


def test_a_spent_month_is_asked_about_each_hour(backoff: Backoff) -> None:
    """X does not say when the cap ends."""
    wait = backoff.after_refusal(0.0, refused(RefusalKind.USAGE_CAP), 0)
    assert CAP_WAIT * 0.9 <= wait <= CAP_WAIT


def test_a_connection_that_held_makes_the_next_wait_the_first_again(backoff: Backoff) -> None:
    """Only one that held for a minute: those that break at once go on backing off."""
    for _ in range(5):
        backoff.after_drop(0.0, established=True)
    backoff.held(STABLE - 1)
    assert backoff.after_drop(0.0, established=True) > 0
    backoff.held(STABLE)
    assert backoff.after_drop(0.0, established=True) == 0


def test_many_programs_do_not_come_back_in_the_same_instant() -> None:
    """The longer waits have a jitter."""
    assert len({Backoff().after_refusal(0.0, refused(RefusalKind.SERVER), 0) for _ in range(20)}) > 15


ends = st.sampled_from(["dropped", "unreachable", *RefusalKind])


@settings(max_examples=50)
@given(st.lists(st.tuples(ends, st.floats(0, 3)), min_size=60, max_size=200))
def test_x_never_sees_more_connects_than_it_allows(course: list[tuple[str | RefusalKind, float]]) -> None:
    """However connections end, a program that waits as told stays within 50 connects in 15 minutes."""
    backoff, now = Backoff(), 1000.0
    connects: list[float] = []
    for end, held in course:
        backoff.connecting(now)
        connects.append(now)
        now += held
        backoff.held(held)
        if isinstance(end, RefusalKind):
            now += backoff.after_refusal(now, refused(end), 0)
        else:
            now += backoff.after_drop(now, established=end == "dropped")
    for first, last in zip(connects, connects[CONNECTS:], strict=False):
        assert last - first >= WINDOW - 1e-6
    assert CONNECTS < XS_LIMIT


def test_who_did_not_wait_is_told_how_long_a_connect_is_too_early(backoff: Backoff) -> None:
    """After a hold nothing has been waited for: the limit can be asked for by itself."""
    for second in range(CONNECTS):
        assert backoff.until_allowed(second) == 0
        backoff.connecting(second)
    assert backoff.until_allowed(CONNECTS) == WINDOW - CONNECTS
    assert backoff.until_allowed(WINDOW) == 0
