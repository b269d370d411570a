"""Gaps, losses and the coverage that a journal tells of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream import clock
from sfm_stream.record.entries import Entries
from sfm_stream.record.gaps import Coverage, coverage
from sfm_stream.record.last_run import Outage

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def entry(minute: float, event: str, **fields: Any) -> dict[str, Any]:
    return {"time": clock.text(at(minute)), "event": event, **fields}


def gap(
    start: float, end: float, cause: str = "closed by X", *, planned: bool = False, **fields: Any
) -> dict[str, Any]:
    times = {"start": clock.text(at(start)), "end": clock.text(at(end)), "seconds": (end - start) * 60}
    return entry(end, "gap", **times, cause=cause, planned=planned, **fields)


def measured(
    *entries: dict[str, Any], outage: Outage | None = None, now: float = 100, since: float | None = None
) -> Coverage:
    journal = Entries(msgspec.json.encode(each) for each in entries)
    return coverage("p", journal, outage, at(now), None if since is None else at(since))


def test_a_program_that_never_connected_has_no_coverage() -> None:
    """There is no share of no time."""
    found = measured(entry(0, "start"), entry(1, "refused"))
    assert (found.start, found.connected, found.gaps) == (None, None, ())


def test_coverage_is_the_share_of_time_with_a_connection() -> None:
    """From the first connection to now, without the gaps, planned or not."""
    found = measured(entry(0, "connect"), gap(10, 20), gap(50, 65, "stopped: SIGTERM", planned=True))
    assert found.connected == pytest.approx(0.75)
    assert [each.cause for each in found.gaps] == ["closed by X", "stopped: SIGTERM"]
    assert [each.cause for each in found.failures] == ["closed by X"]


def test_a_gap_that_lasts_counts_up_to_now() -> None:
    """It has no end yet."""
    found = measured(entry(0, "connect"), outage=Outage(start=at(90), cause="network error"))
    assert found.connected == pytest.approx(0.9)
    assert (found.gaps[0].end, found.gaps[0].seconds) == (None, 600)


def test_only_what_lies_after_the_time_asked_from_counts() -> None:
    """A gap that reaches into that time counts with the part in it."""
    found = measured(entry(0, "connect"), gap(10, 20), gap(40, 60), since=50)
    assert found.start == at(50)
    assert found.connected == pytest.approx(0.8)
    assert len(found.gaps) == 1


def test_the_time_before_the_first_connection_does_not_count() -> None:
    """However early one asks from."""
    found = measured(entry(50, "connect"), since=0)
    assert (found.start, found.connected) == (at(50), 1.0)


def test_no_time_at_all_has_no_share() -> None:
    """Neither where the connection was made just now, nor where the time asked from lies ahead."""
    assert measured(entry(100, "connect")).connected is None
    assert measured(entry(0, "connect"), since=200).connected is None


def test_what_x_was_asked_to_recover_is_told() -> None:
    """The gap is still a gap."""
    assert measured(entry(0, "connect"), gap(1, 2, backfill_minutes=2)).gaps[0].backfill_minutes == 2


def test_losses_are_told_with_their_size() -> None:
    """What overflowed, what was torn off a connection, and what a crash tore."""
    found = measured(
        entry(0, "connect"),
        entry(9, "overflow", posts=17, bytes=1, first_time=clock.text(at(8)), last_time=clock.text(at(9))),
        entry(10, "torn", bytes=40),
        entry(20, "salvage", segment="s.part", torn_bytes=5, lost_after=clock.text(at(19))),
        entry(21, "salvage", segment="t.part", torn_bytes=0, lost_after=clock.text(at(19))),
    )
    assert [(loss.time, loss.posts) for loss in found.losses] == [(at(8), 17), (at(10), 1), (at(19), None)]
    assert "s.part" in found.losses[2].what


def test_a_journal_that_was_begun_anew_is_a_loss() -> None:
    """What it said before is not known any more."""
    (loss,) = measured(entry(0, "connect"), entry(5, "journal", lost="it was removed")).losses
    assert (loss.time, loss.posts) == (at(5), None)
    assert "it was removed" in loss.what


def test_unreadable_entries_are_counted_from_the_time_asked_from() -> None:
    """Those before the last entry that lies before it belong to the time before it."""
    lines = [msgspec.json.encode(each) for each in (entry(0, "connect"), entry(10, "torn", bytes=1), gap(20, 30))]
    journal = [lines[0], b"damaged", lines[1], b"\xff", lines[2], b"{"]
    for since, unreadable in ((None, 3), (5, 3), (15, 2), (40, 1)):
        found = coverage("p", Entries(journal), None, at(100), None if since is None else at(since))
        assert found.unreadable == unreadable


def test_no_loss_vanishes_for_a_clock_that_is_coarse() -> None:
    """A file's time may be a moment before that of the first connection; only asking from later leaves a loss out."""
    torn = entry(20, "salvage", segment="s.part", torn_bytes=5, lost_after=clock.text(at(-0.001)))
    assert len(measured(entry(0, "connect"), torn).losses) == 1
    assert len(measured(entry(0, "connect"), torn, since=5).losses) == 0


