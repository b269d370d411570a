"""Keeps the rules that X holds equal to those that a filter asks for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfm_stream import clock
from sfm_stream.errors import RulesRefusedError
from sfm_stream.record.journal import Journal
from sfm_stream.sources.x import api
from sfm_stream.sources.x.client import XRefused
from sfm_stream.sources.x.refusals import RefusalKind
from sfm_stream.sources.x.rule_keeper import RuleKeeper
from sfm_stream.sources.x.settings import Rule, XStream
from tests.support.journal import entries
from tests.unit.rules_server import App, serving

TAG = "sfm:storms:main"


def wanting(*words: str) -> XStream:
    rules = tuple(Rule(name=f"main{number or ''}", query=word) for number, word in enumerate(words))
    return XStream(kind="filterstream", name="storms", credential="lab", rules=rules)


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


def test_a_refused_rule_is_found_before_any_other_is_deleted(found: Filter) -> None:
    """X judges the new rules first; what it held stays, and the state has its words."""
    found.app.add("rain", "sfm:storms:old")
    found.app.add("snow", TAG)
    before = found.app.held()
    found.keeper.ask_for(wanting("hail", "rain"))
    found.app.invalid = {"hail"}
    with pytest.raises(RulesRefusedError, match="'hail'"):
        found.keeper.reconcile("change of settings")
    assert not found.keeper.settled
    assert found.app.held() == before
    assert found.journal("rules") == found.journal("shortage") == []
    state = found.keeper.state
    assert not state.in_force
    assert (state.missing, state.fault) == (2, "X refused the rule 'hail': no such operator")


def test_rules_that_went_first_are_put_back_when_x_refuses_the_new_one_after_all(found: Filter) -> None:
    """What its dry run took it refuses when it counts: the old rules come back, and the journal tells how long."""
    found.app.add("hail OR rain", TAG)
    found.app.cap = 1
    found.app.invalid_later = {"hail"}
    with pytest.raises(RulesRefusedError, match="'hail'"):
        found.keeper.reconcile("start")
    assert found.app.held() == {("hail OR rain", TAG)}
    assert [entry["missing"] for entry in found.journal("shortage")] == [1, 0]
    assert found.journal("rules")[-1]["by"] == "refusal"


def test_a_change_stopped_half_way_is_a_shortage_until_the_next_look_completes_it(found: Filter) -> None:
    """What was deleted before X said no for a while is missing, and is the first to come back."""
    found.app.add("hail", "sfm:storms:old")
    found.app.answers = [None, None, None, (429, {"title": "Too Many Requests"})]  # list, dry run, delete
    with pytest.raises(XRefused):
        found.keeper.reconcile("start")
    assert found.app.held() == set()
    assert [entry["missing"] for entry in found.journal("shortage")] == [1]
    assert "Too Many Requests" in found.keeper.state.fault
    found.keeper.reconcile("check")
    assert found.app.held() == {("hail", TAG)}
    assert [entry["missing"] for entry in found.journal("shortage")] == [1, 0]
    assert (found.keeper.state.in_force, found.keeper.state.fault) == (True, "")


def test_nothing_is_deleted_that_x_would_not_let_us_replace(found: Filter) -> None:
    """Its answer to the dry run says how many changes it still grants: too few, and the change waits."""
    found.app.add("hail", "sfm:storms:old")
    found.app.rate_limit = {"x-rate-limit-remaining": "2", "x-rate-limit-reset": str(int(time.time()) + 600)}
    with pytest.raises(XRefused) as caught:
        found.keeper.reconcile("start")
    assert caught.value.refusal.kind is RefusalKind.RATE_LIMIT
    assert caught.value.refusal.reset is not None
    assert found.app.held() == {("hail", "sfm:storms:old")}
    assert found.journal("shortage") == []


def test_rules_that_somebody_deleted_are_a_shortage_since_they_were_last_seen(found: Filter) -> None:
    """Nobody knows when they went."""
    found.keeper.reconcile("start")
    seen = found.keeper.state.checked
    found.app.rules.clear()
    found.keeper.reconcile("check")
    assert seen is not None
    first, last = found.journal("shortage")
    assert (first["missing"], first["since"], last["missing"]) == (1, clock.text(seen), 0)
    assert found.app.held() == {("hail", TAG)}


def test_a_start_goes_on_with_the_rules_before_where_x_refuses_the_new_ones(
    found: Filter, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so in log, journal and state; where X holds none of the filter's, there is nothing to go on with."""
    found.app.invalid = {"hail"}
    with pytest.raises(RulesRefusedError):
        found.keeper.prepare("start")
    found.app.add("rain", TAG)
    found.keeper.prepare("start")
    assert found.app.held() == {("rain", TAG)}
    assert "X refused the rule 'hail': no such operator; the rules before it stay in force" in caplog.text
    assert [entry["fault"] for entry in found.journal("settings")] == ["X refused the rule 'hail': no such operator"]
    asked = len(found.app.asked)
    found.keeper.prepare("reconnect")
    assert len(found.app.asked) == asked, "a reconnect soon after does not try again"


