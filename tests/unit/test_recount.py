"""What the journals say that a credential has consumed."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sfm_stream import clock
from sfm_stream.capture.recount import Recount, recount
from sfm_stream.record import history
from sfm_stream.record.journal import journal_path

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
STORMS, VOTES = "twitterfilter-storms", "twitterfilter-votes"


class Host:
    """A state directory in which things have happened; times are hours from noon."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def happened(self, hours: float, event: str, program: str = STORMS, **fields: object) -> None:
        path = journal_path(self.state_dir, program)
        path.parent.mkdir(exist_ok=True)
        time = clock.text(NOON + timedelta(hours=hours))
        with path.open("a") as file:
            file.write(json.dumps({"time": time, "event": event, **fields}) + "\n")

    def rotated(self, hours: float, posts: int, program: str = STORMS) -> None:
        time = clock.text(NOON + timedelta(hours=hours))
        self.happened(hours, "rotate", program, file="f", posts=posts, bytes=1, sha256="0" * 64, last_time=time)

    def settings(self, hours: float, credential: str, program: str) -> None:
        raw = json.dumps({"credential": credential, "at": hours}).encode()
        history.record(self.state_dir, program, raw, NOON + timedelta(hours=hours))

    def recount(self) -> Recount:
        return recount(self.state_dir, STORMS, "lab", NOON)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_host_on_which_nothing_ran_has_consumed_nothing(host: Host) -> None:
    assert host.recount() == Recount({}, "", False)


def test_finished_salvaged_and_dropped_posts_count_for_their_days(host: Host) -> None:
    """Also those that were lost after they arrived, and those of a damaged part."""
    host.happened(-60, "connect")
    host.rotated(-50, 100)
    host.rotated(-1, 10)
    times = {"first_time": clock.text(NOON), "last_time": clock.text(NOON)}
    host.happened(0, "overflow", posts=3, bytes=9, **times)
    host.happened(0, "salvage", segment="s", posts=4, aside_lines=2, lost_after=clock.text(NOON))
    host.happened(0, "lost", segment="s", reason="it was removed", posts=5)
    assert host.recount() == Recount({"2026-11-22": 100, "2026-11-24": 24}, "", True)


def test_only_what_the_credential_was_used_for_counts(host: Host) -> None:
    """Of every program of the host, by the history of its settings; a filter that was renamed does not begin again."""
    for program, credential in ((STORMS, "lab"), (VOTES, "other")):
        host.settings(-5, "lab", program)
        host.settings(-2, credential, program)
        host.happened(-4, "connect", program)
        host.rotated(-3, 10, program)
        host.rotated(-1, 100, program)
    assert host.recount().days == {"2026-11-24": 120}


def test_a_program_without_a_credential_consumes_for_itself_alone(host: Host) -> None:
    """A filter that comes to a host where others capture without one, too, begins with nothing."""
    host.settings(-5, "", VOTES)
    host.happened(-4, "connect", VOTES)
    host.rotated(-3, 10, VOTES)
    assert recount(host.state_dir, STORMS, "", NOON) == Recount({}, "", False)
    assert recount(host.state_dir, VOTES, "", NOON) == Recount({"2026-11-24": 10}, "", True)


def test_an_entry_that_cannot_be_read_counts_as_the_largest_file_of_the_month(host: Host) -> None:
    """It may have been that of any; those of earlier months change nothing."""
    path = journal_path(host.state_dir, STORMS)
    host.happened(-24 * 40, "connect")
    for hours, posts in ((-24 * 35, 7), (-2, 50), (-1, 20)):
        with path.open("ab") as file:
            file.write(b"\xff\n")
        host.rotated(hours, posts)
    recounted = host.recount()
    assert recounted.days["2026-11-24"] == 70 + 2 * 50
    assert recounted.unknown == ""


@pytest.mark.parametrize("how", ["fifo", "begun anew", "all damaged"])
def test_what_no_journal_can_tell_is_unknown(host: Host, how: str) -> None:
    """Then nobody knows what is left."""
    path = journal_path(host.state_dir, STORMS)
    if how == "fifo":
        path.parent.mkdir()
        os.mkfifo(path)
    elif how == "begun anew":
        host.happened(-1, "journal", lost="it was removed")
    else:
        host.happened(-1, "connect")
        with path.open("ab") as file:
            file.write(b"\0\0\n")
    assert host.recount().unknown
