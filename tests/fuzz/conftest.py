"""How long the fuzz tests look: bounded by default, for hours with SFM_FUZZ=long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no finding: no deadline for one example.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("bounded", max_examples=100, derandomize=True, **_COMMON)
settings.register_profile("long", max_examples=20_000, **_COMMON)
LONG = os.environ.get("SFM_FUZZ") == "long"
settings.load_profile("long" if LONG else "bounded")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long form takes what it takes: the time limit of a test is for those that hang."""
    if LONG:
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.timeout(0))