def test_a_gap_over_which_the_clock_stepped_back_takes_nothing_from_the_others() -> None:
    """No coverage above 100 %, and no failure hidden."""
    found = measured(entry(0, "connect"), gap(30, 10), gap(40, 50))
    assert found.connected == pytest.approx(0.9)
    assert measured(entry(0, "connect"), gap(30, 10)).connected == 1.0


@given(st.lists(st.floats(0, 100), min_size=2, max_size=20, unique=True), st.floats(0, 100) | st.none(), st.booleans())
def test_coverage_and_gaps_add_up_to_the_whole(moments: list[float], since: float | None, lasts: bool) -> None:
    """Whatever the gaps, asked from whenever: connected and missing seconds are all seconds there are."""
    moments = [round(moment, 3) for moment in sorted(moments)]
    pairs = list(zip(moments[::2], moments[1::2], strict=False))
    outage = Outage(start=at(moments[-1]), cause="x") if lasts else None
    found = measured(entry(0, "connect"), *(gap(*pair) for pair in pairs), outage=outage, since=since)
    if found.connected is None:
        return
    assert found.start is not None
    missing = sum(((each.end or found.end) - max(each.start, found.start)).total_seconds() for each in found.gaps)
    whole = (found.end - found.start).total_seconds()
    assert 0 <= found.connected <= 1
    assert found.connected * whole + missing == pytest.approx(whole, abs=0.01)


def test_a_time_with_fewer_rules_is_a_loss_from_the_first_entry_to_the_one_that_has_none_missing() -> None:
    """With the most that were missing at a time; `since` where they may have been missing for longer."""
    found = measured(
        entry(0, "connect"),
        entry(10, "shortage", missing=3, cause="no room"),
        entry(11, "shortage", missing=5),
        entry(12, "shortage", missing=0),
        entry(50, "shortage", missing=1, cause="gone", since=clock.text(at(45))),
    )
    assert [(loss.time, loss.end, loss.rules, loss.posts) for loss in found.losses] == [
        (at(10), at(12), 5, None),
        (at(45), None, 1, None),
    ]
    assert found.losses[0].what == "rules missing at X: no room"
    assert [loss.rules for loss in measured(entry(0, "connect"), *SHORT, since=11).losses] == [3]
    assert measured(entry(0, "connect"), *SHORT, since=13).losses == ()


SHORT = (entry(10, "shortage", missing=3, cause="no room"), entry(12, "shortage", missing=0))


def test_a_gap_that_the_source_replayed_is_no_failure_and_does_not_lessen_what_is_covered() -> None:
    """What was lost all the same does, also of a gap that was asked for."""
    lost = gap(50, 60, "stopped: SIGTERM", planned=True, recovered=False)
    found = measured(entry(0, "connect"), gap(10, 20, recovered=True), lost, gap(60, 65, planned=True, recovered=True))
    assert (found.connected, found.covered) == (pytest.approx(0.75), pytest.approx(0.9))
    assert [each.start for each in found.failures] == [at(50)]
    assert [each.start for each in found.recovered] == [at(10), at(60)]


def test_without_a_replay_what_is_covered_is_what_was_connected() -> None:
    """A source that replays nothing says nothing of it."""
    found = measured(entry(0, "connect"), gap(10, 20))
    assert found.covered == found.connected


def test_what_was_lost_of_a_replay_that_broke_off_is_not_counted_twice() -> None:
    """The recovered gap and the lost one overlap: an hour is missing once, and it is missing."""
    found = measured(entry(0, "connect"), gap(10, 30, recovered=True), gap(20, 30, recovered=False))
    assert (found.connected, found.covered) == (pytest.approx(0.8), pytest.approx(0.9))
