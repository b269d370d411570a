"""One table shows what all hosts told; one that is down, bare or broken is a row of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.sfm_streams.action_plugins.sfm_status_table import COLUMNS, _host
from sfm_stream.table import render
from tests.roles.streams_host import ROOT, Host, run_playbook, running_host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the roles give files to root, so only root can run them")


@pytest.fixture
def host() -> Iterator[Host]:
    with running_host() as running:
        yield running


def rows(output: str) -> list[list[str]]:
    """The table's rows, as words."""
    _, _, table = output.partition("\nHOST ")
    assert table, output
    return [line.split() for line in table.split("\nok:")[0].splitlines()[1:]]


def test_all_hosts_are_in_one_table(host: Host) -> None:
    """A running host with its streams, its jobs and their notes; one that is down; the run itself is a success."""
    host.deploy().ok()
    current = host.here / "opt" / "current" / "bin"
    current.mkdir(parents=True)
    real = f'#!/bin/sh\nexec {sys.executable} -m sfm_stream "$@"\n'
    (current / "sfm-stream").write_text(real)
    (current / "sfm-stream").chmod(0o755)
    (host.here / "state" / "organize.json").write_text(
        json.dumps({"time": "2026-11-24T20:13:00.123Z", "exit_code": 73, "error": "the disk is full"})
    )
    host.ctl("stop", "twitterfilter-storms")
    variables = {**host.variables, "sfm_venv_dir": str(host.here / "opt")}
    down = {"ansible_connection": "ssh", "ansible_host": "192.0.2.1", "ansible_timeout": 1}
    inventory = {"all": {"hosts": {"a-down": down, "here": {}}, "vars": variables}}
    run = run_playbook(ROOT / "playbooks" / "status.yml", inventory, host.here).ok()
    assert run.changed == 0
    found = {tuple(row[:2]): row for row in rows(run.output)}
    assert found["here", "twitterfilter-elections"][2] == "RUNNING"
    assert found["here", "twitterfilter-storms"][2] == "STOPPED"
    assert found["here", "twitterfilter-asleep"][2:4] == ["-", "inactive"]
    assert " ".join(found["here", "organizedata"]).endswith("last run 2026-11-24 20:13:00: the disk is full")
    assert found["a-down", "-"][11] == "unreachable:"


def test_a_bare_host_is_a_row_that_says_so(host: Host) -> None:
    """Nothing deployed and no supervisor: two rows, and no failure."""
    host.stop()
    run = host.deploy("-e", f"sfm_venv_dir={host.here}/opt", play=str(ROOT / "playbooks" / "status.yml")).ok()
    told = [" ".join(row[11:]) for row in rows(run.output)]
    assert told == [
        f"nothing is deployed here: there is no {host.here}/opt/current/bin/sfm-stream",
        f"no supervisord answers at unix://{host.here}/s.sock: No such file or directory",
    ]


def test_a_damaged_file_costs_its_own_row(host: Host) -> None:
    """A FIFO hangs nobody, a wrong type ends no table: the other streams, jobs and hosts are shown as ever."""
    host.deploy().ok()
    current = host.here / "opt" / "current" / "bin"
    current.mkdir(parents=True)
    (current / "sfm-stream").write_text(f'#!/bin/sh\nexec {sys.executable} -m sfm_stream "$@"\n')
    (current / "sfm-stream").chmod(0o755)
    state = host.here / "state"
    os.mkfifo(state / "organize.json")
    (state / "audit.json").write_text(json.dumps({"time": 5, "exit_code": "0", "error": []}))
    (state / "status").mkdir(exist_ok=True)
    (state / "status" / "twitterfilter-storms.json").unlink(missing_ok=True)
    os.mkfifo(state / "status" / "twitterfilter-storms.json")
    run = host.deploy("-e", f"sfm_venv_dir={host.here}/opt", play=str(ROOT / "playbooks" / "status.yml")).ok()
    found = {row[1]: row for row in rows(run.output)}
    assert found["twitterfilter-storms"][3] == "unreadable"
    assert found["twitterfilter-elections"][2] == "RUNNING"
    assert "organizedata: the outcome of its last run is damaged" in run.output
    assert "not a regular file" in run.output
    assert "audit: the outcome of its last run is damaged" in run.output


FINE = {"programs": {}, "streams": [], "coverage": {}, "jobs": {}, "problems": []}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
LIVE = ("last_post", "connected_since", "posts_today", "per_month", "this_month", "dollars", "free")


@given(
    st.dictionaries(st.sampled_from(LIVE), ANYTHING),
    st.dictionaries(st.sampled_from(["program", "state", "note", "live"]), ANYTHING),
    st.dictionaries(st.sampled_from(["time", "exit_code", "error"]), ANYTHING),
    ANYTHING,
)
def test_whatever_a_host_tells_the_table_is_shown(live: object, report: object, outcome: object, other: object) -> None:
    """Of every host, each stream and job that told something odd has a row that says so."""
    told = {"program": "p", "state": "s", "note": "", "live": live}
    streams = [told, {**told, **(report if isinstance(report, dict) else {})}, other]
    answer = {**FINE, "streams": streams, "jobs": {"audit": outcome}}
    shown = _host("h", answer)
    assert len(shown) == 4
    assert render(COLUMNS, [*shown, *_host("i", other), *_host("j", {**FINE, "streams": other})])


def test_a_pipe_in_the_place_of_a_status_holds_up_no_deployment(host: Host) -> None:
    """Root would wait for somebody to write into it."""
    host.deploy().ok()
    path = host.here / "state" / "status" / "twitterfilter-storms.json"
    path.unlink()
    os.mkfifo(path)
    host.filter("storms")["track"] = ["flood"]
    assert "sfm_streams : Apply the program files" in host.deploy("-e", "sfm_start_timeout=2").output
