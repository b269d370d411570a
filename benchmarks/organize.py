"""organizedata beside a bare rename loop, in one run: how much the care costs.

    python benchmarks/organize.py [--files 10000] [--rounds 7] [--bytes 1000] [--old]
    python benchmarks/organize.py --memory [--files 1000000] [--batch 20000]

The first prints the time of each, round by round, and the median of the ratios. Both sort
the same files of two programs over a month, whose journals name their sha256; `--old`
leaves the journals out, as for files of SFM, which have to be read once. The second
prints the peak of resident memory for a tenth of the files, and for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sfm_stream import names
from sfm_stream.archive import loose
from sfm_stream.archive.organize import Organizer

START = datetime(2026, 11, 1, tzinfo=UTC)
PROGRAMS = ("twitterfilter-storms", "streamsample")


def fill(data: Path, state: Path, files: int, size: int, journals: bool) -> None:
    """Makes the files of a month, and the journals that name them."""
    content = os.urandom(size)
    data.mkdir()
    (state / "journal").mkdir(parents=True)
    step = timedelta(days=30) / max(1, files // len(PROGRAMS))
    for program in PROGRAMS:
        with (state / "journal" / f"{program}.jsonl").open("w") as journal:
            for index in range(files // len(PROGRAMS)):
                # Where there are more files than seconds, the number tells them apart.
                when = START + step * index
                capture = names.CaptureName(program=program, time=when.replace(microsecond=0), number=index + 1)
                with open(data / str(capture), "wb") as file:  # noqa: PTH123 - a million of them
                    file.write(content)
                line = {
                    "time": when.isoformat(),
                    "event": "rotate",
                    "file": str(capture),
                    "bytes": size,
                    "sha256": f"{index:064x}",
                }
                if journals:
                    journal.write(json.dumps(line) + "\n")
    os.sync()


def bare(data: Path) -> None:
    """The least that sorts the files: read the name, make the directory, rename."""
    made = set()
    for name in os.listdir(data):  # noqa: PTH208
        capture = names.parse(name)
        assert capture is not None
        target = f"{data}/{capture.program}/{capture.time:%Y/%m/%d/%H}"
        if target not in made:
            os.makedirs(target, exist_ok=True)  # noqa: PTH103
            made.add(target)
        os.rename(f"{data}/{name}", f"{target}/{name}")  # noqa: PTH104


def compare(files: int, size: int, rounds: int, journals: bool) -> float:
    """The median, over the rounds, of organizedata's time by the bare loop's."""
    ratios = []
    for number in range(rounds):
        taken = {}
        # Each goes first in every other round, so that neither gains by its turn.
        for side in ("bare", "organizedata") if number % 2 else ("organizedata", "bare"):
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as top:
                data, state = Path(top, "data"), Path(top, "state")
                fill(data, state, files, size, journals)
                start = time.perf_counter()
                if side == "bare":
                    bare(data)
                else:
                    outcome = Organizer(data, None, state).run()
                    assert outcome.moved == files // 2 * 2, outcome
                taken[side] = time.perf_counter() - start
        ratios.append(taken["organizedata"] / taken["bare"])
        sides = ", ".join(f"{side} {taken[side]:.3f} s" for side in sorted(taken))
        print(f"round {number + 1}: {sides}, ratio {ratios[-1]:.2f}")
    return statistics.median(ratios)


def peak(files: int, batch: int) -> int:
    """Peak resident memory in kilobytes of a process that sorts so many files."""
    top = Path(tempfile.mkdtemp(dir=Path.cwd()))
    try:
        fill(top / "data", top / "state", files, 0, journals=True)
        command = [sys.executable, __file__, "--one", str(top), "--batch", str(batch)]
        return int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    finally:
        shutil.rmtree(top)


def main() -> None:
    """Parses the arguments and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int)
    parser.add_argument("--bytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--old", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--batch", type=int, default=loose.BATCH_FILES)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        loose.BATCH_FILES = options.batch
        Organizer(options.one / "data", None, options.one / "state").run()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    elif options.memory:
        for files in ((options.files or 1_000_000) // 10, options.files or 1_000_000):
            print(f"{files} files: {peak(files, options.batch) / 1024:.0f} MB resident at most")
    else:
        ratio = compare(options.files or 10_000, options.bytes, options.rounds, not options.old)
        print(f"median ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
