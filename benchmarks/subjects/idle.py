"""Standing still: what a program costs that is connected and gets nothing, by source.

Private memory is what one more program adds to a host (``Private`` in the kernel's ``smaps_rollup``); what programs
share, they have once. CPU is that of a day, reckoned from the time looked at.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack

from benchmarks.lib.looks import look
from benchmarks.lib.programs import Program
from benchmarks.lib.result import Plan, Result, Table
from tests.support.simulator import Simulator

PROGRAMS, BOUNDED_PROGRAMS = 25, 3
SECONDS, BOUNDED_SECONDS = 3600.0, 20.0
SETTLED = 5.0
"""Seconds after the connect in which what a start asks of the service is answered."""
_DAY = 86400.0


def run(plan: Plan) -> Result:
    """Measures."""
    number = BOUNDED_PROGRAMS if plan.bounded else PROGRAMS
    seconds = BOUNDED_SECONDS if plan.bounded else SECONDS
    with ExitStack() as until_end:
        programs: dict[str, list[tuple[Program, int]]] = {"X": [], "Bluesky": []}
        # One event in many days: the simulators must be asked for some rate.
        x = until_end.enter_context(Simulator(plan.folder / "x", "--rate", "0.00001"))
        bluesky = until_end.enter_context(
            Simulator(plan.folder / "bluesky", "--rate", "0.01", "--past", "0", source="bluesky")
        )
        for index in range(number):
            settings: dict[str, dict[str, object]] = {
                "X": {
                    "kind": "filterstream",
                    "credential": "c",
                    "api_url": x.url,
                    "rules": [{"name": "main", "track": ["storm"]}],
                },
                "Bluesky": {"source": "bluesky", "track": ["storm"], "hosts": [bluesky.url.replace("http:", "ws:")]},
            }
            for source, own in settings.items():
                place = plan.folder / f"{source}-{index}"
                program = Program(place, {"name": f"b{index}", **own}, token=f"token-{index}")
                running = program.start()
                until_end.callback(running.wait)
                until_end.callback(running.terminate)
                program.wait(running, lambda status: status["state"] == "connected")
                programs[source].append((program, running.pid))
        time.sleep(SETTLED)
        before = {source: [look(pid) for _, pid in each] for source, each in programs.items()}
        time.sleep(seconds)
        after = {source: [look(pid) for _, pid in each] for source, each in programs.items()}
    rows, ratios = [], {}
    for source in programs:
        private = statistics.median(each.private for each in after[source])
        grown = max(b.private - a.private for a, b in zip(before[source], after[source], strict=True))
        cpu = statistics.median(b.cpu - a.cpu for a, b in zip(before[source], after[source], strict=True))
        most = max(each.descriptors for each in after[source])
        rows.append((source, f"{private:.1f}", f"{grown:+.2f}", f"{cpu / seconds * _DAY:.0f}", most))
        ratios[f"private MB, {source}"] = private
    header = ("SOURCE", "PRIVATE MB", "GROWN BY", "CPU s A DAY", "DESCRIPTORS")
    return Result([Table(f"{number} programs of each, connected for {seconds:.0f} s", header, rows)], ratios)
