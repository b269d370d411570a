"""The fuzz tests look for a bounded time unless they are asked for more."""

from __future__ import annotations

from hypothesis import settings


def test_no_example_fails_for_being_slow() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None
