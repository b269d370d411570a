"""The command `status`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from sfm_stream import clock
from sfm_stream.commands.status import Report, report
from sfm_stream.record.status import Lock, Status, status_path, write
from sfm_stream.settings.model import Rule, Stream
from sfm_stream.sources.x.rules.compiler import compile_rules
from sfm_stream.sources.x.rules.packing import digest
from sfm_stream.sources.x.source import RULES_SEEN, SILENT

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
STREAM = Stream(kind="filterstream", name="storms", credential="lab", rules=(Rule(name="main", track=("hail",)),))


RULES = digest(compile_rules(STREAM))


def live(state: str, **changes: object) -> Status:
    held = {"rules_wanted": RULES, "rules_live": RULES, "rules_checked": changes.get("since", NOON)}
    status = Status(program=STREAM.program, pid=7, since=NOON, state=state, last_byte=NOON, **held)  # type: ignore[arg-type]
    return msgspec.structs.replace(status, **changes)


def judged(status: Status | None, *, alive: bool, active: bool = True, later: float = 0) -> Report:
    stream = msgspec.structs.replace(STREAM, active=active)
    return report(stream, status, NOON + timedelta(seconds=later), alive=alive)


def test_a_connected_stream_is_well() -> None:
    """As long as something comes every now and then."""
    found = judged(live("connected", detail="d"), alive=True, later=SILENT)
    assert (found.state, found.note, found.well) == ("connected", "d", True)


def test_a_connection_from_which_nothing_comes_is_not_well() -> None:
    """X sends something every 20 seconds."""
    found = judged(live("connected"), alive=True, later=SILENT + 1)
    assert (found.state, found.well) == ("silent", False)
    assert found.note == "nothing has come for 31 s"


@pytest.mark.parametrize(
    ("rules", "note"),
    [
        (
            {
                "rules_live": "other",
                "rules_missing": 2,
                "rules_fault": "X refused the rule 'a b'\nX refused the rule 'c'",
            },
            "X does not hold its rules (2 missing): X refused the rule 'a b'; X refused the rule 'c'",
        ),
        ({"rules_live": "other"}, "X does not hold its rules (more than are wanted)"),
        ({"rules_checked": None}, "its rules at X have not been seen yet"),
        ({"rules_checked": None, "rules_fault": "HTTP 503"}, "its rules at X have not been seen yet: HTTP 503"),
        (
            {"rules_checked": NOON - timedelta(seconds=RULES_SEEN + 1), "rules_fault": "HTTP 429"},
            "its rules at X were last seen 15 min 1 s ago: HTTP 429",
        ),
        (
            {"rules_wanted": "older", "rules_live": "older"},
            "it does not run with the rules of its settings yet: if that lasts, deploy again",
        ),
    ],
)
def test_a_connected_stream_whose_rules_x_does_not_hold_is_not_well(rules: dict[str, object], note: str) -> None:
    """Nor one whose rules at X were not seen lately: both come with X's own words."""
    found = judged(live("connected", **rules), alive=True)
    assert (found.state, found.note, found.well) == ("connected", note, False)


def test_the_sample_stream_needs_no_rules() -> None:
    """It has none."""
    stream = Stream(kind="streamsample", name="streamsample", credential="lab")
    status = Status(program=stream.program, pid=7, since=NOON, state="connected", last_byte=NOON)
    assert report(stream, status, NOON, alive=True).well


@pytest.mark.parametrize("state", ["starting", "connecting", "waiting", "budget", "disk"])
def test_a_stream_that_is_not_connected_is_not_well(state: str) -> None:
    """Its own words say why."""
    found = judged(live(state, detail="why"), alive=True)
    assert (found.state, found.note, found.well) == (state, "why", False)


@pytest.mark.parametrize("state", ["starting", "connecting", "connected", "waiting", "budget", "disk"])
def test_a_process_that_is_gone_without_a_word_is_dead(state: str) -> None:
    """Whatever it said last."""
    found = judged(live(state), alive=False)
    assert (found.state, found.well) == ("dead", False)
    assert "killed" in found.note


def test_a_stopped_stream_says_why() -> None:
    """It should run."""
    found = judged(live("stopped", detail="X refused the credential"), alive=False)
    assert (found.state, found.note, found.well) == ("stopped", "X refused the credential", False)


def test_a_stream_that_never_ran_is_not_well() -> None:
    """Nobody started it."""
    assert judged(None, alive=False).note == "it has never run"


def test_a_stream_that_has_only_just_been_started_is_starting() -> None:
    """It lives, and has not yet said anything."""
    found = judged(None, alive=True)
    assert (found.state, found.well) == ("starting", False)


