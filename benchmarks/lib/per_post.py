"""What one post costs each competitor: of many, with what a single one takes, the start and the end, taken off."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar

from benchmarks.lib import rounds
from benchmarks.lib.process import Used


class Measured(Protocol):
    """What is known of one run."""

    @property
    def used(self) -> Used:
        """CPU seconds and megabytes."""


F = TypeVar("F", bound=Measured)


class PerPost(NamedTuple, Generic[F]):
    """The runs of all competitors, each by its name.

    Attributes:
        figures: Of the many posts, round by round.
        starts: CPU seconds of a single one.
        cost: CPU microseconds of a post, round by round.
    """

    figures: dict[str, list[F]]
    starts: dict[str, float]
    cost: dict[str, list[float]]

    def usual(self, name: str) -> float:
        """The median cost."""
        return statistics.median(self.cost[name])

    def memory(self, name: str) -> float:
        """The most that was resident, in MB."""
        return max(figure.used.memory for figure in self.figures[name])


def measure(number: int, competitors: Mapping[str, Callable[[int], F]], posts: Mapping[str, int]) -> PerPost[F]:
    """Has the competitors take turns.

    Args:
        number: Of rounds.
        competitors: Each takes how many posts to read.
        posts: That many, by competitor.
    """
    many = rounds.interleave(number, {name: partial(each, posts[name]) for name, each in competitors.items()})
    one = rounds.interleave(number, {name: partial(each, 1) for name, each in competitors.items()})
    starts = {name: statistics.median(figure.used.cpu for figure in figures) for name, figures in one.items()}
    cost = {
        name: [(figure.used.cpu - starts[name]) / posts[name] * 1e6 for figure in figures]
        for name, figures in many.items()
    }
    return PerPost(many, starts, cost)
