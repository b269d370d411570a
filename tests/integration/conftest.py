"""A simulated X, and a program that captures from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import Program
from tests.support.simulator import Simulator


@pytest.fixture
def x(tmp_path: Path) -> Iterator[Simulator]:
    """An X with many posts a second."""
    with Simulator(tmp_path, "--rate", "200") as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, x: Simulator) -> Iterator[Program]:
    """A filter of that X, not started yet."""
    made = Program(tmp_path / "host", x.url)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()
