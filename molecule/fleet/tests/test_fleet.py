"""A hundred filters on one host: what a deployment costs, and that the hundred do not feel the next one."""

from __future__ import annotations

import resource
import time

from deployment import Deployment, Run
from hosts import Host, expected_programs, wait

FILTERS = 100


def timed(deployment: Deployment, what: str) -> Run:
    """Deploys, and prints wall clock and the controller's own CPU time."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run = deployment.deploy()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"FIGURE {what}: {time.monotonic() - begin:.1f} s, the controller's CPU {cpu:.1f} s, changed={run.changed}")
    return run


def test_the_first_deployment_of_a_hundred(deployment: Deployment, one: Host) -> None:
    """From one filter to a hundred: all run, and the one that ran before still has its process."""
    before = one.pids()
    credentials = deployment.everywhere["sfm_credentials"]
    filters = deployment.hosts[one.name]["sfm_filters"]
    for number in range(len(filters), FILTERS):
        credentials[f"app{number:03}"] = {"bearer_token": f"secret-of-app-{number:03}-0123456789abcdef"}
        filters.append(
            {"name": f"f{number:03}", "credential": f"app{number:03}", "track": [f"word{number:03}", "vote", "coffee"]}
        )
    timed(deployment, "from 1 filter to 100")
    declared = expected_programs(deployment.variables(one.name))
    assert len(declared) >= FILTERS
    wait(lambda: set(one.pids()) == declared, "not all run", 120, one.programs)
    after = one.pids()
    assert {name: after[name] for name in before} == before


def test_no_change_costs_little_and_touches_nothing(deployment: Deployment, one: Host) -> None:
    """A hundred filters, nothing changed: changed=0, every PID as before."""
    before = one.pids()
    assert timed(deployment, "no change, 100 filters").changed == 0
    assert one.pids() == before


def test_one_more_filter_leaves_the_hundred_alone(deployment: Deployment, one: Host) -> None:
    """The 101st starts; the hundred keep their processes."""
    before = one.pids()
    deployment.everywhere["sfm_credentials"]["more"] = {"bearer_token": "secret-of-app-more-0123456789abcdef"}
    deployment.hosts[one.name]["sfm_filters"].append(
        {"name": "more", "credential": "more", "track": ["coffee", "vote", "train"]}
    )
    timed(deployment, "one filter more than 100")
    after = one.pids()
    assert set(after) - set(before) == {"twitterfilter-more"}
    assert {name: after[name] for name in before} == before


def test_memory_of_a_program_stays_small(one: Host) -> None:
    """Resident memory of the programs, in MiB; the simulator is not one of them."""
    sizes = sorted(
        int(one_line.split()[0]) / 1024
        for one_line in one.run(
            "ps -eo rss=,args= | grep '/opt/sfm/releases/' | grep -v simulate | grep -v grep"
        ).splitlines()
    )
    print(
        f"FIGURE resident memory of {len(sizes)} programs:"
        f" median {sizes[len(sizes) // 2]:.0f} MiB, most {sizes[-1]:.0f} MiB"
    )
    assert sizes[-1] <= 45, sizes[-5:]
