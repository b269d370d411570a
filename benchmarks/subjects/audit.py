"""Checking the archive: sfm-stream audit beside sha256sum.

The audit reads all files, and holds tree, manifests, journals and earlier audits against each other; sha256sum --check
reads the files that the manifests name.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.lib import process, rounds, scaling
from benchmarks.lib.archive_tree import fill
from benchmarks.lib.process import Used
from benchmarks.lib.result import Plan, Result

SIZES, BOUNDED_SIZES = (1_000, 10_000, 100_000, 1_000_000), (1_000, 8_000)
SIZE = 1000
"""Bytes of a file: small, so that what is measured is the care and not the hashing."""

OURS, SUMS = "sfm-stream audit", "sha256sum --check"
_SUMS = (
    'find . -name SHA256SUMS | while read -r list; do (cd "${list%/*}" && sha256sum --quiet --check SHA256SUMS); done'
)


def run(plan: Plan) -> Result:
    """Measures."""
    made: set[int] = set()

    def archive(files: int) -> Path:
        place = plan.folder / str(files)
        if files not in made:
            made.add(files)
            place.mkdir()
            fill(place / "data", place / "state", files, SIZE)
            command = [sys.executable, "-m", "sfm_stream", "organizedata", "--dir", str(place / "data")]
            subprocess.run([*command, "--state-dir", str(place / "state")], check=True, stdout=subprocess.DEVNULL)
        return place

    def audit(files: int) -> Used:
        place = archive(files)
        command: list[str | Path] = [sys.executable, "-m", "sfm_stream", "audit", "--dir", place / "data"]
        return process.run([*command, "--state-dir", place / "state"], cwd=place)

    def sums(files: int) -> Used:
        return process.run(["sh", "-c", _SUMS], cwd=archive(files) / "data")

    competitors = {OURS: audit, SUMS: sums}
    # Of two files, since the audit of nothing is a finding.
    starts = {name: statistics.median(each(2).cpu for _ in range(5)) for name, each in competitors.items()}
    figures = scaling.measure(plan.rounds, BOUNDED_SIZES if plan.bounded else SIZES, competitors)
    size = BOUNDED_SIZES[-1] if plan.bounded else 100_000
    ours, other = ([each.cpu - starts[name] for each in figures[name][size]] for name in (OURS, SUMS))
    return Result(
        [scaling.table(f"Files of {SIZE} bytes", "file", figures, starts)],
        {"audit / sha256sum": rounds.ratio(ours, other), "exponent": scaling.growth(figures[OURS], starts[OURS])},
    )
