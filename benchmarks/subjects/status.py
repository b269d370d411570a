"""Looking at a host: status, check and metrics by the number of its streams.

Each stream has a day of journal, a live status and four weeks of rates. Counted is all, start included: it is what a
person waits for, and what a timer costs each minute.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from benchmarks.lib import process, rounds, scaling, streams
from benchmarks.lib.process import Used
from benchmarks.lib.result import Plan, Result

SIZES, BOUNDED_SIZES = (10, 100, 1000), (10, 100)
COMMANDS = ("status", "check", "metrics")
_ANY_VERDICT = '"$@"; test $? -lt 4'
"""No program runs, so that status and check find trouble, and exit with it."""


def run(plan: Plan) -> Result:
    """Measures."""
    made: set[int] = set()

    def host(number: int) -> Path:
        place = plan.folder / str(number)
        if number not in made:
            made.add(number)
            streams.fill(place / "etc", place / "state", number)
        return place

    def look(command: str, number: int) -> Used:
        place = host(number)
        places: list[str | Path] = ["--config-dir", place / "etc", "--state-dir", place / "state"]
        ours = [sys.executable, "-m", "sfm_stream", command, *places]
        return process.run(["sh", "-c", _ANY_VERDICT, "sh", *ours], cwd=place)

    competitors = {name: lambda number, name=name: look(name, number) for name in COMMANDS}
    start = [sys.executable, "-m", "sfm_stream", "--version"]
    begin = statistics.median(process.run(start, cwd=plan.folder).cpu for _ in range(5))
    figures = scaling.measure(plan.rounds, BOUNDED_SIZES if plan.bounded else SIZES, competitors)
    whole = dict.fromkeys(COMMANDS, 0.0)
    hundred = {name: [each.cpu for each in figures[name][100]] for name in COMMANDS}
    return Result(
        [scaling.table("Streams, start included", "stream", figures, whole)],
        {
            "status of 100 streams / start": rounds.ratio(hundred["status"], [begin] * len(hundred["status"])),
            "metrics of 100 streams / start": rounds.ratio(hundred["metrics"], [begin] * len(hundred["metrics"])),
            "exponent of status": scaling.growth(figures["status"], begin),
        },
        [f"CPU seconds of 100 streams: {', '.join(f'{n} {statistics.median(c):.2f}' for n, c in hundred.items())}."],
    )
