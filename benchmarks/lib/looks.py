"""What the kernel says of a running process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class Look(NamedTuple):
    """A process at one moment.

    Attributes:
        private: Megabytes that it alone holds: what one more program adds to a host.
        cpu: Seconds since its start.
        descriptors: Open ones.
    """

    private: float
    cpu: float
    descriptors: int


def look(pid: int) -> Look:
    """Looks at a process."""
    process = Path(f"/proc/{pid}")
    private = sum(
        int(line.split()[1])
        for line in (process / "smaps_rollup").read_text().splitlines()
        if line.startswith("Private_")
    )
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return Look(private / 1024, (int(fields[11]) + int(fields[12])) / _TICKS, len(list((process / "fd").iterdir())))
