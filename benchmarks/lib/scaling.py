"""The same work on ever more things: CPU time by size, and how it grows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks.lib import rounds
from benchmarks.lib.process import Used
from benchmarks.lib.result import Table

Measure = Callable[[int], Used]


def measure(number: int, sizes: Sequence[int], competitors: Mapping[str, Measure]) -> dict[str, dict[int, list[Used]]]:
    """What each competitor used for each size, round by round; a size of more than 100,000 has a round in five."""
    found: dict[str, dict[int, list[Used]]] = {name: {} for name in competitors}
    for size in sizes:
        often = number if size <= 100_000 else max(1, number // 5)
        turns = rounds.interleave(often, {name: partial(each, size) for name, each in competitors.items()})
        for name, figures in turns.items():
            found[name][size] = figures
    return found


def growth(figures: Mapping[int, Sequence[Used]], start: float) -> float:
    """The exponent of what things cost; the start, which is none of theirs, is taken off."""
    return rounds.exponent(
        {size: max(1e-6, statistics.median(each.cpu for each in used) - start) for size, used in figures.items()}
    )


def table(
    title: str, what: str, figures: Mapping[str, Mapping[int, Sequence[Used]]], starts: Mapping[str, float]
) -> Table:
    """A row for each competitor: CPU µs of one thing at each size, the exponent, the most memory."""
    sizes = list(next(iter(figures.values())))
    rows = []
    for name, by_size in figures.items():
        each = [
            (statistics.median(one.cpu for one in used) - starts[name]) / size * 1e6 for size, used in by_size.items()
        ]
        memory = max(one.memory for used in by_size.values() for one in used)
        rows.append((name, *(f"{one:.0f}" for one in each), f"{growth(by_size, starts[name]):.2f}", f"{memory:.0f}"))
    return Table(title, ("", *(f"µs/{what}, {size:,}" for size in sizes), "EXPONENT", "PEAK MB"), rows)
