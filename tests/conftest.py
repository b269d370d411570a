"""How long, and how, hypothesis looks for examples, in all tests.

By default each run tries the same examples, so that what fails has been broken by the change at hand. To look for what
no run has met yet: ``--hypothesis-profile=random`` (with ``--hypothesis-seed=N`` to see it again), or, for hours,
``SFM_FUZZ=long`` with tests/fuzz.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no finding: no deadline for one example, pytest's time limit is enough.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("bounded", max_examples=100, derandomize=True, **_COMMON)
settings.register_profile("random", max_examples=100, **_COMMON)
settings.register_profile("long", max_examples=20_000, **_COMMON)
LONG = os.environ.get("SFM_FUZZ") == "long"
settings.load_profile("long" if LONG else "bounded")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long form takes what it takes: the time limit of a test is for those that hang."""
    if LONG:
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent / "fuzz"):
                item.add_marker(pytest.mark.timeout(0))
