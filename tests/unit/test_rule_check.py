"""X judges the rules of a filter without taking them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfm_stream.errors import RulesRefusedError
from sfm_stream.settings.faults import Secret
from sfm_stream.sources.x.rule_check import check_rules, refusals
from sfm_stream.sources.x.settings import Rule, XCredential, XStream
from tests.support.program import Program
from tests.support.simulator import Simulator

SECRET = XCredential(bearer_token=Secret("TOKEN"))


@pytest.fixture
def x(tmp_path: Path) -> Iterator[Simulator]:
    """An X that takes five rules, of no more than forty characters."""
    with Simulator(tmp_path, "--rule-count", "5", "--rule-length", "40") as running:
        yield running


def stream(x: Simulator, *queries: str, **more: Any) -> XStream:
    rules = tuple(Rule(name=f"r{number}", query=query) for number, query in enumerate(queries))
    return XStream(kind="filterstream", name="f", credential="c", rules=rules, api_url=x.url, rule_count=5, **more)


def held(x: Simulator) -> list[str]:
    return [rule["value"] for rule in x.ask("/2/tweets/search/stream/rules").get("data", [])]


def test_x_is_asked_and_takes_nothing(x: Simulator) -> None:
    """Rules that it holds already are fine."""
    x.ask("/2/tweets/search/stream/rules", {"add": [{"value": "storm"}]})
    assert check_rules(stream(x, "storm", "flood", "new_operator:1"), SECRET) == 3
    assert held(x) == ["storm"]


def test_all_that_x_refuses_is_told_in_its_words(x: Simulator) -> None:
    """A line for each rule; the good ones are not named."""
    long = "(" + " OR ".join(f"word{number}" for number in range(9)) + ")"
    told = refusals(stream(x, "storm", long), SECRET)
    assert len(told) == 1
    assert told[0].startswith("X refused the rule '(word0")
    assert "no longer than 40 characters" in told[0]


def test_where_the_app_has_little_room_rules_are_judged_a_few_at_a_time(x: Simulator) -> None:
    """A whole change is to be judged though old rules still stand; where there is no room at all, that is said."""

    def fill(*values: str) -> None:
        x.ask("/2/tweets/search/stream/rules", {"add": [{"value": value} for value in values]})

    fill("a", "b", "c", "d")
    assert check_rules(stream(x, "storm", "flood", "a"), SECRET) == 3
    fill("e")
    with pytest.raises(RulesRefusedError, match="judges no new rule while the app holds as many as it may"):
        check_rules(stream(x, "storm"), SECRET)
    assert check_rules(stream(x, "a", "b"), SECRET) == 2


def test_who_cannot_be_asked_is_named(x: Simulator) -> None:
    """What was not judged is not called well."""
    x.plan({"on": "rules", "method": "POST", "do": "refuse", "status": 503})
    assert "X did not judge the rules: HTTP 503" in refusals(stream(x, "storm"), SECRET)[0]
    nowhere = XStream(kind="filterstream", name="f", credential="c", rules=(Rule(name="r", query="a"),),
                     api_url="http://127.0.0.1:9")  # fmt: skip
    assert "X did not judge the rules: network error" in refusals(nowhere, SECRET)[0]


def test_the_command_ends_with_66_where_x_refuses(tmp_path: Path, x: Simulator) -> None:
    """And with 0 and a line where it takes all; with 65 where the credential is none."""
    program = Program(tmp_path / "host", x.url, rules=[{"name": "r", "query": "storm " * 6}], rule_length=100)

    def check() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sfm_stream", "rules", "check", "storms", "--config-dir", str(program.folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    good = check()
    assert (good.returncode, good.stdout) == (0, "X takes the rules of storms: 1\n")
    program.write_settings(rules=[{"name": "r", "query": " ".join(["storm"] * 9)}])
    bad = check()
    assert bad.returncode == 66
    assert bad.stderr.startswith("sfm-stream: X refused the rule 'storm storm")
    x.plan({"on": "rules", "method": "POST", "do": "refuse", "status": 401})
    assert check().returncode == 65
    assert held(x) == []
