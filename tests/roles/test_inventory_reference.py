"""The roles, the reference, and the example speak of the same variables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from sfm_stream.sources import registry
from sfm_stream.sources.x.inventory import Sample
from sfm_stream.sources.x.settings import Fields
from tests.roles.streams_host import ROOT, run_playbook

REFERENCE = ROOT / "docs" / "inventory.md"
EXAMPLE = ROOT / "inventory.example"
# What only `playbooks/remove.yml` reads, from its command line.
ELSEWHERE = {"sfm_remove_confirmed"}


def defaults() -> dict[str, Any]:
    """The variables of all roles, with their defaults."""
    found: dict[str, Any] = {}
    for path in (ROOT / "roles").glob("*/defaults/main.yml"):
        found |= yaml.safe_load(path.read_text())
    return {name: value for name, value in found.items() if name not in ELSEWHERE}


def tables() -> dict[str, str]:
    """Each name in the first column of the reference's tables, with its default as it is written there."""
    rows = re.findall(r"^\| (.+?) \| (.*?) ?\| .+ \|$", REFERENCE.read_text(), re.MULTILINE)
    return {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}


def test_the_reference_has_every_variable_with_its_default() -> None:
    """Nothing is missing, nothing is left over, and the defaults are those of the roles."""
    documented = {name: text for name, text in tables().items() if name.startswith("sfm_")}
    assert documented.keys() == defaults().keys()
    for name, value in defaults().items():
        if isinstance(value, str) and "{{" in value:
            continue
        written = documented[name].strip("`")
        expected = value if isinstance(value, str) and value else json.dumps(value)
        assert written == expected, name


CREDENTIALS = [kind for name in registry.names() if (kind := registry.source(name).inventory().credential)]
FILTERS = [registry.source(name).inventory().filter for name in registry.names()]


@pytest.mark.parametrize("kind", [*FILTERS, Sample, *CREDENTIALS])
def test_the_reference_has_every_key_of_filters_and_credentials(kind: type[msgspec.Struct]) -> None:
    """A key that the examination takes is written down."""
    assert set(kind.__struct_fields__) - tables().keys() == set()


def test_the_reference_names_the_kinds_of_fields() -> None:
    """They are written in the row of sfm_fields."""
    row = next(line for line in REFERENCE.read_text().splitlines() if line.startswith("| `sfm_fields`"))
    assert [name for name in Fields.__struct_fields__ if f"`{name}`" not in row] == []


def test_the_example_shows_every_variable_and_no_other() -> None:
    """In use, or commented out with its default."""
    text = EXAMPLE.read_text()
    assert set(re.findall(r"\bsfm_\w+", text)) == defaults().keys()
    for name, value in re.findall(r"^ *# (sfm_\w+): (.+)$", text, re.MULTILINE):
        if not value.startswith("("):
            assert yaml.safe_load(value) == defaults()[name], name


def test_the_example_passes_the_examination(tmp_path: Path) -> None:
    """As it stands, with what a trial needs: filters of every source, one inactive, the sample, all simulators."""
    inventory = yaml.safe_load(EXAMPLE.read_text())
    host = inventory["all"]["hosts"]["this-machine"]
    active = [each for each in host["sfm_filters"] if each.get("active", True)]
    assert {each.get("source", registry.DEFAULT) for each in active} == set(registry.names())
    assert len(active) == len(host["sfm_filters"]) - 1
    assert host["sfm_streamsample"]
    assert inventory["all"]["vars"]["sfm_simulator"].keys() == set(registry.names())
    run = run_playbook(ROOT / "playbooks" / "preflight.yml", inventory, tmp_path).ok()
    assert "1 host, 6 streams, 5 of them active" in run.output
    assert "WARNING" not in run.output
