"""How tests wait for what a process does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 90.0
"""Seconds after which something is given up: more than it takes on a machine with much else to do."""


def until(condition: Callable[[], T], *what: object, patience: float = PATIENCE) -> T:
    """Waits until `condition` gives something true, and returns it; `what` is told where it does not."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {' '.join(map(str, what))}"
        time.sleep(0.02)
    return found
