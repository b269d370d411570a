"""Making a report: the first one, which reads all files, and the next, beside gzip, which only reads them.

A week of one filter of X, posts as the simulator makes them, in files of 15 minutes. The report has pages, tables and
figures.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from datetime import date
from pathlib import Path

from benchmarks.lib import process, rounds, scaling
from benchmarks.lib.process import Used
from benchmarks.lib.result import Plan, Result
from tests.support.collected import Collecting, Host

SIZES, BOUNDED_SIZES = (10_000, 100_000, 1_000_000), (5_000, 40_000)
DAYS = 7
FIRST, NEXT, GZIP = "sfm-stream report, first", "sfm-stream report, next", "gzip -dc"


def run(plan: Plan) -> Result:
    """Measures."""
    hosts: dict[int, Host] = {}

    def host(posts: int) -> Host:
        if posts not in hosts:
            place = plan.folder / str(posts)
            place.mkdir()
            hosts[posts] = Host(place, date(2026, 11, 1), DAYS)
            hosts[posts].collect(Collecting("x", "storms", posts // DAYS))
        return hosts[posts]

    def report(posts: int) -> Used:
        found = host(posts)
        place = found.config.parent
        command: list[str | Path] = [sys.executable, "-m", "sfm_stream", "report", *found.options]
        return process.run([*command, "--to", "2026-11-07", "-o", place / "out"], cwd=place)

    def first(posts: int) -> Used:
        shutil.rmtree(host(posts).state / "summaries", ignore_errors=True)
        return report(posts)

    def again(posts: int) -> Used:
        if not (host(posts).state / "summaries").exists():
            report(posts)
        return report(posts)

    def gzip(posts: int) -> Used:
        found = host(posts)
        script = "find data -name '*.gz' -print0 | xargs -0 gzip -dc | wc -l"
        return process.run(["sh", "-c", script], cwd=found.config.parent)

    competitors = {FIRST: first, NEXT: again, GZIP: gzip}
    figures = scaling.measure(plan.rounds, BOUNDED_SIZES if plan.bounded else SIZES, competitors)
    size = (BOUNDED_SIZES if plan.bounded else SIZES)[-1]
    cpu = {name: [each.cpu for each in by_size[size]] for name, by_size in figures.items()}
    # What a report of next to nothing costs: imports, pages, tables.
    start = statistics.median(first(DAYS).cpu for _ in range(3))
    return Result(
        [scaling.table("Posts of a week, start included", "post", figures, dict.fromkeys(competitors, 0.0))],
        {
            "first report / gzip": rounds.ratio(cpu[FIRST], cpu[GZIP]),
            "next report / first": rounds.ratio(cpu[NEXT], cpu[FIRST]),
            "exponent": scaling.growth(figures[FIRST], start),
        },
        [f"CPU seconds of {size:,} posts: {', '.join(f'{n} {statistics.median(c):.1f}' for n, c in cpu.items())}."],
    )
