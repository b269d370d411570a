"""The plan from the rules that X holds to those that a filter wants."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.sources.x.rules.compiler import XRule
from sfm_stream.sources.x.rules.packing import terms
from sfm_stream.sources.x.rules.reconcile import BATCH, SLICES, Add, Changes, Delete, LiveRule, lost, plan

NAME, LIMIT = "storms", 8
OWN_TAGS, FOREIGN_TAGS = ["sfm:storms:a", "sfm:storms:b"], ["", "other", "sfm:storm:a", "sfm:storms2:a"]
VALUES = ["hail", "rain", "snow", "wind", "hail OR rain", "snow OR wind", "fog OR snow"]


class App:
    """X's side: holds rules, refuses a value twice and more rules than the limit; `look` sees each state."""

    def __init__(self, rules: list[LiveRule], limit: int = LIMIT, look: Callable[[App], None] = lambda _: None) -> None:
        self.rules = {rule.id: rule for rule in rules}
        self.limit, self.look = limit, look
        self.next_id = 1000

    def carry_out(self, changes: Changes) -> None:
        for step in changes.steps:
            if isinstance(step, Delete):
                for rule in step.rules:
                    del self.rules[rule.id]
            else:
                assert len(step.rules) <= BATCH
                for wanted in step.rules:
                    assert wanted.value not in {rule.value for rule in self.rules.values()}, "X refuses a duplicate"
                    self.next_id += 1
                    self.rules[str(self.next_id)] = LiveRule(str(self.next_id), wanted.value, wanted.tag)
                    assert len(self.rules) <= self.limit, "X refuses more rules than its limit"
            self.look(self)


def held(*values: str, tag: str = OWN_TAGS[0]) -> list[LiveRule]:
    return [LiveRule(str(number), value, tag) for number, value in enumerate(values)]


@st.composite
def live_rules(draw: st.DrawFn) -> list[LiveRule]:
    values = draw(st.lists(st.sampled_from(VALUES), unique=True))
    tags = [draw(st.sampled_from(OWN_TAGS + FOREIGN_TAGS)) for _ in values]
    return [LiveRule(str(index), value, tag) for index, (value, tag) in enumerate(zip(values, tags, strict=True))]


wanted_rules = st.lists(
    st.builds(XRule, st.sampled_from(VALUES), st.sampled_from(OWN_TAGS)), unique_by=lambda rule: rule.value
)


@given(live_rules(), wanted_rules, st.integers(0, 3))
def test_the_plan_makes_own_rules_equal_the_wanted_and_touches_no_other(
    live: list[LiveRule], wanted: list[XRule], spare: int
) -> None:
    """Whatever X holds and however full, each request is one that X accepts, and the end is what was asked for."""
    foreign = [rule for rule in live if rule.tag in FOREIGN_TAGS]
    foreign_values = {rule.value for rule in foreign}
    own = {XRule(rule.value, rule.tag) for rule in live if rule not in foreign}
    target = {rule for rule in wanted if rule.value not in foreign_values}
    limit = max(len(live), len(foreign) + len(target)) + spare
    most = 0

    def count(app: App) -> None:
        nonlocal most
        most = max(most, lost(own, wanted, app.rules.values()))

    app = App(live, limit, count)
    changes = plan(NAME, wanted, live, limit)
    app.carry_out(changes)
    after = list(app.rules.values())
    assert [rule for rule in after if rule in foreign] == foreign == list(changes.foreign)
    assert {XRule(rule.value, rule.tag) for rule in after if rule not in foreign} == target
    assert set(changes.covered) == {rule for rule in wanted if rule.value in foreign_values}
    assert plan(NAME, wanted, after, limit).steps == (), "a second plan has nothing to do"
    assert most <= changes.exposed, "more rules were missing than was foretold"


@given(live_rules(), wanted_rules)
def test_where_there_is_room_nothing_is_missed(live: list[LiveRule], wanted: list[XRule]) -> None:
    """Only a rule whose tag alone changes is missing for a moment: X refuses its value twice."""
    moved = {rule.value for rule in wanted} & {rule.value for rule in live}
    changes = plan(NAME, [rule for rule in wanted if rule.value not in moved], live, 100)
    assert changes.exposed == 0


@given(st.integers(1, 300), st.integers(0, 300), st.integers(0, 30))
def test_in_a_full_app_few_rules_are_missing_at_a_time(old: int, new: int, spare: int) -> None:
    """All of them are replaced, each by one with the same words, and never is more than a slice of them missing."""
    live = held(*(f"w{number}" for number in range(old)))
    wanted = [XRule(f"w{number} OR x{number}", OWN_TAGS[0]) for number in range(new)]
    limit = max(old, new) + spare
    changes = plan(NAME, wanted, live, limit)
    App(live, limit).carry_out(changes)
    assert changes.exposed <= max(1, math.ceil(new / SLICES))
    surplus = math.ceil(max(0, old - new) / BATCH)  # what nothing replaces takes requests of its own
    assert sum(math.ceil(len(step.rules) / BATCH) for step in changes.steps) <= 2 * SLICES + 1 + max(1, surplus)


def test_new_rules_come_before_old_ones_go() -> None:
    """Nothing is missed between the two requests."""
    changes = plan(NAME, [XRule("rain", OWN_TAGS[0])], held("hail"), LIMIT)
    assert [type(step) for step in changes.steps] == [Add, Delete]


def test_a_rule_that_only_changes_its_tag_is_deleted_first() -> None:
    """X cannot edit a tag and refuses the same value twice."""
    changes = plan(NAME, [XRule("hail", OWN_TAGS[1])], held("hail"), LIMIT)
    assert [type(step) for step in changes.steps] == [Delete, Add]
    assert changes.exposed == 1


def test_only_as_many_go_first_as_the_new_ones_need_room() -> None:
    """An app that is full takes a new rule after one has gone, and that is one which nobody wants any more."""
    live = held("rain OR hail", *(f"v{number}" for number in range(LIMIT - 1)))
    changes = plan(NAME, [XRule("rain", OWN_TAGS[0])], live, LIMIT)
    assert [(type(step), len(step.rules)) for step in changes.steps] == [(Delete, 1), (Add, 1), (Delete, LIMIT - 1)]
    assert changes.exposed == 0
    assert live[0] in changes.steps[2].rules


def test_more_rules_than_the_limit_cost_none_of_the_old_ones() -> None:
    """X will refuse them, or takes more than the settings say: in either case the old ones need not go first."""
    wanted = [XRule(f"w{number}", OWN_TAGS[0]) for number in range(LIMIT + 1)]
    assert isinstance(plan(NAME, wanted, held("hail"), LIMIT).steps[0], Add)


def test_a_rule_is_lost_when_some_of_what_it_matched_is_wanted_and_not_there() -> None:
    """Whether another rule matches it, of this filter or not, does not matter; nor what is no longer wanted."""
    before = [XRule("hail OR rain", OWN_TAGS[0]), XRule("snow", OWN_TAGS[0])]
    assert lost(before, before, held("hail", "rain", "snow")) == 0
    assert lost(before, before, held("hail")) == 2
    assert lost(before, before[1:], held("wind")) == 1
    assert lost(before, [], []) == 0
    assert terms("hail OR rain") == ["hail", "rain"]
