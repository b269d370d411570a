"""Room on the filesystem of the data directory."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from sfm_stream.settings.checks import parse_floor

MARGIN = 1.05
"""A stream that stopped for want of room goes on only when there is this much more than the floor."""


class Room(msgspec.Struct, frozen=True):
    """Free bytes (for programs that are not root's), and how many must stay so."""

    free: int
    floor: int

    @property
    def short(self) -> bool:
        """Whether a running stream must stop."""
        return self.free < self.floor

    @property
    def enough_again(self) -> bool:
        """Whether a stopped stream may go on."""
        return self.free >= self.floor * MARGIN


def room(directory: Path, min_free: str) -> Room:
    """The room at `directory`.

    Raises:
        OSError: The directory cannot be reached.
    """
    filesystem = os.statvfs(directory)
    size, share = parse_floor(min_free) or (0, 0.0)
    return Room(
        free=filesystem.f_bavail * filesystem.f_frsize,
        floor=max(size, int(filesystem.f_blocks * filesystem.f_frsize * share)),
    )
