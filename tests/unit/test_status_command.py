"""The commands `status` and `check`, as a person or a monitoring system calls them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sfm_stream import clock
from sfm_stream.record.status import Lock, Status, status_path, write
from sfm_stream.sources.x.rules.compiler import compile_rules
from sfm_stream.sources.x.rules.packing import digest
from sfm_stream.sources.x.settings import Rule, XStream

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
STREAM = XStream(kind="filterstream", name="storms", credential="lab", rules=(Rule(name="main", track=("hail",)),))
RULES = digest(compile_rules(STREAM))


def live(state: str, **changes: object) -> Status:
    held = {"rules_wanted": RULES, "rules_live": RULES, "rules_checked": changes.get("since", NOON)}
    status = Status(program=STREAM.program, pid=7, since=NOON, state=state, last_byte=NOON, **held)  # type: ignore[arg-type]
    return msgspec.structs.replace(status, **changes)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "streams").mkdir()
    (tmp_path / "state").mkdir()
    for name, active in (("storms", True), ("spare", False)):
        places = {"state_dir": str(tmp_path / "state"), "data_dir": str(tmp_path)}
        stream = msgspec.structs.replace(STREAM, name=name, active=active, min_free="0", **places)
        (tmp_path / "streams" / f"{stream.program}.json").write_bytes(msgspec.json.encode(stream))
    (tmp_path / "host.json").write_text('{"supervisor_config": ""}')
    return tmp_path


def run(host: Path, *options: str, command: str = "status") -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "sfm_stream", command, "--config-dir", str(host), *options]
    return subprocess.run(words, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, timeout=60)


def rows(output: str) -> dict[str, dict[str, str]]:
    """Each program with its cells by column."""
    table = output.split("\n\n")[0].splitlines()
    names = re.split(" {2,}", table[0])
    lines = [dict(zip(names, [*re.split(" {2,}", line), ""], strict=False)) for line in table[1:]]
    return {cells["PROGRAM"]: cells for cells in lines}


def test_the_table_shows_every_stream_and_the_exit_code_that_one_is_ill(host: Path) -> None:
    """3, and which one, on standard error."""
    done = run(host)
    assert done.returncode == 3
    assert done.stderr == "sfm-stream: not well: twitterfilter-storms\n"
    found = rows(done.stdout)
    assert found["twitterfilter-spare"]["STATE"] == "inactive"
    assert found["twitterfilter-storms"]["STATE"] == "never ran"
    assert found["twitterfilter-storms"]["NOTE"] == "it has never run"


def test_all_well_exits_with_0_and_numbers_in_their_columns(host: Path) -> None:
    """Looking at a live program does not disturb it."""
    now = clock.now()
    lock = Lock(host / "state", STREAM.program)
    write(host / "state", live("connected", since=now, last_byte=now, last_post=now, posts_today=1234, dollars=6.17))
    done = run(host)
    assert (done.returncode, done.stderr) == (0, "")
    storms = rows(done.stdout)["twitterfilter-storms"]
    assert (storms["STATE"], storms["TODAY"], storms["COST"], storms["RULES"]) == (
        *("connected", "1234", "$6.17", "in force"),
    )
    plugin = run(host, command="check")
    assert plugin.returncode == 0
    assert plugin.stdout.startswith("SFM OK: 2 streams, all well | streams=2;;;0 well=2;;;0;2 ")
    del lock


def test_one_stream_can_be_asked_for_by_its_filter_or_its_program(host: Path) -> None:
    """A name that is none is answered with the nearest."""
    for name in ("spare", "twitterfilter-spare"):
        done = run(host, name)
        assert (done.returncode, rows(done.stdout).keys()) == (0, {"twitterfilter-spare"})
    done = run(host, "strms")
    assert done.returncode == 2
    assert "no stream 'strms' on this host; did you mean 'storms'?" in done.stderr


def test_scripts_get_json_and_the_same_exit_code(host: Path) -> None:
    """Nothing but JSON on standard output, nothing on standard error."""
    write(host / "state", live("waiting", detail="HTTP 503"))
    done = run(host, "--json")
    assert (done.returncode, done.stderr) == (3, "")
    told = json.loads(done.stdout)
    spare, storms = told["streams"]
    assert (spare["state"], spare["well"], spare["severity"]) == ("inactive", True, "ok")
    assert (storms["state"], storms["troubles"][0]["kind"]) == ("dead", "program")
    assert told["host"]["supervisor"] == "not asked"


def test_a_host_without_streams_says_so(tmp_path: Path) -> None:
    """That is no fault."""
    done = run(tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"No streams in {tmp_path}.")


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
    found = rows(done.stdout)
    assert found["twitterfilter-spare"]["STATE"] == "inactive"
    assert found["twitterfilter-storms"]["STATE"] == "unreadable"
    assert "it does not run" in found["twitterfilter-storms"]["NOTE"]


def test_a_stray_file_among_the_settings_costs_itself(host: Path) -> None:
    """In `status` and in `--list`, which exits with 64 for it."""
    os.mkfifo(host / "streams" / "fifo.json")
    (host / "streams" / "bytes.json").write_bytes(b"\xff\xfe")
    (host / "streams" / "deep.json").write_bytes(b"[" * 100_000)
    (host / "streams" / "types.json").write_bytes(b'{"kind": 5, "rules": "all"}')
    strays = {"fifo", "bytes", "deep", "types"}
    done = run(host)
    assert done.returncode == 3
    states = {program: cells["STATE"] for program, cells in rows(done.stdout).items()}
    assert states == dict.fromkeys(strays, "unreadable") | {
        "twitterfilter-spare": "inactive",
        "twitterfilter-storms": "never ran",
    }
    command = [sys.executable, "-m", "sfm_stream", "filterstream", "--list", "--config-dir", str(host)]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert listed.returncode == 64
    assert {line.split()[0] for line in listed.stdout.splitlines()[1:]} == states.keys()
    assert "fifo.json: cannot be read: is not a regular file" in listed.stderr


@pytest.mark.parametrize("content", [b"", b"{", b'{"jobs": "often"}', b"\xff"])
def test_settings_of_the_host_that_cannot_be_read_are_a_trouble_of_the_host(host: Path, content: bytes) -> None:
    """The streams are shown as ever."""
    (host / "host.json").write_bytes(content)
    done = run(host)
    assert done.returncode == 3
    assert "host.json: is damaged" in done.stderr
    assert rows(done.stdout)["twitterfilter-spare"]["STATE"] == "inactive"


@pytest.mark.parametrize(
    ("outcome", "shown", "code"),
    [
        ({"time": "2999-01-01T00:00:00Z", "exit_code": 0}, "well", 0),
        ({"time": "2999-01-01T00:00:00Z", "exit_code": 73, "error": "the disk is full"}, "failed (exit code 73)", 3),
        ({"time": "2020-01-01T00:00:00Z", "exit_code": 0}, "overdue", 3),
        (None, "never ran", 0),
    ],
)
def test_the_nightly_report_shows_as_the_other_jobs_do(
    tmp_path: Path, outcome: dict[str, object] | None, shown: str, code: int
) -> None:
    """Its outcome lies where the user who makes it may write; a host without a report has no such line."""
    for name in ("streams", "state", "kept"):
        (tmp_path / name).mkdir()
    (tmp_path / "host.json").write_text(json.dumps({"supervisor_config": "", "jobs": {}}))
    assert "\nreport " not in run(tmp_path, "--state-dir", str(tmp_path / "state")).stdout
    said = {"supervisor_config": "", "jobs": {"report": {"every": 86400.0, "kept": str(tmp_path / "kept")}}}
    (tmp_path / "host.json").write_text(json.dumps(said))
    if outcome is not None:
        (tmp_path / "kept" / "report.json").write_text(json.dumps(outcome))
    done = run(tmp_path, "--state-dir", str(tmp_path / "state"))
    assert done.returncode == code, done.stderr
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("report ")]
    assert line.split(maxsplit=1)[1].startswith(shown)


def test_a_plugin_that_cannot_look_answers_unknown(tmp_path: Path) -> None:
    """In one line, whatever the reason."""
    (tmp_path / "streams").mkdir()
    stream = msgspec.structs.replace(STREAM, state_dir=str(tmp_path / "gone"))
    (tmp_path / "streams" / f"{STREAM.program}.json").write_bytes(msgspec.json.encode(stream))
    done = run(tmp_path, command="check")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("SFM UNKNOWN: ")
    assert done.stdout.count("\n") == 1


def test_a_plugin_names_the_worst_first_and_gives_figures(host: Path) -> None:
    """One line, as the convention has it; thresholds are options."""
    now = clock.now()
    lock = Lock(host / "state", STREAM.program)
    byte = clock.at(now.timestamp() - 100)
    write(host / "state", live("waiting", since=byte, last_byte=byte, detail="HTTP 503 | busy", per_day=10, today=9))
    done = run(host, command="check")
    assert done.returncode == 1
    assert "twitterfilter-storms: HTTP 503 / busy" in done.stdout
    assert "90% of the day's budget is spent (9 of 10)" in done.stdout
    late = run(host, "--gap", "60", "--budget", "95", command="check")
    assert late.returncode == 2
    assert "no connection for 1 min 4" in late.stdout
    assert "budget" not in late.stdout
    assert "'twitterfilter-storms posts_today'=0;;;0" in late.stdout
    assert run(host, "spare", command="check").returncode == 0
    del lock