def test_an_inactive_stream_is_well_as_long_as_it_does_not_run() -> None:
    """A process that the settings no longer want is left over."""
    assert judged(live("stopped"), alive=False, active=False).well
    assert judged(None, alive=False, active=False).state == "inactive"
    found = judged(live("connected"), alive=True, active=False)
    assert (found.state, found.well) == ("running", False)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "streams").mkdir()
    (tmp_path / "state").mkdir()
    for name, active in (("storms", True), ("spare", False)):
        stream = msgspec.structs.replace(STREAM, name=name, active=active, state_dir=str(tmp_path / "state"))
        (tmp_path / "streams" / f"{stream.program}.json").write_bytes(msgspec.json.encode(stream))
    return tmp_path


def run(host: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sfm_stream", "status", "--config-dir", str(host), *options]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})


def test_the_table_shows_every_stream_and_the_exit_code_that_one_is_ill(host: Path) -> None:
    """3, and which one, on standard error."""
    done = run(host)
    assert done.returncode == 3
    assert done.stderr == "sfm-stream: not well: twitterfilter-storms\n"
    spare, storms = done.stdout.splitlines()[1:]
    assert spare.split()[:2] == ["twitterfilter-spare", "inactive"]
    assert storms.split()[:2] == ["twitterfilter-storms", "dead"]
    assert storms.endswith("it has never run")


def test_all_well_exits_with_0_and_numbers_in_their_columns(host: Path) -> None:
    """Looking at a live program does not disturb it."""
    now = clock.now()
    lock = Lock(host / "state", STREAM.program)
    write(host / "state", live("connected", since=now, last_byte=now, last_post=now, posts_today=1234, dollars=6.17))
    done = run(host)
    assert (done.returncode, done.stderr) == (0, "")
    assert {"1234", "$6.17", "connected"} <= set(done.stdout.splitlines()[2].split())
    del lock


def test_scripts_get_json_and_the_same_exit_code(host: Path) -> None:
    """Nothing but JSON on standard output, nothing on standard error."""
    write(host / "state", live("waiting", detail="HTTP 503"))
    done = run(host, "--json")
    assert (done.returncode, done.stderr) == (3, "")
    spare, storms = json.loads(done.stdout)
    assert (spare["state"], spare["well"], spare["live"]) == ("inactive", True, None)
    assert (storms["state"], storms["live"]["detail"]) == ("dead", "HTTP 503")


def test_a_host_without_streams_says_so(tmp_path: Path) -> None:
    """That is no fault."""
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (0, f"No streams in {tmp_path}.\n")


@pytest.mark.parametrize("content", [b"", b"\0" * 9, b"\xff", b'{"program": "p", "pid": 1, "since": 5}', None])
def test_a_status_that_cannot_be_read_is_a_state_of_its_own(host: Path, content: bytes | None) -> None:
    """It is neither that of a program that never ran, nor the end of the others' rows; a FIFO hangs nobody."""
    path = status_path(host / "state", STREAM.program)
    path.parent.mkdir(parents=True)
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    done = run(host)
    assert done.returncode == 3
    spare, storms = done.stdout.splitlines()[1:]
    assert spare.split()[:2] == ["twitterfilter-spare", "inactive"]
    assert storms.split()[:2] == ["twitterfilter-storms", "unreadable"]
    assert "it does not run" in storms


def test_a_stray_file_among_the_settings_costs_itself(host: Path) -> None:
    """In `status` and in `--list`, which exits with 64 for it."""
    os.mkfifo(host / "streams" / "fifo.json")
    (host / "streams" / "bytes.json").write_bytes(b"\xff\xfe")
    (host / "streams" / "deep.json").write_bytes(b"[" * 100_000)
    (host / "streams" / "types.json").write_bytes(b'{"kind": 5, "rules": "all"}')
    strays = {"fifo", "bytes", "deep", "types"}
    done = run(host)
    assert done.returncode == 3
    states = dict(line.split()[:2] for line in done.stdout.splitlines()[1:])
    assert states == dict.fromkeys(strays, "unreadable") | {
        "twitterfilter-spare": "inactive",
        "twitterfilter-storms": "dead",
    }
    command = [sys.executable, "-m", "sfm_stream", "filterstream", "--list", "--config-dir", str(host)]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert listed.returncode == 64
    assert {line.split()[0] for line in listed.stdout.splitlines()[1:]} == states.keys()
    assert "fifo.json: cannot be read: is not a regular file" in listed.stderr


def test_damage_that_a_start_found_is_not_well(host: Path) -> None:
    """Though the stream be connected."""
    found = judged(live("connected", notes=("the counters were rebuilt",)), alive=True)
    assert (found.state, found.well, found.note) == ("connected", False, "the counters were rebuilt")
