"""The command `gaps`."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from sfm_stream import clock
from sfm_stream.record.journal import journal_path
from sfm_stream.record.status import Lock

STORMS = "twitterfilter-storms"


class Host:
    """A state directory; times are minutes before now."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path, clock.now()
        (path / "journal").mkdir()

    def ago(self, minutes: float) -> datetime:
        return self.now - timedelta(minutes=minutes)

    def happened(self, program: str, ago: float, event: str, **fields: object) -> None:
        with journal_path(self.path, program).open("ab") as file:
            file.write(msgspec.json.encode({"time": clock.text(self.ago(ago)), "event": event, **fields}) + b"\n")

    def gap(self, program: str, start: float, end: float, cause: str, *, planned: bool) -> None:
        times = {"start": clock.text(self.ago(start)), "end": clock.text(self.ago(end))}
        self.happened(program, end, "gap", **times, seconds=(start - end) * 60, cause=cause, planned=planned)

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sfm_stream", "gaps", "--state-dir", str(self.path), *options]
        return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def storms(host: Host) -> Lock:
    """A live program with a planned gap, a failure and a loss behind it."""
    host.happened(STORMS, 100, "connect")
    host.gap(STORMS, 80, 79, "stopped: SIGTERM", planned=True)
    host.gap(STORMS, 50, 40, "closed by X, announced", planned=False)
    host.happened(STORMS, 30, "torn", bytes=17)
    host.happened(STORMS, 40, "connect")
    return Lock(host.path, STORMS)


def test_the_table_shows_coverage_and_each_gap_with_its_cause(host: Host) -> None:
    """Planned ones apart from failures; 3 as exit code where there are failures or losses."""
    lock = storms(host)
    done = host.run()
    assert done.returncode == 3
    assert done.stderr == "sfm-stream: 2 gaps or losses that nobody asked for\n"
    summary, _, rows = done.stdout.partition("\n\n")
    *_, connected, covered, planned_gaps, recovered, failures, losses, _ = summary.splitlines()[1].split()
    assert connected.startswith(("88.99", "89.0"))
    assert covered == connected
    assert (planned_gaps, recovered, failures, losses) == ("1", "0", "1", "1")
    planned, failure, loss = rows.splitlines()[1:]
    assert "1 min  " in planned
    assert planned.endswith("planned  stopped: SIGTERM")
    assert failure.endswith("failure  closed by X, announced")
    assert loss.endswith("loss     cut off by the end of a connection (17 bytes)")
    del lock


def test_a_time_with_fewer_rules_is_a_loss_with_start_end_and_number(host: Host) -> None:
    """One that lasts ends now; both make the exit code."""
    host.happened(STORMS, 100, "connect")
    host.happened(STORMS, 90, "shortage", missing=25, cause="X has no room")
    host.happened(STORMS, 80, "shortage", missing=0)
    host.happened(STORMS, 70, "shortage", missing=1, cause="gone at X")
    lock = Lock(host.path, STORMS)
    done = host.run()
    assert done.returncode == 3
    over, lasting = (line.split() for line in done.stdout.splitlines()[-2:])
    assert (over[1:5], lasting[1:5]) == (
        [*clock.text(host.ago(90))[:19].split("T"), *clock.text(host.ago(80))[:19].split("T")],
        [*clock.text(host.ago(70))[:19].split("T"), "now", "1"],
    )
    assert " ".join(over[5:]) == "25 rules loss rules missing at X: X has no room"
    assert " ".join(lasting[4:]) == "1 rule loss rules missing at X: gone at X"
    del lock


def test_only_planned_gaps_are_no_finding(host: Host) -> None:
    """A stop that was asked for is not worth an alarm."""
    host.happened("streamsample", 100, "connect")
    host.gap("streamsample", 50, 40, "stopped: SIGTERM", planned=True)
    lock = Lock(host.path, "streamsample")
    done = host.run("streamsample")
    assert (done.returncode, done.stderr) == (0, "")
    assert "90.0" in done.stdout
    del lock