def test_a_start_goes_on_where_x_cannot_change_rules_just_now(found: Filter) -> None:
    """The rules before are better than none; the watch makes the change as soon as X does it."""
    found.app.add("rain", TAG)
    found.app.answers = [None, (503, {"title": "down"})]
    found.keeper.prepare("start")
    assert not found.keeper.settled
    found.app.answers = [(503, {"title": "down"})]
    found.keeper.doubt()
    with pytest.raises(XRefused):
        found.keeper.prepare("reconnect")


def test_a_shortage_of_a_killed_process_lasts_until_the_rules_are_whole(tmp_path: Path) -> None:
    """What it left at X is nothing to go back to."""
    with serving(App()) as app:
        app.add("rain", TAG)
        journal = Journal(tmp_path / "journal")
        keeper = RuleKeeper(wanting("hail"), app.client, journal, missing=3)
        app.invalid = {"hail"}
        keeper.prepare("start")
        assert entries(tmp_path / "journal", "shortage") == []
        app.invalid = set()
        keeper.reconcile("check")
        assert [each["missing"] for each in entries(tmp_path / "journal", "shortage")] == [0]


def test_a_full_app_is_asked_for_its_cap_and_changed_in_slices(found: Filter) -> None:
    """It holds fewer than the settings say: old rules make room for new ones, one after the other."""
    for number in range(5):
        found.app.add(f"old{number}", TAG)
    found.app.cap = 5
    found.keeper.ask_for(wanting(*(f"new{number}" for number in range(5))))
    found.keeper.reconcile("change of settings")
    assert {value for value, _ in found.app.held()} == {f"new{number}" for number in range(5)}
    assert ("GET", f"{api.RULES}/counts", "") in found.app.asked


def test_what_x_does_not_answer_is_raised(found: Filter) -> None:
    """Nothing is changed, and nothing taken for settled."""
    found.app.answers = [(503, {})]
    with pytest.raises(XRefused):
        found.keeper.reconcile("start")
    assert not found.keeper.settled
    assert found.journal("rules") == []


def test_the_watch_takes_up_other_settings_at_once(found: Filter) -> None:
    """And journals that they were the reason; a rule that X refuses ends nothing."""
    found.keeper.reconcile("start")
    threading.Thread(target=found.keeper.watch, daemon=True).start()
    for word, invalid in (("rain", False), ("bad", True), ("snow", False)):
        found.app.invalid = {word} if invalid else set()
        found.keeper.ask_for(wanting(word))
        journaled = threading.Event()
        while not (found.keeper.settled or (invalid and found.journal("settings"))):
            assert not journaled.wait(0.01)
    assert found.app.held() == {("snow", TAG)}
    assert [entry["by"] for entry in found.journal("rules")] == ["start", *["change of settings"] * 2]
    assert found.journal("shortage") == []
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
    found.keeper.ask_for(wanting("rain"))
    while not found.keeper.settled:
        pause.wait(0.01)
    assert found.app.held() == {("rain", TAG)}


def test_a_watch_survives_whatever_goes_wrong(found: Filter, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of the program's own is logged in one line, told in the state, and tried again."""
    found.keeper.reconcile("start")
    found.app.broken = RuntimeError("odd")
    threading.Thread(target=found.keeper.watch, daemon=True).start()
    found.keeper.check_soon()
    pause = threading.Event()
    while "a fault of the program: RuntimeError('odd')" not in caplog.text:
        pause.wait(0.01)
    assert found.keeper.state.fault == "odd"
    found.app.broken = None
    while found.keeper.state.fault:
        pause.wait(0.01)
    assert found.keeper.state.in_force
