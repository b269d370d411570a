"""Three sources on one host: filters come and go, outages are made good, and no stream of another source feels it."""

from __future__ import annotations

from typing import Any

from deployment import Deployment
from hosts import Host, wait

BLUESKY: dict[str, Any] = {"name": "harvest", "source": "bluesky", "track": ["vote", "election", "the"]}
WIKIMEDIA = {"name": "edits", "source": "wikimedia", "wikis": ["enwiki", "dewiki"], "url": "http://127.0.0.1:8972"}
NEW = {"bluesky-harvest", "wikimedia-edits"}
SIMULATORS = {"sfm-simulator-bluesky", "sfm-simulator-wikimedia"}


def test_filters_of_other_sources_start_and_no_program_restarts(deployment: Deployment, one: Host) -> None:
    """Adding entries to `sfm_filters`, without credentials, and the simulators that they connect to."""
    before = one.pids()
    deployment.hosts[one.name]["sfm_filters"] += [BLUESKY, WIKIMEDIA]
    x = deployment.everywhere["sfm_simulator"]
    options = {"rate": 50, "seed": 7, "past": 3600}
    deployment.everywhere["sfm_simulator"] = {"x": x, "bluesky": options, "wikimedia": options}
    deployment.deploy()
    after = one.pids()
    assert after.keys() - before.keys() == NEW | SIMULATORS
    assert {name: after[name] for name in before} == before
    one.growing([*NEW, "twitterfilter-elections"])
    assert deployment.deploy().changed == 0
    assert one.pids() == after


def test_what_is_matched_on_the_host_changes_without_a_restart(deployment: Deployment, one: Host) -> None:
    """The process and its connection stay."""
    before, since = one.pids(), one.status("bluesky-harvest")["connected_since"]
    deployment.filter("harvest")["track"].append("storm")
    deployment.deploy()
    assert one.pids() == before
    assert one.status("bluesky-harvest")["connected_since"] == since


def test_what_a_killed_program_missed_is_fetched_afterwards(one: Host) -> None:
    """The gap is journaled as recovered, and no post is there twice."""
    for program in sorted(NEW):
        one.run(f"kill -9 {one.pids()[program]}")
    for program in sorted(NEW):
        wait(
            lambda name=program: any(e.get("recovered") for e in one.journal(name) if e["event"] == "gap"),
            f"no recovered gap of {program}",
            60,
            lambda name=program: one.journal(name)[-5:],
        )
    one.growing(NEW)
    keys = "zcat -f /var/lib/sfm/data/bluesky-harvest-*.gz /var/lib/sfm/data/bluesky-harvest/*/*/*/*/*.gz 2>/dev/null"
    assert one.run(f'{keys} | grep -o \'"rev":"[^"]*"\' | sort | uniq -d').strip() == ""


def test_status_shows_all_of_them_and_their_gaps(deployment: Deployment, one: Host) -> None:
    """In the fleet's table, each by its program."""
    table = deployment.play("status").text
    assert all(name in table for name in (*NEW, "twitterfilter-elections"))
    assert "recovered" in one.output("sfm-stream gaps harvest || /opt/sfm/current/bin/sfm-stream gaps harvest")


def test_a_filter_that_goes_takes_its_program_and_leaves_its_posts(deployment: Deployment, one: Host) -> None:
    """And no other program restarts."""
    before = one.pids()
    filters = deployment.hosts[one.name]["sfm_filters"]
    filters[:] = [each for each in filters if each["name"] != "harvest"]
    deployment.deploy()
    after = one.pids()
    assert before.keys() - after.keys() == {"bluesky-harvest"}
    assert {name: before[name] for name in after} == after
    assert one.run("find /var/lib/sfm/data -name 'bluesky-harvest*.gz' | head -1").strip()