def test_a_dead_process_is_a_gap_that_lasts(host: Host) -> None:
    """It began with the last sign of life, and ends now."""
    host.happened(STORMS, 100, "connect")
    done = host.run("storms", "--format", "json")
    assert done.returncode == 3
    (found,) = json.loads(done.stdout)
    (gap,) = found["gaps"]
    assert (gap["end"], gap["planned"], gap["cause"]) == (None, False, "killed, or the machine went down")
    assert gap["seconds"] >= 6000
    assert found["connected"] < 0.01
    assert "now" in host.run().stdout


def test_json_and_csv_are_for_machines(host: Host) -> None:
    """The same gaps, nothing on standard error, the same exit code."""
    lock = storms(host)
    as_json = host.run("--format", "json")
    assert (as_json.returncode, as_json.stderr) == (3, "")
    (found,) = json.loads(as_json.stdout)
    assert [gap["planned"] for gap in found["gaps"]] == [True, False]
    assert found["losses"][0]["posts"] == 1
    as_csv = host.run("--format", "csv")
    assert (as_csv.returncode, as_csv.stderr) == (3, "")
    rows = list(csv.DictReader(as_csv.stdout.splitlines()))
    assert [row["KIND"] for row in rows] == ["planned", "failure", "loss"]
    assert {row["PROGRAM"] for row in rows} == {STORMS}
    del lock


def test_since_leaves_out_what_was_over_before(host: Host) -> None:
    """A moment in UTC, as a day or to the second."""
    lock = storms(host)
    (found,) = json.loads(host.run("--format", "json", "--since", f"{host.ago(60):%Y-%m-%dT%H:%M:%SZ}").stdout)
    assert [gap["cause"] for gap in found["gaps"]] == ["closed by X, announced"]
    assert host.run("--since", "2000-01-01").stdout.count("SIGTERM") == 1
    assert host.run("--since", "yesterday").returncode == 2
    del lock


def test_a_name_is_that_of_a_filter_or_a_program(host: Host) -> None:
    """An unknown one is refused with the nearest known."""
    lock = storms(host)
    assert STORMS in host.run("storms").stdout
    assert STORMS in host.run(STORMS).stdout
    wrong = host.run("strms")
    assert wrong.returncode == 2
    assert wrong.stderr == f"sfm-stream: no journal of 'strms' in {host.path}/journal; did you mean 'storms'?\n"
    del lock


def test_a_host_on_which_nothing_ran_has_no_gaps(tmp_path: Path) -> None:
    """An empty table, and no finding; a name is unknown then."""
    host = Host(tmp_path)
    assert host.run().returncode == 0
    assert "it holds none" in host.run("storms").stderr


def test_a_program_that_never_connected_is_shown_as_such(host: Host) -> None:
    """It has no coverage, which nobody asked for."""
    host.happened(STORMS, 5, "start")
    done = host.run()
    assert done.returncode == 3
    assert "never connected" in done.stdout


def test_damaged_entries_are_skipped_and_are_a_finding(host: Host) -> None:
    """The others are shown; how many are not is said, in JSON as well."""
    host.happened(STORMS, 100, "connect")
    with journal_path(host.path, STORMS).open("ab") as file:
        file.write(b"\xff\xfe\n" + b"[" * 100_000 + b'\n{"time":"yesterday","event":"gap"}\n{"event":"gap"}\n')
    host.gap(STORMS, 80, 79, "stopped: SIGTERM", planned=True)
    lock = Lock(host.path, STORMS)
    done = host.run()
    assert done.returncode == 3
    assert "stopped: SIGTERM" in done.stdout
    assert done.stderr == (
        f"sfm-stream: {STORMS}: 4 unreadable entries of the journal skipped: what they told is not in this\n"
    )
    assert json.loads(host.run("--json").stdout)[0]["unreadable"] == 4
    assert host.run("--since", f"{host.ago(50):%Y-%m-%dT%H:%M:%SZ}").returncode == 0
    del lock


def test_a_journal_that_cannot_be_read_costs_its_program_alone(host: Host) -> None:
    """A FIFO hangs nobody; the other programs are shown."""
    os.mkfifo(journal_path(host.path, "streamsample"))
    host.happened(STORMS, 100, "connect")
    lock = Lock(host.path, STORMS)
    done = host.run()
    assert done.returncode == 3
    assert "streamsample: " in done.stderr
    assert "is not a regular file" in done.stderr
    assert STORMS in done.stdout
    assert host.run(STORMS).returncode == 0
    del lock
