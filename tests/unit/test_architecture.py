"""The house as docs/architecture.md draws it: who may know whom."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfm_stream.sources import registry

PACKAGE = Path(__file__).resolve().parents[2] / "sfm_stream"
CORE = sorted(path for path in PACKAGE.rglob("*.py") if "sources" not in path.relative_to(PACKAGE).parts)
LAYERS = ("matching", "record", "archive", "capture", "report", "export", "commands")
"""A layer knows those before it; `settings` and `sources` know each other by the registry alone."""


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_outside_sources_names_a_source(path: Path) -> None:
    """Neither by an import, nor by its name in a text that the program uses."""
    theirs = tuple(f"sfm_stream.sources.{source}" for source in registry.names())
    found = [each for each in imports(path) if each.startswith(theirs)]
    named = [
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in {*registry.names()} - {"x"}
    ]
    assert (found, named) == ([], [])


@pytest.mark.parametrize("source", registry.names())
def test_a_source_does_not_know_another(source: str) -> None:
    """What two of them share stands beside their folders."""
    others = tuple(f"sfm_stream.sources.{other}." for other in registry.names() if other != source)
    for path in (PACKAGE / "sources" / source).rglob("*.py"):
        assert [each for each in imports(path) if f"{each}.".startswith(others)] == [], path


@pytest.mark.parametrize("layer", LAYERS)
def test_no_import_leads_upwards(layer: str) -> None:
    """Records know nothing of the capture that makes them, the archive nothing of commands."""
    above = tuple(f"sfm_stream.{each}" for each in LAYERS[LAYERS.index(layer) + 1 :])
    for path in (PACKAGE / layer).rglob("*.py"):
        assert [each for each in imports(path) if above and each.startswith(above)] == [], path


def test_the_registry_has_every_source_folder() -> None:
    """A folder that nobody asks for would be forgotten."""
    folders = {path.parent.name for path in (PACKAGE / "sources").glob("*/source.py")}
    assert folders == set(registry.names())
    assert all(re.fullmatch("[a-z]+", name) for name in folders)
