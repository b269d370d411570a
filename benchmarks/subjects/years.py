"""Journals of years: what a look, a table of gaps and the start of a program cost by the age of a stream.

A file each 15 minutes, which is usual. Starts included: a person waits for all of it.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from benchmarks.lib import process, rounds, scaling, streams
from benchmarks.lib.process import Used
from benchmarks.lib.result import Plan, Result

DAYS, BOUNDED_DAYS = (1, 365, 3650), (1, 200)
STATUS, GAPS, START = "status", "gaps", "start of a program"
_ANY_VERDICT = '"$@"; test $? -lt 4'
_START = """
import sys
from pathlib import Path
from sfm_stream.record import last_run
last_run.read(Path(sys.argv[1]), "twitterfilter-filter0000")
"""


def run(plan: Plan) -> Result:
    """Measures."""
    made: set[int] = set()

    def host(days: int) -> Path:
        place = plan.folder / str(days)
        if days not in made:
            made.add(days)
            streams.fill(place / "etc", place / "state", 1, days)
        return place

    def ours(days: int, *command: str | Path) -> Used:
        whole = ["sh", "-c", _ANY_VERDICT, "sh", sys.executable, "-m", "sfm_stream", *command]
        return process.run([*whole, "--state-dir", host(days) / "state"], cwd=host(days))

    def look(days: int) -> Used:
        return ours(days, "status", "--config-dir", host(days) / "etc")

    def gaps(days: int) -> Used:
        return ours(days, "gaps")

    def start(days: int) -> Used:
        place = host(days)
        return process.run([sys.executable, "-c", _START, place / "state"], cwd=place)

    figures = scaling.measure(
        plan.rounds, BOUNDED_DAYS if plan.bounded else DAYS, {STATUS: look, GAPS: gaps, START: start}
    )
    day, *_, oldest = figures[STATUS]
    size = (host(oldest) / "state" / "journal" / "twitterfilter-filter0000.jsonl").stat().st_size
    seconds = {
        name: " ".join(f"{statistics.median(each.cpu for each in used):.2f}" for used in by_days.values())
        for name, by_days in figures.items()
    }
    return Result(
        [scaling.table("Days of a journal, start included", "day", figures, dict.fromkeys(figures, 0.0))],
        {
            "status, oldest / a day": rounds.ratio(
                [each.cpu for each in figures[STATUS][oldest]], [each.cpu for each in figures[STATUS][day]]
            ),
            "peak MB of gaps": max(each.memory for each in figures[GAPS][oldest]),
        },
        [
            f"The journal of {oldest:,} days has {size / 1e6:.1f} MB.",
            "CPU seconds: " + "; ".join(f"{name} {each}" for name, each in seconds.items()) + ".",
        ],
    )
