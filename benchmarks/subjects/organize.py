"""Sorting files into the date tree: organizedata beside a bare rename loop.

organizedata lists each file in its day's manifest with the sha256 that its program recorded, and syncs; the loop
renames.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path

from benchmarks.lib import process, rounds, scaling
from benchmarks.lib.archive_tree import fill
from benchmarks.lib.process import CompetitorError, Used
from benchmarks.lib.result import Plan, Result

SIZES, BOUNDED_SIZES = (1_000, 10_000, 100_000, 1_000_000), (1_000, 8_000)
OURS, LOOP = "sfm-stream organizedata", "rename loop"
_LOOP = Path(__file__).parents[1] / "peers" / "rename_loop.py"


def run(plan: Plan) -> Result:
    """Measures."""

    def sort(files: int, *command: str | Path) -> Used:
        place = process.fresh(plan.folder / "sort")
        data, state = place / "data", place / "state"
        fill(data, state, files, 0)
        used = process.run([*command, data, *(("--state-dir", state) if command[0] != plan.peers else ())], cwd=place)
        if left := [file for file in data.glob("*.jsonl.gz") if file.is_file()]:
            raise CompetitorError(f"{command} left {len(left)} files")
        shutil.rmtree(place)
        return used

    def ours(files: int) -> Used:
        return sort(files, sys.executable, "-m", "sfm_stream", "organizedata", "--dir")

    def loop(files: int) -> Used:
        return sort(files, plan.peers, _LOOP)

    competitors = {OURS: ours, LOOP: loop}
    starts = {name: statistics.median(each(0).cpu for _ in range(5)) for name, each in competitors.items()}
    figures = scaling.measure(plan.rounds, BOUNDED_SIZES if plan.bounded else SIZES, competitors)
    # A size at which starts do not matter and all rounds ran.
    size = BOUNDED_SIZES[-1] if plan.bounded else 100_000
    own, others = ([each.cpu - starts[name] for each in figures[name][size]] for name in (OURS, LOOP))
    return Result(
        [scaling.table("Files with journals, empty", "file", figures, starts)],
        {
            "organizedata / rename loop": rounds.ratio(own, others),
            "exponent": scaling.growth(figures[OURS], starts[OURS]),
        },
    )
