"""Filters of Bluesky in an inventory: what is at fault is named, and what is right becomes a program's settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from sfm_stream.cli import cli
from sfm_stream.settings.preflight import ResolvedStream, examine
from sfm_stream.settings.secrecy import HIDDEN
from sfm_stream.sources import registry
from sfm_stream.sources.bluesky.settings import HOSTS, BlueskyStream

TOKEN = "AAAAAAAAAAAAAAAAAAAAAsecretsecretsecret"
KNOWN: dict[str, dict[str, Any]] = {
    f"sfm_{name}": {}
    for name in ("bluesky_hosts", "bluesky_wire", "contact", "credentials", "filters", "rule_count", "save_interval")
}
DID = "did:plc:" + "a" * 24
HARVEST: dict[str, Any] = {"name": "harvest", "source": "bluesky", "track": ["harvest"]}


def faults(*filters: dict[str, Any], **variables: Any) -> list[str]:
    return [str(each) for each in examine({"host": {"sfm_filters": list(filters), **variables}}, KNOWN).faults]


def declared(**variables: Any) -> list[ResolvedStream]:
    plan = examine({"host": variables}, KNOWN)
    assert plan.faults == ()
    return list(plan.hosts["host"])


def test_a_filter_becomes_the_settings_of_its_program() -> None:
    """With the host's variables, and without a credential or a price."""
    entry = HARVEST | {
        "tags": ["harvest"],
        "follow": [DID],
        "langs": ["en"],
        "save_interval": 60,
        "budget": {"per_day": 5000},
    }
    [found] = declared(sfm_filters=[entry], sfm_contact="archive@example.org", sfm_bluesky_wire=1)
    stream = found.stream
    assert isinstance(stream, BlueskyStream)
    assert (stream.program, stream.arguments) == ("bluesky-harvest", ("filterstream", "harvest"))
    assert (stream.track, stream.tags, stream.follow, stream.langs) == (("harvest",), ("harvest",), (DID,), ("en",))
    assert (stream.hosts, stream.wire, stream.contact) == (HOSTS, 1, "archive@example.org")
    assert (stream.save_interval, stream.credential) == (60.0, "")
    assert (stream.budget.per_day, stream.budget.per_month, stream.budget.price) == (5000, None, 0.0)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (HARVEST | {"source": "blusky"}, "filter 'harvest': source: found \"blusky\"; did you mean 'bluesky'?"),
        (HARVEST | {"source": ["bluesky"]}, "filter 'harvest': source: found [\"bluesky\"]; did you mean 'bluesky'?"),
        (HARVEST | {"credential": "library"}, "filter 'harvest': it names a credential; Bluesky needs none"),
        (HARVEST | {"tarck": ["x"]}, "filter 'harvest': unknown key 'tarck'; did you mean 'track'?"),
        (HARVEST | {"locations": []}, "filter 'harvest': unknown key 'locations'; "),
        (HARVEST | {"everything": True}, "filter 'harvest': it asks for everything, and for a part of it; "),
        ({"name": "harvest", "source": "bluesky"}, "filter 'harvest': it says nothing to match; give track, "),
        (HARVEST | {"langs": ["english!"]}, "filter 'harvest': langs[0]: found \"english!\"; a language's code"),
        (HARVEST | {"query": "(corn"}, "filter 'harvest': query: found \"(corn\"; "),
        (HARVEST | {"budget": {"per_month": 1}}, "filter 'harvest': budget: unknown key 'per_month'; "),
        (HARVEST | {"name": "no/slash"}, "filter 'no/slash': found the name "),
    ],
)
def test_a_fault_of_a_filter_is_named_alone_with_its_cure(entry: dict[str, Any], message: str) -> None:
    (found,) = faults(entry)
    assert found.startswith(message)


