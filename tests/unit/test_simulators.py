"""What an inventory may say of simulated sources, and the programs that come of it."""

from __future__ import annotations

from typing import Any

import pytest

from sfm_stream.settings.simulators import VARIABLE, simulator_faults, simulator_option, simulators
from sfm_stream.settings.variables import kind_faults, typed
from sfm_stream.sources import registry


def faults(value: Any) -> list[str]:
    """All that is wrong with a value of the variable, a line each."""
    options = {VARIABLE: simulator_option()}
    return [str(each) for each in (*kind_faults({VARIABLE: value}, options, ()), *simulator_faults(value))]


def test_options_alone_are_those_of_the_source_that_came_first() -> None:
    """Its program, and the arguments of deployed hosts, are the same in either form."""
    alone = {"port": 8970, "rate": 20, "loop": True, "backfill": False}
    assert faults(alone) == faults({registry.DEFAULT: alone}) == []
    (program,) = simulators(alone)
    assert program.program == "sfm-simulator"
    assert program.arguments == ("simulate", "--port", "8970", "--rate", "20", "--loop")
    assert simulators({registry.DEFAULT: alone}) == [program]


def test_each_source_has_a_simulator_of_its_own() -> None:
    """With its own defaults, which are ports of their own; `source:` and `source: {}` mean the same."""
    value: dict[str, Any] = {name: {} for name in registry.names()}
    assert faults(value) == []
    found = simulators(value)
    assert [each.source for each in found] == list(registry.names())
    assert len({each.program for each in found}) == len(found)
    assert all(each.arguments[1:] == (each.source,) for each in found if each.source != registry.DEFAULT)
    assert simulators(dict.fromkeys(registry.names())) == found


def test_nothing_is_simulated_where_nothing_is_asked_for() -> None:
    assert faults({}) == []
    assert simulators({}) == []


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"prt": 1}, "sfm_simulator: unknown key 'prt'; did you mean 'port'?"),
        ({"blusky": {}}, "sfm_simulator: unknown key 'blusky'; did you mean 'bluesky'?"),
        ({"bluesky": {"cap": 5}}, "sfm_simulator: bluesky: unknown key 'cap'"),
        ({"bluesky": {"rate": "fast"}}, 'sfm_simulator: bluesky: rate: found "fast"; a number is needed'),
        ({"bluesky": 8971}, "sfm_simulator: bluesky: found 8971 (a number); a mapping of keys to values is needed"),
        ({"bluesky": {"rate": 0}}, "sfm_simulator: bluesky: rate: found 0 (a number); allowed is more than 0"),
        ({"port": 70000}, "sfm_simulator: port: found 70000 (a number); allowed is at least 0 and at most 65535"),
        (
            {"x": {}, "rate": 20},
            "sfm_simulator: options (rate) stand beside sources (x); move them below the source whose simulator",
        ),
        (
            {"x": {}, "bluesky": {"port": 8970}},
            "sfm_simulator: the simulators of bluesky and x listen on port 8970; give each a port of its own",
        ),
        ({"host": "192.0.2.1"}, "sfm_simulator: unknown key 'host'"),
        ({"app": "one=token"}, "sfm_simulator: unknown key 'app'"),
    ],
)
def test_what_cannot_be_simulated_is_named(value: dict[str, Any], fault: str) -> None:
    """Item, value, and what is allowed."""
    assert [line for line in faults(value) if line.startswith(fault)], faults(value)


def test_text_from_the_command_line_becomes_what_the_simulator_declares() -> None:
    """As for every variable of the roles."""
    text = {"bluesky": {"port": "8971", "rate": "2.5"}, "x": {"loop": "yes"}}
    assert typed({VARIABLE: text}, {VARIABLE: simulator_option()}) == {
        VARIABLE: {"bluesky": {"port": 8971, "rate": 2.5}, "x": {"loop": True}}
    }
