"""The roles, the reference, and the example speak of the same variables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from sfm_stream.settings.declared import DeclaredCredential
from sfm_stream.settings.model import Fields
from sfm_stream.sources import registry
from sfm_stream.sources.x.inventory import Sample
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


FILTERS = [registry.source(name).inventory().filter for name in registry.names()]


@pytest.mark.parametrize("kind", [*FILTERS, Sample, DeclaredCredential])
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


def test_the_filter_that_the_example_leaves_out_passes_too(tmp_path: Path) -> None:
    """With its remark signs taken away it stands beside the others."""
    lines = EXAMPLE.read_text().splitlines()
    first = lines.index("        # - name: harvest")
    lines[first : first + 4] = [line.replace("# ", "", 1) for line in lines[first : first + 4]]
    inventory = yaml.safe_load("\n".join(lines))
    assert inventory["all"]["hosts"]["this-machine"]["sfm_filters"][-1]["source"] == "bluesky"
    run = run_playbook(ROOT / "playbooks" / "preflight.yml", inventory, tmp_path).ok()
    assert "1 host, 5 streams, 4 of them active" in run.output
    assert "WARNING" not in run.output


def test_the_example_passes_the_examination(tmp_path: Path) -> None:
    """As it stands, with what a trial needs: two active filters, one asleep, the sample, the simulator."""
    inventory = yaml.safe_load(EXAMPLE.read_text())
    host = inventory["all"]["hosts"]["this-machine"]
    assert [each.get("active", True) for each in host["sfm_filters"]] == [True, True, False]
    assert host["sfm_streamsample"]
    assert inventory["all"]["vars"]["sfm_simulator"]
    run = run_playbook(ROOT / "playbooks" / "preflight.yml", inventory, tmp_path).ok()
    assert "WARNING" not in run.output
