"""One table shows what all hosts told; one that is down, bare or broken is a row of it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.sfm_streams.action_plugins.sfm_status_table import host_rows
from sfm_stream.report.lines import COLUMNS
from sfm_stream.report.view import StreamView
from sfm_stream.table import render
from tests.roles.streams_host import ROOT, Host, run_playbook, running_host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the roles give files to root, so only root can run them")


@pytest.fixture
def host() -> Iterator[Host]:
    with running_host() as running:
        yield running


def rows(output: str) -> list[dict[str, str]]:
    """The table's rows, by column; cells are found by where their columns begin or end."""
    _, _, table = output.partition("\nHOST ")
    assert table, output
    lines = f"HOST {table}".split("\nok:")[0].splitlines()
    names = re.split(" {2,}", lines[0])
    return [dict(zip(names, [*re.split(" {2,}", line), ""], strict=False)) for line in lines[1:]]


def install(host: Host) -> None:
    """The real program, in the place of a release's, and what it is told of the host."""
    current = host.here / "opt" / "current" / "bin"
    current.mkdir(parents=True)
    (current / "sfm-stream").write_text(f'#!/bin/sh\nexec {sys.executable} -m sfm_stream "$@"\n')
    (current / "sfm-stream").chmod(0o755)
    (host.here / "etc" / "host.json").write_text(json.dumps({"supervisor_config": str(host.config)}))
    host.variables["sfm_venv_dir"] = str(host.here / "opt")


def test_all_hosts_are_in_one_table(host: Host) -> None:
    """A running host with its streams, its jobs and their notes; one that is down; the run itself is a success."""
    host.deploy().ok()
    install(host)
    (host.here / "state" / "organize.json").write_text(
        json.dumps({"time": "2026-11-24T20:13:00.123Z", "exit_code": 73, "error": "the disk is full"})
    )
    host.ctl("stop", "twitterfilter-storms")
    down = {"ansible_connection": "ssh", "ansible_host": "192.0.2.1", "ansible_timeout": 1}
    inventory = {"all": {"hosts": {"a-down": down, "here": {}}, "vars": host.variables}}
    run = run_playbook(ROOT / "playbooks" / "status.yml", inventory, host.here).ok()
    assert run.changed == 0
    found = {(row["HOST"], row["PROGRAM"]): row for row in rows(run.output)}
    assert found["here", "twitterfilter-elections"]["SUPERVISOR"] == "RUNNING"
    assert found["here", "twitterfilter-storms"]["SUPERVISOR"] == "STOPPED"
    assert found["here", "twitterfilter-asleep"]["STATE"] == "inactive"
    assert "answers" in found["here", "supervisord"].values()
    assert next(value for value in found["here", "organize"].values() if value.startswith("failed (exit code 73)"))
    assert "organize failed (exit code 73): the disk is full" in run.output
    assert found["a-down", "-"]["STATE"] == "unreachable"


def test_a_bare_host_is_a_row_that_says_so(host: Host) -> None:
    """Nothing deployed: a row, and no failure."""
    run = host.deploy("-e", f"sfm_venv_dir={host.here}/opt", play=str(ROOT / "playbooks" / "status.yml")).ok()
    [row] = rows(run.output)
    assert f"nothing is deployed here: there is no {host.here}/opt/current/bin/sfm-stream" in row.values()


def test_a_damaged_file_costs_its_own_row(host: Host) -> None:
    """A FIFO hangs nobody, a wrong type ends no table: the other streams, jobs and hosts are shown as ever."""
    host.deploy().ok()
    install(host)
    state = host.here / "state"
    os.mkfifo(state / "organize.json")
    (state / "audit.json").write_text(json.dumps({"time": 5, "exit_code": "0", "error": []}))
    (state / "status").mkdir(exist_ok=True)
    (state / "status" / "twitterfilter-storms.json").unlink(missing_ok=True)
    os.mkfifo(state / "status" / "twitterfilter-storms.json")
    run = host.deploy(play=str(ROOT / "playbooks" / "status.yml")).ok()
    found = {row["PROGRAM"]: row for row in rows(run.output)}
    assert found["twitterfilter-storms"]["STATE"] == "unreadable"
    assert found["twitterfilter-elections"]["SUPERVISOR"] == "RUNNING"
    assert "the outcome of the last organize cannot be read" in run.output
    assert "is not a regular file" in run.output
    assert "the outcome of the last audit cannot be read" in run.output


def test_a_supervisord_that_is_gone_is_told_from_streams_that_are(host: Host) -> None:
    """The table says both."""
    host.deploy().ok()
    install(host)
    host.stop()
    run = host.deploy(play=str(ROOT / "playbooks" / "status.yml")).ok()
    assert f"supervisord does not run: no supervisord answers at unix://{host.here}/s.sock" in run.output


def view(**stream: object) -> dict[str, object]:
    told = {"program": "p", "state": "s", "well": True, "severity": "ok", **stream}
    host = {"supervisor": "answers", "version": "1", "well": True, "severity": "ok"}
    return {"time": "2026-11-24T20:13:00Z", "host": host, "streams": [told]}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(StreamView.__struct_fields__), ANYTHING), ANYTHING)
def test_whatever_a_host_tells_the_table_is_shown(stream: dict[str, object], other: object) -> None:
    """A host that told something odd has a row that says so, and costs no other host its own."""
    shown = [row for told in (view(**stream), other) for row in host_rows("h", {"view": told, "problem": ""})]
    shown += [*host_rows("i", other), *host_rows("j", {"view": view(), "problem": ""})]
    assert {row[0] for row in shown} == {"h", "i", "j"}
    assert ("j", "p") in {row[:2] for row in shown}
    assert render(("HOST", *COLUMNS), shown)


def test_a_pipe_in_the_place_of_a_status_holds_up_no_deployment(host: Host) -> None:
    """Root would wait for somebody to write into it."""
    host.deploy().ok()
    path = host.here / "state" / "status" / "twitterfilter-storms.json"
    path.unlink()
    os.mkfifo(path)
    host.filter("storms")["track"] = ["flood"]
    assert "sfm_streams : Apply the program files" in host.deploy("-e", "sfm_start_timeout=2").output
