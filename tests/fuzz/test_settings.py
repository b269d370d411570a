"""Settings files and inventory variables of any shape: documented errors, one line each, and no secret in them."""

from __future__ import annotations

import copy
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.errors import ConfigError
from sfm_stream.settings.config import list_streams, read_environment, validate_file
from sfm_stream.settings.preflight import examine
from sfm_stream.settings.variables import typed

SECRET = "AAAAAAAAAAAAAAAAAAAAAJ0k7Qz3xW9vB2mT5pR8sLd"
OPTIONS: dict[str, Any] = {}
for specs in sorted(Path(__file__).parents[2].glob("roles/*/meta/argument_specs.yml")):
    OPTIONS |= yaml.safe_load(specs.read_text())["argument_specs"]["main"]["options"]

INVENTORY: dict[str, Any] = {
    "sfm_credentials": {"library": {"bearer_token": SECRET, "budget": {"per_day": 1000}}},
    "sfm_filters": [
        {
            "name": "elections",
            "credential": "library",
            "track": ["election"],
            "locations": [[-77.1, 38.7, -76.9, 38.9]],
        },
        {
            "name": "storms",
            "credential": "library",
            "rules": [{"name": "main", "query": "hail lang:en"}],
            "active": False,
        },
    ],
    "sfm_streamsample": {"credential": "library", "active": False},
    "sfm_environment": {"https_proxy": "http://proxy:3128"},
    "sfm_operators": ["alice"],
    "sfm_data_dir": "/var/lib/sfm/data",
    "sfm_save_interval": 900,
    "sfm_min_free": "5%",
}
STREAM: dict[str, Any] = {
    "kind": "filterstream",
    "name": "storms",
    "credential": "library",
    "data_dir": "/d",
    "state_dir": "/s",
    "save_interval": 900,
    "min_free": "1G",
    "budget": {"per_day": 5},
    "rules": [{"name": "main", "track": ["hail"], "locations": [[-77.1, 38.7, -76.9, 38.9]]}],
}
CREDENTIAL: dict[str, Any] = {"bearer_token": SECRET}

numbers = st.integers() | st.floats() | st.sampled_from([10**400, -0.0, 83, 1e308])
texts = st.text() | st.sampled_from(
    ["", "a\nb", "\x00", "\u2028", "\x1b[31m", "x" * 5000, "é" * 70, "true", "0123", "..", "%(x)s"]
)
leaves = st.none() | st.booleans() | numbers | texts
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
from_yaml = st.recursive(
    leaves | st.dates() | st.datetimes() | st.just(dt.date(2026, 11, 24)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts | st.integers() | st.booleans() | st.none() | st.dates(), inner, max_size=4)
    ),
    max_leaves=12,
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in plain data."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        found += places(each, (*path, key))
    return found


@st.composite
def altered(draw: st.DrawFn, good: Any, values: st.SearchStrategy[Any]) -> Any:
    """Good data, with values at a few places replaced, keys renamed or taken away, or items added."""
    data = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(data)))
        if not path:
            continue
        parent = data
        for key in path[:-1]:
            parent = parent[key]
        match draw(st.sampled_from(["value", "value", "key", "gone", "secret"])):
            case "value":
                parent[path[-1]] = draw(values)
            case "key" if isinstance(parent, dict):
                parent[draw(texts)] = parent.pop(path[-1])
            case "secret":
                parent[path[-1]] = draw(st.sampled_from([SECRET, [SECRET], {SECRET: SECRET}, {"x": {"token": SECRET}}]))
            case _:
                del parent[path[-1]]
    return data


def judge(lines: list[str]) -> None:
    """Each fault is one printable line that shows no secret."""
    for line in lines:
        assert len(line.splitlines()) == 1, repr(line)
        assert all(char.isprintable() for char in line), repr(line)
        assert SECRET not in line
        assert "Traceback" not in line


def judge_inventory(variables: dict[str, Any]) -> None:
    plan = examine({"host": typed(variables, OPTIONS)}, OPTIONS)
    judge([str(fault) for fault in (*plan.faults, *plan.warnings)])


@given(altered(INVENTORY, from_yaml))
def test_an_inventory_with_anything_in_any_place_gets_faults_and_no_error(variables: dict[str, Any]) -> None:
    """Whatever YAML can make of what was written there."""
    judge_inventory({str(key): value for key, value in variables.items()})


@given(st.dictionaries(st.sampled_from(sorted(OPTIONS)) | texts.map("sfm_{}".format), from_yaml, max_size=6))
def test_variables_of_any_kind_get_faults_and_no_error(variables: dict[str, Any]) -> None:
    """Those that the roles know, and names that they do not."""
    judge_inventory(variables)


@given(
    st.sampled_from([STREAM, CREDENTIAL, {"https_proxy": "http://proxy:3128"}]).flatmap(
        lambda good: altered(good, anything)
    )
)
def test_a_file_with_anything_in_any_place_is_valid_or_a_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    """One line for each fault, each beginning with the file's name."""
    judge_file(tmp_path_factory, json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@given(
    st.binary(max_size=200)
    | st.builds(
        lambda good, at, cut, junk: good[:at] + junk + good[at + cut :],
        st.sampled_from([json.dumps(STREAM).encode(), json.dumps(CREDENTIAL).encode()]),
        st.integers(0, 200),
        st.integers(0, 50),
        st.binary(max_size=20),
    )
    | st.builds(
        lambda depth, kind: kind * depth, st.integers(1, 3000), st.sampled_from([b"[", b'{"rules":', b'{"a":['])
    )
)
def test_bytes_of_any_kind_are_a_configuration_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """Damaged, cut, or of another making; and a list of streams names the file and shows the others."""
    judge_file(tmp_path_factory, raw)


def judge_file(folder: pytest.TempPathFactory, raw: bytes) -> None:
    streams = folder.getbasetemp() / "streams"
    streams.mkdir(exist_ok=True)
    path = streams / "twitterfilter-storms.json"
    path.write_bytes(raw)
    path.chmod(0o640)
    for read in (validate_file, read_environment):
        try:
            read(path)
        except ConfigError as error:
            lines = str(error).split("\n")
            assert all(line.startswith(str(path)) for line in lines), lines
            judge(lines)
    [listed] = list_streams(folder.getbasetemp())
    judge(getattr(listed, "fault", "").split("\n") if getattr(listed, "fault", "") else [])
