"""The ratios that are accepted, and those that are wanted."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

FILE = Path(__file__).parents[1] / "bands.toml"


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one ratio.

    Attributes:
        low: The least that is accepted.
        high: The most that is accepted.
        goal: The most that is wanted, where there is such a figure; shown beside the ratio, and never a fault.
    """

    low: float
    high: float
    goal: float | None = None

    def holds(self, ratio: float) -> bool:
        """Whether a ratio lies within."""
        return self.low <= ratio <= self.high


def read(file: Path = FILE) -> dict[str, dict[str, Band]]:
    """The bands of each subject, by the names of its ratios."""
    return msgspec.convert(tomllib.loads(file.read_text()), dict[str, dict[str, Band]])


def outside(ratios: Mapping[str, float], bands: Mapping[str, Band]) -> list[str]:
    """One sentence for each ratio that leaves its band, is not measured, or has none."""
    faults = [f"{name}: {ratio:.3g} has no band" for name, ratio in ratios.items() if name not in bands]
    for name, band in bands.items():
        if name not in ratios:
            faults.append(f"{name}: has a band, but was not measured")
        elif not band.holds(ratios[name]):
            faults.append(f"{name}: {ratios[name]:.3g} is outside its band, {band.low:g} to {band.high:g}")
    return faults
