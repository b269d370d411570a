"""The capture programs themselves under a real supervisord, deployed by the role, against simulated sources."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.roles.streams_host import Host, running_host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the roles give files to root, so only root can run them")


@pytest.fixture
def host() -> Iterator[Host]:
    """A host with the programs that users get, and the simulator as one of them."""
    with running_host() as running:
        running.write_program(f'#!/bin/sh\nexec {sys.executable} -m sfm_stream "$@"\n')
        port = free_port()
        running.variables |= {
            "sfm_simulator": {"port": port, "rate": 100},
            "sfm_api_url": f"http://127.0.0.1:{port}",
            "sfm_save_interval": 2,
            "sfm_min_free": "0",
        }
        yield running


def free_port() -> int:
    """One that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def journal(host: Host, program: str, event: str) -> list[dict[str, Any]]:
    """The entries of one event."""
    path = host.here / f"state/journal/{program}.jsonl"
    entries = [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return [entry for entry in entries if entry["event"] == event]


def order(host: Host, *steps: dict[str, Any]) -> None:
    """Orders faults of the simulator, in place of those ordered before."""
    url = f"{host.variables['sfm_api_url']}/_simulator/plan"
    urllib.request.urlopen(urllib.request.Request(url, json.dumps({"steps": steps}).encode()), timeout=10).close()


def status(host: Host, program: str) -> dict[str, Any]:
    """The live status."""
    found: dict[str, Any] = json.loads((host.here / f"state/status/{program}.json").read_bytes())
    return found


def test_a_deployment_captures_and_a_second_one_disturbs_nothing(host: Host) -> None:
    """From an inventory to growing files; a rules-only change keeps processes and connections."""
    host.deploy().ok()
    host.await_that(lambda: len(list((host.here / "data").glob("twitterfilter-*.jsonl.gz"))) >= 2)
    pids = host.pids()
    assert set(pids) == {"sfm-simulator", "twitterfilter-elections", "twitterfilter-storms"}
    assert host.deploy().ok().changed == 0
    host.filter("storms")["track"] = ["flood"]
    assert host.deploy().ok().changed == 2
    assert host.pids() == pids
    host.await_that(lambda: journal(host, "twitterfilter-storms", "rules")[-1]["added"][0]["value"] == "flood")
    assert len(journal(host, "twitterfilter-storms", "connect")) == 1


def test_a_restart_of_the_hosts_own_simulator_is_no_failure_of_x(host: Host) -> None:
    """The streams stop before it and start after it, as an upgrade has it: each gap was asked for."""
    host.deploy().ok()
    programs = ("twitterfilter-elections", "twitterfilter-storms")
    for program in programs:
        host.await_that(lambda program=program: status(host, program)["state"] == "connected")  # type: ignore[misc]
    host.variables["_sfm_release"] = "r2"
    host.deploy().ok()
    for program in programs:
        host.await_that(lambda program=program: journal(host, program, "gap"))  # type: ignore[misc]
        assert [gap["planned"] for gap in journal(host, program, "gap")] == [True]
    pids = host.pids()
    host.variables["sfm_simulator"]["rate"] = 50
    assert host.deploy("--check").ok().changed == host.deploy().ok().changed == 2
    assert not pids.items() & host.pids().items()
    for program in programs:
        host.await_that(lambda program=program: len(journal(host, program, "gap")) == 2)  # type: ignore[misc]
        assert [gap["planned"] for gap in journal(host, program, "gap")] == [True, True]


def test_the_restart_of_a_simulator_stops_the_streams_of_its_source_alone(host: Host) -> None:
    """And a simulator that is added disturbs nobody."""
    host.deploy().ok()
    before = host.pids()
    ports = {name: free_port() for name in ("bluesky", "wikimedia")}
    sims = host.variables["sfm_simulator"] = {"x": host.variables["sfm_simulator"]}
    sims |= {name: {"port": port, "rate": 50} for name, port in ports.items()}
    host.variables["sfm_contact"] = "archive@example.org"
    host.variables["sfm_bluesky_hosts"] = [f"ws://127.0.0.1:{ports['bluesky']}"]
    host.variables["sfm_filters"] += [
        {"name": "news", "source": "bluesky", "everything": True},
        {"name": "edits", "source": "wikimedia", "everything": True, "url": f"http://127.0.0.1:{ports['wikimedia']}"},
    ]
    host.deploy().ok()
    all_of_them = host.pids()
    assert {name: all_of_them[name] for name in before} == before
    added = {"sfm-simulator-bluesky", "sfm-simulator-wikimedia", "bluesky-news", "wikimedia-edits"}
    assert all_of_them.keys() - before.keys() == added
    for program in ("bluesky-news", "wikimedia-edits"):
        host.await_that(lambda program=program: status(host, program)["last_post"])  # type: ignore[misc]
    sims["bluesky"]["rate"] = 40
    assert host.deploy("--check").ok().changed == host.deploy().ok().changed == 2
    after = host.pids()
    assert {name for name in after if after[name] != all_of_them[name]} == {"sfm-simulator-bluesky", "bluesky-news"}
    host.await_that(lambda: journal(host, "bluesky-news", "gap"))
    assert [gap["planned"] for gap in journal(host, "bluesky-news", "gap")] == [True]


def test_rules_that_x_refuses_fail_the_deployment_and_the_rules_before_them_stay(host: Host) -> None:
    """In X's own words, in the deployment and in the status; the next deployment has X asked again."""
    host.deploy().ok()
    program = "twitterfilter-storms"
    host.await_that(lambda: status(host, program)["rules_checked"])
    before = status(host, program)
    refusal = {"errors": [{"value": "flood", "details": ["flood is not for sale"], "title": "UnprocessableEntity"}]}
    refuse = {"on": "rules", "method": "POST", "do": "refuse", "status": 422, "body": refusal, "times": 0}
    order(host, refuse)
    host.filter("storms")["track"] = ["flood"]
    failed = host.deploy("-e", "sfm_start_timeout=3")
    assert failed.code != 0
    assert "X refused the rule 'flood': flood is not for sale" in failed.output
    after = status(host, program)
    assert after["rules_live"] == before["rules_live"] != after["rules_wanted"]
    assert len(journal(host, program, "rules")) == 1, "none was touched"
    order(host)
    assert host.deploy().ok().changed == 1
    assert status(host, program)["rules_live"] == after["rules_wanted"]
    assert len(journal(host, program, "connect")) == 1
    assert host.deploy().ok().changed == 0


def test_a_killed_program_is_back_within_seconds_and_its_gap_is_known(host: Host) -> None:
    """What it had written is a capture file; the time without it is a gap with its cause."""
    host.variables["sfm_save_interval"] = 3600
    host.deploy().ok()
    program = "twitterfilter-elections"
    host.await_that(lambda: status(host, program)["posts_today"] > 20)
    pid = host.pids()[program]
    os.kill(pid, signal.SIGKILL)
    host.await_that(lambda: host.pids().get(program, pid) != pid)
    host.await_that(lambda: journal(host, program, "gap"))
    (gap,) = journal(host, program, "gap")
    assert gap["cause"] == "killed, or the machine went down"
    assert gap["planned"] is False
    assert journal(host, program, "salvage")[0]["posts"] > 0
    assert host.deploy().ok().changed == 0


def test_a_wrong_token_stops_one_program_and_the_deployment_says_why(host: Host) -> None:
    """It is not started again and again, and the others run."""
    host.write_program(
        f'#!/bin/sh\ncase "$1" in simulate) set -- "$@" --app "one=$(cat {host.here}/token)";; esac\n'
        f'exec {sys.executable} -m sfm_stream "$@"\n'
    )
    token = host.variables["sfm_credentials"]["one"]["bearer_token"]
    (host.here / "token").write_text(token)
    deployed = host.deploy()
    assert deployed.code != 0
    assert "X refused the credential 'two' (HTTP 401" in deployed.output
    assert token not in deployed.output
    host.await_that(lambda: host.programs()["twitterfilter-storms"] == "EXITED")
    assert host.programs()["twitterfilter-elections"] == "RUNNING"
    assert len(journal(host, "twitterfilter-storms", "start")) == 1, "it was started once"


def test_programs_end_with_their_supervisord(host: Host) -> None:
    """A killed supervisord leaves no orphan that holds a connection against the next one's programs."""
    host.deploy().ok()
    host.await_that(lambda: status(host, "twitterfilter-elections")["state"] == "connected")
    pids = host.pids()
    os.kill(int(host.ctl("pid")), signal.SIGKILL)
    for pid in pids.values():
        host.await_that(lambda pid=pid: not alive(pid))  # type: ignore[misc]
    assert journal(host, "twitterfilter-elections", "stop")[-1]["reason"] == "supervisord is gone"


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
