"""What the last run of a program left behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from sfm_stream import clock
from sfm_stream.record import last_run, status
from sfm_stream.record.journal import journal_path
from sfm_stream.record.last_run import LastRun, Outage
from sfm_stream.record.status import Status

PROGRAM = "twitterfilter-storms"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KILLED = "killed, or the machine went down"


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


class Host:
    """A state directory in which things have happened."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def happened(self, minute: float, event: str, **fields: object) -> None:
        path = journal_path(self.state_dir, PROGRAM)
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as file:
            entry = {"time": clock.text(at(minute)), "event": event, **fields}
            file.write(msgspec.json.encode(entry) + b"\n")

    def last_byte(self, minute: float, *, unwritten: float | None = None) -> None:
        waits = None if unwritten is None else at(unwritten)
        status.write(self.state_dir, Status(program=PROGRAM, pid=1, since=NOON, last_byte=at(minute), unwritten=waits))

    def read(self, *, killed: bool = True) -> LastRun:
        return last_run.read(self.state_dir, PROGRAM, killed=killed)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_program_that_never_connected_has_no_outage(host: Host) -> None:
    """There was nothing to lose."""
    assert host.read() == LastRun()
    host.happened(0, "start")
    host.happened(1, "refused", reason="credential refused")
    host.happened(2, "stop", reason="X refused", planned=False)
    assert host.read() == LastRun()


def test_a_planned_stop_is_an_outage_since_the_last_byte(host: Host) -> None:
    """The stop gives the cause, the disconnect before it the time."""
    host.happened(0, "connect", server_time=clock.text(at(-0.1)))
    host.happened(9, "disconnect", reason="stopped", planned=True, last_byte=clock.text(at(8.9)))
    host.happened(10, "stop", reason="SIGTERM", planned=True)
    outage = Outage(start=at(8.9), cause="stopped: SIGTERM", planned=True)
    assert host.read() == LastRun(outage=outage, connected_at=at(-0.1), connects=(at(0),))


def test_a_failure_before_a_stop_stays_the_cause(host: Host) -> None:
    """Stopping a program that has lost its connection does not make the gap."""
    host.happened(0, "connect")
    host.happened(5, "disconnect", reason="closed by X", planned=False, last_byte=clock.text(at(4)))
    host.happened(6, "stop", reason="SIGTERM", planned=True)
    assert host.read().outage == Outage(start=at(4), cause="closed by X", planned=False)


def test_a_stop_for_a_fault_is_no_planned_one(host: Host) -> None:
    """Also where no disconnect came before it."""
    host.happened(0, "connect")
    host.happened(6, "stop", reason="the disk is full", planned=False)
    assert host.read().outage == Outage(start=at(6), cause="stopped: the disk is full", planned=False)


def test_a_killed_process_was_alive_until_its_last_byte(host: Host) -> None:
    """Its journal ends connected; the status knows how long it received."""
    host.happened(0, "connect")
    host.happened(1, "rotate", file="f")
    host.last_byte(7)
    assert host.read().outage == Outage(start=at(7), cause=KILLED)


@pytest.mark.parametrize("damage", [None, b"", b"\0\0\0\0", b'{"program": "x"}'])
def test_without_a_status_a_killed_process_was_alive_when_it_connected(host: Host, damage: bytes | None) -> None:
    """The gap is then longer than it was, never shorter."""
    host.happened(0, "connect")
    if damage is not None:
        path = status.status_path(host.state_dir, PROGRAM)
        path.parent.mkdir()
        path.write_bytes(damage)
    assert host.read().outage == Outage(start=at(0), cause=KILLED)


def test_a_status_that_is_older_than_the_connection_says_nothing_of_it(host: Host) -> None:
    """A power cut may bring back an old one."""
    host.happened(5, "connect")
    host.last_byte(1)
    assert host.read().outage == Outage(start=at(5), cause=KILLED)


def test_a_live_process_that_is_connected_has_no_outage(host: Host) -> None:
    """Its journal ends connected because it is."""
    host.happened(0, "connect")
    host.last_byte(7)
    assert host.read(killed=False).outage is None


def test_an_outage_that_began_with_a_kill_lasts_while_the_next_process_tries(host: Host) -> None:
    """A live process that has not connected yet, or was killed as well, does not hide it."""
    host.happened(0, "connect")
    host.last_byte(7)
    host.happened(8, "start")
    host.happened(9, "refused", reason="network error")
    host.happened(10, "start")
    for killed in (True, False):
        assert host.read(killed=killed).outage == Outage(start=at(7), cause=KILLED)
    host.happened(12, "connect")
    assert host.read(killed=False).outage is None


def test_a_planned_outage_becomes_a_failure_where_its_planned_part_was_journaled(host: Host) -> None:
    """A restart that is refused for hours is no planned stop."""
    host.happened(0, "connect")
    host.happened(1, "disconnect", reason="stopped", planned=True, last_byte=clock.text(at(1)))
    host.happened(1, "stop", reason="SIGTERM", planned=True)
    host.happened(2, "start")
    host.happened(2, "refused", reason="server error")
    host.happened(2, "gap", start=clock.text(at(1)), end=clock.text(at(2)), seconds=60, cause="c", planned=True)
    assert host.read().outage == Outage(start=at(2), cause="server error", planned=False)


