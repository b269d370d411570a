"""Keeps the rules that X holds equal to those that a filter asks for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfm_stream.capture.client import Refused
from sfm_stream.capture.rule_keeper import RuleKeeper
from sfm_stream.errors import RulesRefusedError
from sfm_stream.record.journal import Journal
from sfm_stream.settings.model import Rule, Stream
from tests.support.journal import entries
from tests.unit.rules_server import App, serving

TAG = "sfm:storms:main"


def wanting(*words: str) -> Stream:
    rules = tuple(Rule(name=f"main{number or ''}", query=word) for number, word in enumerate(words))
    return Stream(kind="filterstream", name="storms", credential="lab", rules=rules)


class Filter:
    """A keeper of a filter that wants hail, its journal, and the app at X."""

    def __init__(self, path: Path, app: App) -> None:
        self.app, self.path = app, path / "journal"
        self.keeper = RuleKeeper(wanting("hail"), app.client, Journal(self.path))

    def journal(self, event: str) -> list[dict[str, Any]]:
        return entries(self.path, event)


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Filter]:
    with serving(App()) as app:
        yield Filter(tmp_path, app)


def test_missing_rules_are_added_and_stale_ones_deleted(found: Filter) -> None:
    """The journal says what, and what led to it; a second look changes and journals nothing."""
    found.app.add("rain", TAG)
    assert not found.keeper.settled
    for _ in range(2):
        found.keeper.reconcile("start")
        assert found.app.held() == {("hail", TAG)}
        assert found.keeper.settled
    (entry,) = found.journal("rules")
    assert entry["by"] == "start"
    assert entry["added"] == [{"value": "hail", "tag": TAG}]
    assert entry["removed"] == [{"value": "rain", "tag": TAG}]
    assert entry["kept"] == 0


def test_rules_of_others_are_left_and_reported_when_they_change(found: Filter) -> None:
    """In log and journal, once, not at every look."""
    found.app.add("their words", "theirs")
    found.keeper.reconcile("start")
    found.keeper.reconcile("check")
    found.app.add("more words", "")
    found.keeper.reconcile("check")
    assert found.app.held() >= {("their words", "theirs"), ("more words", "")}
    assert [len(entry["rules"]) for entry in found.journal("foreign")] == [1, 2]


def test_foreign_rules_that_are_gone_are_reported_too(found: Filter) -> None:
    """From then on their posts no longer arrive."""
    found.app.add("their words", "theirs")
    found.keeper.reconcile("start")
    found.app.rules.clear()
    found.keeper.reconcile("check")
    assert [len(entry["rules"]) for entry in found.journal("foreign")] == [1, 0]


def test_a_value_that_x_holds_under_another_tag_is_covered_by_it(
    found: Filter, caplog: pytest.LogCaptureFixture
) -> None:
    """X refuses it twice; the posts arrive, and the log says under which tag."""
    found.app.add("hail", "theirs")
    found.keeper.reconcile("start")
    assert found.app.held() == {("hail", "theirs")}
    assert "held under another tag" in caplog.text


def test_a_refused_rule_is_raised_and_what_was_done_before_it_is_journaled(found: Filter) -> None:
    """The journal tells the truth of a plan that was cut short."""
    found.app.add("rain", "sfm:storms:old")
    found.app.add("snow", TAG)
    found.keeper.stream = wanting("hail", "rain")
    found.app.invalid = {"rain"}
    with pytest.raises(RulesRefusedError, match="'rain'"):
        found.keeper.reconcile("change of settings")
    assert not found.keeper.settled
    assert found.app.held() == {("hail", TAG)}
    (entry,) = found.journal("rules")
    assert [rule["value"] for rule in entry["added"]] == ["hail"]
    assert {rule["value"] for rule in entry["removed"]} == {"rain", "snow"}


def test_what_x_does_not_answer_is_raised(found: Filter) -> None:
    """Nothing is changed, and nothing taken for settled."""
    found.app.answers = [(503, {})]
    with pytest.raises(Refused):
        found.keeper.reconcile("start")
    assert not found.keeper.settled
    assert found.journal("rules") == []


def test_the_watch_takes_up_other_settings_at_once(found: Filter) -> None:
    """And journals that they were the reason; a rule that X refuses ends nothing."""
    found.keeper.reconcile("start")
    threading.Thread(target=found.keeper.watch, daemon=True).start()
    for word, invalid in (("rain", False), ("bad", True), ("snow", False)):
        found.app.changed.clear()
        found.app.invalid = {word} if invalid else set()
        found.keeper.settled = False
        found.keeper.stream = wanting(word)
        found.keeper.check_soon()
        assert found.app.changed.wait(5)
        journaled = threading.Event()
        while not (found.keeper.settled or (invalid and found.journal("settings"))):
            assert not journaled.wait(0.01)
    assert found.app.held() == {("snow", TAG)}
    assert [entry["by"] for entry in found.journal("rules")] == ["start", *["change of settings"] * 2]
    assert "X refused the rule 'bad'" in found.journal("settings")[0]["fault"]


def test_a_watch_that_could_not_ask_goes_on(found: Filter, caplog: pytest.LogCaptureFixture) -> None:
    """The next change of settings is taken up though the last look failed."""
    found.keeper.reconcile("start")
    found.app.answers = [(503, {"title": "down"})]
    threading.Thread(target=found.keeper.watch, daemon=True).start()
    found.keeper.check_soon()
    pause = threading.Event()
    while "rules not checked" not in caplog.text:
        pause.wait(0.01)
    found.keeper.stream = wanting("rain")
    found.app.changed.clear()
    found.keeper.check_soon()
    assert found.app.changed.wait(5)
