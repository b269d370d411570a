"""The machine that figures belong to."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def described() -> str:
    """Processor, cores, memory, kernel, system and Python, on one line."""
    processor = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return (
        f"{processor}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB, "
        f"Linux {platform.release()}, {system}, Python {platform.python_version()}"
    )