def test_the_last_connection_counts(host: Host) -> None:
    """By X's clock where it told it: so the program knows its own dead connection again."""
    host.happened(0, "connect", server_time=clock.text(at(0.5)))
    host.happened(1, "disconnect", reason="x", planned=False)
    host.happened(2, "connect")
    host.happened(2, "gap", start=clock.text(at(1)), end=clock.text(at(2)), seconds=60, cause="x", planned=False)
    assert host.read(killed=False) == LastRun(outage=None, connected_at=at(2), connects=(at(0), at(2)))


def test_posts_that_waited_to_be_written_are_lost_with_a_killed_process(host: Host) -> None:
    """The gap begins where they do, not with the last byte."""
    host.happened(0, "connect")
    host.last_byte(7, unwritten=5)
    assert host.read().outage == Outage(start=at(5), cause=KILLED)


def test_posts_that_could_not_be_written_any_more_are_lost_with_a_stop(host: Host) -> None:
    """The disk failed a while before the stop."""
    host.happened(0, "connect")
    host.happened(6, "stop", reason="the disk is full", planned=False, unwritten=clock.text(at(4)))
    assert host.read().outage == Outage(start=at(4), cause="stopped: the disk is full", planned=False)


@pytest.mark.parametrize("disconnected_first", [True, False])
@pytest.mark.parametrize("planned", [True, False])
def test_a_disconnect_beside_a_stop_does_not_hide_what_was_unwritten(
    host: Host, disconnected_first: bool, planned: bool
) -> None:
    """Whichever of the two a failing process journals first."""
    host.happened(0, "connect")

    def disconnect() -> None:
        host.happened(6, "disconnect", reason="reset", planned=planned, last_byte=clock.text(at(5.9)))

    if disconnected_first:
        disconnect()
    host.happened(6, "stop", reason="the disk failed", planned=False, unwritten=clock.text(at(4)))
    if not disconnected_first:
        disconnect()
    cause = "reset" if disconnected_first and not planned else "stopped: the disk failed"
    assert host.read().outage == Outage(start=at(4), cause=cause, planned=False)


def test_posts_that_waited_are_lost_with_a_process_that_is_killed_after_its_connection(host: Host) -> None:
    """It had been disconnected; what waited then for a slow disk is older than the disconnect."""
    host.happened(0, "connect")
    host.happened(6, "disconnect", reason="reset", planned=False, last_byte=clock.text(at(6)))
    host.last_byte(6, unwritten=4)
    assert host.read().outage == Outage(start=at(4), cause="reset", planned=False)
    assert host.read(killed=False).outage == Outage(start=at(6), cause="reset", planned=False)


def test_a_stop_before_its_disconnect_does_not_end_a_gap_that_waits_for_its_first_line(host: Host) -> None:
    """The gap began with the disconnect before the connection that brought nothing."""
    host.happened(1, "connect")
    host.happened(2, "disconnect", reason="reset", planned=False, last_byte=clock.text(at(2)))
    host.happened(10, "connect", replay="awaited")
    host.happened(11, "stop", reason="SIGTERM", planned=True)
    assert host.read().outage == Outage(start=at(2), cause="reset", planned=False)


def test_killed_between_a_gap_and_its_connect_the_rest_is_another_gap(host: Host) -> None:
    """The gap was told up to there; nothing is counted twice, nothing left out."""
    host.happened(0, "connect")
    host.happened(1, "disconnect", reason="closed by X", planned=False, last_byte=clock.text(at(1)))
    host.happened(3, "gap", start=clock.text(at(1)), end=clock.text(at(3)), seconds=120, cause="x", planned=False)
    assert host.read().outage == Outage(start=at(3), cause="not connected")


def test_a_gap_that_waits_for_its_first_line_goes_on_over_a_kill(host: Host) -> None:
    """Connected, and killed before anything told whether the gap was replayed: the next start tells of all of it."""
    host.happened(0, "start")
    host.happened(1, "connect")
    host.happened(2, "disconnect", reason="stopped", planned=True, last_byte=clock.text(at(2)))
    host.happened(2, "stop", reason="SIGTERM", planned=True)
    host.happened(10, "start")
    host.happened(11, "connect", replay="awaited")
    host.last_byte(11)
    assert host.read().outage == Outage(start=at(2), cause="stopped: SIGTERM", planned=True)
    host.happened(12, "start")
    host.happened(13, "connect", replay="awaited")
    assert host.read().outage == Outage(start=at(2), cause="stopped: SIGTERM", planned=True)
    host.happened(14, "disconnect", reason="reset", planned=False, last_byte=clock.text(at(14)))
    assert host.read().outage == Outage(start=at(2), cause="stopped: SIGTERM", planned=True)


def test_a_gap_that_was_told_after_its_connect_is_over(host: Host) -> None:
    """The first line told; what comes after is another outage."""
    host.happened(0, "start")
    host.happened(1, "connect")
    host.happened(2, "disconnect", reason="reset", planned=False, last_byte=clock.text(at(2)))
    host.happened(3, "connect", replay="awaited")
    ends = {"start": clock.text(at(2)), "end": clock.text(at(3)), "seconds": 60.0}
    host.happened(3, "gap", **ends, cause="reset", planned=False, recovered=True)
    host.last_byte(5)
    assert host.read().outage == Outage(start=at(5), cause=KILLED)
    host.happened(6, "disconnect", reason="closed", planned=False, last_byte=clock.text(at(6)))
    assert host.read().outage == Outage(start=at(6), cause="closed")
