"""The subjects, one module each, found by their names.

A module has a docstring, whose first line titles its tables, and ``run(plan: Plan) -> Result``.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Protocol, cast

from benchmarks.lib.result import Plan, Result


class Subject(Protocol):
    """What a module here offers."""

    __doc__: str

    def run(self, plan: Plan) -> Result:
        """Measures; a bounded plan asks for a short form."""


def names() -> list[str]:
    """All subjects."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Subject:
    """The subject of this name."""
    return cast(Subject, importlib.import_module(f"{__name__}.{name}"))
