"""What a subject is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sfm_stream.table import render


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        bounded: The short form, for CI.
        rounds: How often each competitor runs.
        folder: An empty directory, removed afterwards.
        peers: The Python of the peers' environment.
    """

    bounded: bool
    rounds: int
    folder: Path
    peers: Path


@dataclass(frozen=True)
class Table:
    """Figures to print: numbers are formatted already, and stand to the right but in the first column."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __str__(self) -> str:
        return f"{self.title}\n\n{render(self.header, self.rows, right=self.header[1:])}"


@dataclass(frozen=True)
class Result:
    """What was measured.

    Attributes:
        tables: To print.
        ratios: Figures that hold on any machine, by name, to be compared with the bands.
        notes: What a reader of the tables must know.
    """

    tables: Sequence[Table]
    ratios: Mapping[str, float]
    notes: Sequence[str] = field(default=())
