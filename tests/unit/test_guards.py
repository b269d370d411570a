"""What stops a stream before it costs or fills more than it may."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sfm_stream import clock
from sfm_stream.capture import disk
from sfm_stream.capture.budget import Meter
from sfm_stream.capture.disk import MARGIN, Room
from sfm_stream.capture.guards import Guards, too_full
from sfm_stream.record.journal import Journal
from sfm_stream.settings.model import Budget
from tests.support.journal import entries


class Stream:
    """A connection, as far as it is guarded; remembers what it was told."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.held: str | None = None
        self.reason = ""
        self.releases = 0

    def hold(self, state: str, reason: str) -> None:
        self.held, self.reason = state, reason

    def release(self) -> None:
        self.held, self.releases = None, self.releases + 1


class Host:
    """A meter, a journal and the guards over them; its disk is as full as `min_free` makes it."""

    def __init__(self, path: Path, budget: Budget, min_free: str) -> None:
        self.path, self.meter, self.stream = path, Meter(path / "budget.json", budget), Stream()
        self._journal = Journal(path / "journal")
        self.guards = self.guards_of(min_free)

    def guards_of(self, min_free: str) -> Guards:
        return Guards(self.meter, self.path, min_free, self._journal)

    def check(self, waiting: int = 0) -> None:
        self.guards.check(self.stream, waiting)

    def journal(self, event: str) -> list[dict[str, Any]]:
        return entries(self.path / "journal", event)


ROOM, FULL = "0", "900T"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path, Budget(per_day=100), ROOM)


def test_a_stream_that_may_go_on_is_told_how_much_is_left(host: Host) -> None:
    """Nothing is held, and nothing journaled."""
    host.meter.add(30, clock.now())
    host.check()
    assert (host.stream.held, host.stream.left) == (None, 70)
    assert host.journal("budget") == []


def test_posts_that_wait_to_be_counted_are_spent_all_the_same(host: Host) -> None:
    """Else each look at the budget would allow them once more."""
    host.meter.add(30, clock.now())
    host.check(waiting=60)
    assert host.stream.left == 10
    host.check(waiting=90)
    assert host.stream.left == 0


def test_a_spent_budget_holds_and_says_until_when_once(host: Host) -> None:
    """In status and journal, however often it is looked at and however many posts come late."""
    host.meter.add(100, clock.now())
    for _ in range(3):
        host.check()
        host.meter.add(1, clock.now())
    until = clock.text(clock.end_of_day(clock.now()))
    assert host.stream.held == "budget"
    assert host.stream.reason == f"100 of 100 posts a day; until {until}"
    spent = [entry for entry in host.journal("budget") if "until" in entry]
    assert [entry["until"] for entry in spent] == [until]
    assert (spent[0]["posts"], spent[0]["dollars"]) == (100, 0.5)


def test_a_budget_that_the_reader_saw_spent_is_journaled_as_well(host: Host) -> None:
    """The reader holds with the last post that it may take; until when, the guards know."""
    host.check()
    host.stream.hold("budget", "the budget is spent")
    host.meter.add(100, clock.now())
    host.check()
    assert [entry for entry in host.journal("budget") if "until" in entry]
    assert host.stream.held == "budget"
    assert "until" in host.stream.reason


def test_a_held_stream_does_not_go_on_while_its_last_posts_wait(host: Host) -> None:
    """The reader has taken the last post; that the writer has not counted it makes no room for another."""
    host.meter.add(40, clock.now())
    host.stream.hold("budget", "the budget is spent")
    host.check(waiting=60)
    assert (host.stream.held, host.stream.releases, host.stream.left) == ("budget", 0, 0)


def test_a_new_day_lets_the_stream_go_on(host: Host) -> None:
    """That is journaled, and the next spent day is told anew."""
    yesterday = clock.now() - timedelta(days=1)
    host.meter.add(100, yesterday)
    host.stream.hold("budget", "spent")
    host.check()
    assert host.stream.held is None
    assert host.journal("budget")[-1]["reason"] == "there is some again"
    host.meter.add(100, clock.now())
    host.check()
    host.check()
    assert len([entry for entry in host.journal("budget") if "until" in entry]) == 1


