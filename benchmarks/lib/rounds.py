"""Competitors taking turns, and what is made of their figures.

On a machine that others use as well, a figure of one minute cannot be compared with that of another. So all
competitors run in each round, every other round in reverse, and ratios are made within a round before the median is
taken over the rounds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def interleave(rounds: int, competitors: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """The figures of each competitor, round by round."""
    figures: dict[str, list[T]] = {name: [] for name in competitors}
    for number in range(rounds):
        order = list(competitors)
        for name in reversed(order) if number % 2 else order:
            figures[name].append(competitors[name]())
    return figures


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """The median of the ratios within the rounds."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def exponent(figures: Mapping[int, float]) -> float:
    """The slope of figures by size on logarithmic scales (least squares): 1 is linear."""
    sizes = [math.log(size) for size in figures]
    values = [math.log(value) for value in figures.values()]
    return statistics.linear_regression(sizes, values).slope
