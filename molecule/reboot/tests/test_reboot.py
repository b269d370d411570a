"""The host goes down and comes back; supervisord dies: nobody has to do anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deployment import Deployment
from hosts import Host, expected_programs, podman, wait


@pytest.fixture
def streams(deployment: Deployment, one: Host) -> Iterator[set[str]]:
    """The streams of the host; afterwards every one of them is back, alone, and its files are whole."""
    declared = expected_programs(deployment.variables(one.name))
    names = declared - {"sfm-simulator"}
    one.growing(names, 60)
    yield names
    wait(
        lambda: _running(one) == declared,
        f"{one}: not all programs are back",
        60,
        lambda: one.output("supervisorctl status"),
    )
    one.growing(names, 60)
    only_children(one)
    one_connection_each(deployment, one)
    segments_are_whole(one, names)


def _running(host: Host) -> set[str]:
    return {line.split()[0] for line in host.output("supervisorctl status").splitlines() if " RUNNING " in line}


def only_children(host: Host) -> None:
    """Every process of ours is a child of the supervisord that lives now."""
    supervisord = host.run("supervisorctl pid").strip()
    parents = host.run(
        "ps -C sfm-stream,python,python3 -o ppid=,args= | grep '/opt/sfm/releases/' | awk '{print $1}' | sort -u"
    )
    assert parents.split() == [supervisord], host.output("ps -ef")


def one_connection_each(deployment: Deployment, host: Host) -> None:
    """No orphan holds a connection: each app has exactly one."""
    variables = deployment.variables(host.name)
    for each in variables["sfm_filters"]:
        token = variables["sfm_credentials"][each["credential"]]["bearer_token"]
        wait(lambda: len(host.connections(token)) == 1, f"connections of {each['name']}", 60)  # noqa: B023


def segments_are_whole(host: Host, programs: set[str]) -> None:
    """Every finished file is readable gzip of whole lines, and no segment is left but the one being written."""
    broken = host.output(
        "for f in /var/lib/sfm/data/*.jsonl.gz; do"
        " gzip -t $f || echo broken $f;"
        " [ \"$(zcat $f | tail -c 1 | od -An -tx1 | tr -d ' ')\" = 0a ] || echo torn $f; done"
    )
    assert broken == ""
    segments = [path for path in host.captured() if path.endswith(".part")]
    assert len(segments) <= len(programs), segments


def test_a_reboot_brings_all_streams_back(one: Host, streams: set[str]) -> None:
    """The container restarts: init starts supervisor, supervisor starts the programs, each finds its slot free."""
    before = one.run("ps -o lstart= -p 1")
    podman("restart", "-t", "20", one.name)
    wait(lambda: one.infra.run("true").rc == 0, "no ssh after the restart")
    assert one.run("ps -o lstart= -p 1") != before
    assert streams


def test_a_power_cut_brings_all_streams_back_and_salvages(one: Host, streams: set[str]) -> None:
    """The container is killed: what had been flushed is salvaged at the next start."""
    podman("kill", one.name)
    podman("start", one.name)
    wait(lambda: one.infra.run("true").rc == 0, "no ssh after the restart")
    wait(lambda: streams <= _running(one), "not all programs are back", 60)
    for program in streams:
        wait(lambda: "salvage" in [e["event"] for e in one.journal(program)], f"{program} salvaged nothing", 30)  # noqa: B023


def test_supervisord_killed_is_back_with_its_programs(one: Host, streams: set[str]) -> None:
    """`kill -9` of supervisord: systemd starts it again; the programs it left behind hold no slot, no lock, no file."""
    old = one.run("supervisorctl pid").strip()
    one.run(f"kill -9 {old}")
    wait(lambda: one.output("supervisorctl pid").strip() not in ("", old), "supervisord is not back", 60)
    assert streams