def test_eighty_percent_are_a_warning(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """In log and journal, once; nothing is held."""
    host.meter.add(85, clock.now())
    host.check()
    host.check()
    assert [entry["reason"] for entry in host.journal("budget")] == ["85 of 100 posts a day are consumed (85%)"]
    assert "85 of 100" in caplog.text
    assert host.stream.held is None


def test_a_full_disk_holds_before_it_is_full(host: Host) -> None:
    """The journal has the numbers, once; when there is room again the stream goes on."""
    host.guards = host.guards_of(FULL)
    host.check()
    host.check()
    assert host.stream.held == "disk"
    assert "min_free" in host.stream.reason
    (entry,) = host.journal("disk")
    assert entry["action"] == "stops"
    assert entry["free"] < entry["floor"]
    host.guards = host.guards_of(ROOM)
    host.check()
    assert host.stream.held is None
    assert host.journal("disk")[-1]["action"] == "goes on"


def test_a_stream_never_goes_on_from_a_spent_budget_onto_a_full_disk(host: Host) -> None:
    """No post is paid for that cannot be kept: the hold changes, and the stream is not let go in between."""
    host.guards = host.guards_of(FULL)
    host.stream.hold("budget", "spent yesterday")
    host.check()
    assert host.stream.held == "disk"
    host.meter.add(100, clock.now())
    host.check()
    assert host.stream.held == "budget"
    assert "until" in host.stream.reason
    assert host.stream.releases == 0


def test_a_stream_that_writes_nothing_needs_no_disk(tmp_path: Path) -> None:
    """Printed lines are held by the budget alone."""
    guards = Guards(Meter(tmp_path / "b", Budget()), None, FULL, Journal(tmp_path / "j"))
    stream = Stream()
    guards.check(stream)
    assert (stream.held, stream.left) == (None, None)


def test_a_data_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Its filesystem may have been taken away."""
    guards = Guards(Meter(tmp_path / "b", Budget()), tmp_path / "gone", "1G", Journal(tmp_path / "j"))
    with pytest.raises(FileNotFoundError):
        guards.check(Stream())


def test_room_is_what_programs_other_than_roots_may_use(tmp_path: Path) -> None:
    """Bytes and shares of the disk are both turned into bytes."""
    found = disk.room(tmp_path, "1M")
    assert found.free > 0
    assert found.floor == 1 << 20
    share = disk.room(tmp_path, "50%")
    assert share.floor > found.floor
    assert disk.room(tmp_path, "0").floor == 0


def test_a_disk_on_the_floor_does_not_switch_a_stream_on_and_off() -> None:
    """To go on takes a little more than to stop."""
    assert not Room(1000, 1000).short
    assert Room(999, 1000).short
    assert not Room(1000, 1000).enough_again
    assert Room(round(1000 * MARGIN), 1000).enough_again
    assert too_full(Room(5 << 20, 9 << 20)) == "the disk has 5 MiB free, and 9 MiB must stay so (min_free)"


def test_a_burst_is_held_as_a_budget(tmp_path: Path) -> None:
    """More posts in a minute than allowed stop the stream until the next hour."""
    host = Host(tmp_path, Budget(per_minute=10), ROOM)
    host.meter.add(11, clock.now())
    host.check()
    assert host.stream.held == "budget"
    assert host.stream.reason.startswith("11 posts in a minute, of 10 allowed; until ")


def test_a_clock_that_is_set_is_journaled(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """By how much, ahead or back, once each; an adjustment is none."""
    real, steps = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + steps[-1])
    host.check()
    for step in (0.5, 86_400.0, 86_400.0, -3600.0):
        steps.append(step)
        host.check()
    assert [round(entry["seconds"], -2) for entry in host.journal("clock")] == [86_400, -90_000]
