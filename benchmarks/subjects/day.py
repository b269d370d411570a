"""A day in eight minutes: a program's memory and descriptors while files, outages and changed rules come and go.

What happens to a program in a day happens to it, only sooner: a file each quarter of an hour, an outage each hour, a
change of its filter every six. What grows by any of it would grow every day.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack

from benchmarks.lib.looks import Look, look
from benchmarks.lib.process import CompetitorError
from benchmarks.lib.programs import Program
from benchmarks.lib.result import Plan, Result, Table
from tests.support.simulator import Simulator

DAYS, BOUNDED_DAYS = 2, 1
"""X grants an app fifty connections in a quarter of an hour, which is two days of them."""
FILES, OUTAGES, CHANGES = 96, 24, 4
_SECONDS = 432.0
"""Of a day, since programs keep to fifty connections in fifteen minutes."""
_POSTS = 1000
"""A second, of which one in five has one of the words."""
_CONNECTION = 1000
"""Posts of a connection: the ids by which duplicates are known take all their room in the first twelve hours."""
_WORDS = "storm OR election OR coffee OR vote"


def run(plan: Plan) -> Result:
    """Measures."""
    days = BOUNDED_DAYS if plan.bounded else DAYS
    with ExitStack() as until_end:
        x = until_end.enter_context(Simulator(plan.folder / "x", "--rate", str(_POSTS), "--cap", "5000"))
        x.plan({"on": "stream", "times": 0, "do": "close", "after": _CONNECTION})
        settings: dict[str, object] = {"kind": "filterstream", "name": "day", "credential": "c", "api_url": x.url}
        settings |= {"rules": [{"name": "main", "query": f"({_WORDS})"}], "save_interval": _SECONDS / FILES}
        program = Program(plan.folder / "day", settings, token="token-day")
        running = program.start()
        until_end.callback(running.wait)
        until_end.callback(running.terminate)
        looks = [
            [_quarter(program, running.pid, CHANGES * day + number) for number in range(1, CHANGES + 1)]
            for day in range(days)
        ]
        files = program.events("rotate")
    first, last = looks[0][1], looks[-1][-1]
    rows = [
        (f"day {day}", *(f"{each.private:.1f}" for each in quarters), quarters[-1].descriptors)
        for day, quarters in enumerate(looks, start=1)
    ]
    header = ("PRIVATE MB AFTER", *(f"{6 * quarter} H" for quarter in range(1, CHANGES + 1)), "DESCRIPTORS")
    title = f"{files} files, {days * OUTAGES} outages, {days * CHANGES} changes of the filter"
    return Result(
        [Table(title, header, rows)],
        {
            "private MB, end / after twelve hours": last.private / first.private,
            "descriptors, end / after twelve hours": last.descriptors / first.descriptors,
        },
    )


def _quarter(program: Program, pid: int, number: int) -> Look:
    """Six hours: files, outages and, at their end, a changed filter; what the program has then, as a median."""
    until = time.monotonic() + _SECONDS * 5
    while program.events("connect") <= number * OUTAGES // CHANGES:
        if time.monotonic() > until:
            raise CompetitorError(f"{program.name} has connected {program.events('connect')} times only")
        time.sleep(0.2)
    path = program.place / f"streams/{program.name}.json"
    settings = json.loads(path.read_text())
    settings["rules"][0]["query"] = f"({_WORDS} OR quarter{number})"
    path.write_text(json.dumps(settings))
    os.kill(pid, signal.SIGHUP)
    time.sleep(2)
    found = []
    for _ in range(5):
        found.append(look(pid))
        time.sleep(0.2)
    return sorted(found, key=lambda each: each.private)[2]
