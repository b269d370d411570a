"""Deploying filters: the first time, again without a change, with one more; beside a role that loops over them.

The role that makes the streams of a host runs for real, with a real supervisord; programs are stand-ins that sleep, so
that what they cost is not counted. The loop writes the same two files of each filter by a template, and has supervisor
take up what changed. CPU is that of Ansible and its modules.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.lib import process, rounds
from benchmarks.lib.result import Plan, Result, Table
from tests.roles.streams_host import BIN, ROOT, Host, running_host

SIZES, BOUNDED_SIZES = (1, 10, 100, 500), (1, 40)
LOOP_MOST = 100
"""A loop over more takes minutes, and tells nothing new."""
HOSTS = 100
_STAND_IN = """#!/bin/sh
case $1 in validate|rules) exec {python} -m sfm_stream "$@" ;; esac
digest=$(sha256sum {here}/etc/streams/bluesky-"$2".json | cut -d ' ' -f 1)
mkdir -p {here}/state/status
printf '{{"pid": %d, "state": "connected", "settings": "%s", "rules_wanted": "%s", "rules_live": "%s"}}' \\
  $$ "$digest" "$digest" "$digest" >{here}/state/status/bluesky-"$2".json
exec sleep infinity
"""
_LOOP: list[dict[str, Any]] = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Write the settings",
                "ansible.builtin.copy": {
                    "dest": "{{ sfm_config_dir }}/streams/{{ item.name }}.json",
                    "content": "{{ item | to_nice_json }}",
                    "mode": "0640",
                },
                "loop": "{{ sfm_filters }}",
            },
            {
                "name": "Write the programs",
                "ansible.builtin.copy": {
                    "dest": "{{ sfm_config_dir }}/supervisor.d/{{ item.name }}.conf",
                    "content": "[program:{{ item.name }}]\ncommand=sleep infinity\nstartsecs=0\n",
                    "mode": "0640",
                },
                "loop": "{{ sfm_filters }}",
                "register": "_programs",
            },
            {
                "name": "Take them up",
                "ansible.builtin.command": f"{BIN}/supervisorctl -c {{{{ sfm_supervisor_config }}}} update",
                "when": "_programs is changed",
            },
        ],
    }
]


class _Deployed(NamedTuple):
    """One run.

    Attributes:
        cpu: Seconds.
        wall: Seconds.
    """

    cpu: float
    wall: float


def run(plan: Plan) -> Result:
    """Measures."""
    sizes = BOUNDED_SIZES if plan.bounded else SIZES
    steps = ("first", "no change", "one more")
    ours: dict[int, list[list[_Deployed]]] = {}
    loop: dict[int, list[list[_Deployed]]] = {}
    # A deployment takes seconds, and its parts are many: a few rounds tell as much as more of something short.
    number = 1 if plan.bounded else min(plan.rounds, 3)
    for size in sizes:
        competitors: dict[str, Callable[[], list[_Deployed]]] = {"ours": partial(_deploy, size)}
        if size <= LOOP_MOST:
            competitors["loop"] = partial(_deploy, size, loop=True)
        found = rounds.interleave(number, competitors)
        ours[size] = found["ours"]
        if "loop" in found:
            loop[size] = found["loop"]
    rows = [
        (f"{name}, {step}", *(_shown(figures[size], index) if size in figures else None for size in sizes))
        for name, figures in (("sfm-stream", ours), ("a loop", loop))
        for index, step in enumerate(steps)
    ]
    largest, compared = sizes[-1], max(loop)
    one, many = ours[sizes[0]], ours[largest]
    examined = {hosts: [_examine(plan.folder, hosts) for _ in range(number)] for hosts in (1, HOSTS)}
    preflight = {hosts: statistics.median(each.cpu for each in figures) for hosts, figures in examined.items()}
    return Result(
        [
            Table("Filters of a host; CPU s (wall s)", ("", *(f"{size:,}" for size in sizes)), rows),
            Table(
                "Examination of an inventory, three filters a host",
                ("", "1 HOST", f"{HOSTS} HOSTS"),
                [("CPU s", *(f"{each:.1f}" for each in preflight.values()))],
            ),
        ],
        {
            "no change, most filters / 1, CPU": rounds.ratio(
                [each[1].cpu for each in many], [each[1].cpu for each in one]
            ),
            "no change, most filters / 1, wall": rounds.ratio(
                [each[1].wall for each in many], [each[1].wall for each in one]
            ),
            "loop / ours, no change, CPU": rounds.ratio(
                [each[1].cpu for each in loop[compared]], [each[1].cpu for each in ours[compared]]
            ),
            "preflight, 100 hosts / 1": preflight[HOSTS] / preflight[1],
        },
    )


def _shown(figures: list[list[_Deployed]], step: int) -> str:
    cpu, wall = (statistics.median(each[step][part] for each in figures) for part in (0, 1))
    return f"{cpu:.1f} ({wall:.1f})"


def _deploy(size: int, *, loop: bool = False) -> list[_Deployed]:
    """Deploys so many filters to a new host, again, and with one more."""
    with _host(loop=loop) as host:
        found = []
        for filters in (size, size, size + 1):
            host.variables["sfm_filters"] = [_filter(index) for index in range(filters)]
            found.append(_play(host.here / "play.yml", host.variables, host.here))
        return found


@contextmanager
def _host(*, loop: bool) -> Iterator[Host]:
    with running_host() as host:
        host.write_program(_STAND_IN.format(python=sys.executable, here=host.here))
        host.variables["sfm_credentials"] = {}
        if loop:
            (host.here / "play.yml").write_text(json.dumps(_LOOP))
        yield host


def _filter(index: int) -> dict[str, Any]:
    return {"name": f"filter-{index}", "source": "bluesky", "track": [f"heron {index}", "crane"]}


def _examine(folder: Path, hosts: int) -> _Deployed:
    place = process.fresh(folder / "examine")
    inventory = {
        f"capture-{host}": {
            "ansible_connection": "local",
            "sfm_filters": [_filter(index) for index in range(2)]
            + [{"name": "paid", "credential": f"app-{host}", "track": ["#vote"]}],
            "sfm_credentials": {f"app-{host}": {"bearer_token": "A" * 30 + f"secret{host:04}"}},
        }
        for host in range(hosts)
    }
    return _play(ROOT / "playbooks" / "preflight.yml", {}, place, inventory)


def _play(
    play: Path, variables: dict[str, Any], place: Path, hosts: dict[str, dict[str, Any]] | None = None
) -> _Deployed:
    path = place / "inventory.json"
    path.write_text(json.dumps({"all": {"hosts": hosts or {"here": {}}, "vars": variables}}))
    environment = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    used = process.run([BIN / "ansible-playbook", "-i", path, play], env=environment, cwd=place)
    return _Deployed(used.cpu, time.monotonic() - began)