def test_all_faults_of_filters_of_two_sources_are_found_at_once() -> None:
    """And none is told of one source in the words of another."""
    of_x = {"name": "storms", "track": ["storm"], "tags": ["hail"]}
    found = faults(HARVEST | {"credential": TOKEN, "langs": ["?"]}, of_x)
    assert len(found) == 4
    assert sum("filter 'harvest'" in each for each in found) == 2
    assert any(each.startswith("filter 'storms': the key 'credential' is missing") for each in found)
    assert TOKEN not in "".join(found)
    assert HIDDEN not in "".join(found)


def test_two_filters_of_one_name_are_refused_whatever_their_sources() -> None:
    """`sfm-stream filterstream NAME` names one of them."""
    of_x = {"name": "harvest", "credential": "library", "track": ["harvest"]}
    (found,) = faults(HARVEST, of_x, sfm_credentials={"library": {"bearer_token": TOKEN}})
    assert found == 'sfm_filters: two filters are named "harvest"; rename one of them'


def test_filters_of_a_source_without_credentials_stand_beside_each_other() -> None:
    """On one host and on several: there is nothing that they could share."""
    plan = examine({name: {"sfm_filters": [HARVEST, HARVEST | {"name": "corn"}]} for name in ("a", "b")}, KNOWN)
    assert plan.faults == ()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("sfm_bluesky_wire", 3, "sfm_bluesky_wire: found 3"),
        ("sfm_bluesky_hosts", "wss://a.example.org", "sfm_bluesky_hosts: found"),
        ("sfm_bluesky_hosts", ["ws://a.example.org"], "filter 'harvest': hosts[0]: found \"ws://a.example.org\"; "),
        ("sfm_contact", 12, "sfm_contact: found 12"),
    ],
)
def test_a_fault_of_the_hosts_variables_is_named(variable: str, value: object, message: str) -> None:
    (found,) = faults(HARVEST, **{variable: value})
    assert found.startswith(message)


def test_the_digest_stays_with_all_that_a_running_program_takes_up() -> None:
    """What is matched here reaches it by SIGHUP; how it connects and writes does not."""

    def digest(entry: dict[str, Any], **variables: Any) -> str:
        return declared(sfm_filters=[entry], **variables)[0].digest

    same = digest(HARVEST)
    assert digest(HARVEST | {"track": ["corn"], "tags": ["corn"], "langs": ["de"]}) == same
    assert digest(HARVEST, sfm_rule_count=5) == same, "a variable of X's concerns no filter of another source"
    others = [
        digest(HARVEST | {"save_interval": 60}),
        digest(HARVEST | {"collections": ["app.bsky.feed.*"]}),
        digest(HARVEST, sfm_contact="archive@example.org"),
        digest(HARVEST, sfm_bluesky_wire=1),
    ]
    assert len({same, *others}) == 5


def test_the_sources_are_listed_with_what_each_needs_and_can() -> None:
    """All that the registry has."""
    shown = CliRunner().invoke(cli, ["sources"], catch_exceptions=False).output
    found = json.loads(CliRunner().invoke(cli, ["sources", "--json"], catch_exceptions=False).output)
    assert [each["source"] for each in found] == list(registry.names())
    for each in found:
        assert each.keys() == {"source", "title", "needs", "gaps", "deletions", "costs"}
        assert all(each.values())
        assert each["needs"] in shown
        assert each["gaps"] in shown


@pytest.mark.parametrize("name", registry.names())
def test_a_sources_part_of_an_inventory_is_complete(name: str) -> None:
    """Its entries say their source, and no variable of its own is another's."""
    inventory = registry.source(name).inventory()
    assert {"name", "source", "active", "save_interval", "save_bytes"} <= set(inventory.filter.__struct_fields__)
    assert ("credential" in inventory.filter.__struct_fields__) == (inventory.credential is not None)
    others = [registry.source(each).inventory().variables for each in registry.names() if each != name]
    assert not any(set(inventory.variables.__struct_fields__) & set(each.__struct_fields__) for each in others)
