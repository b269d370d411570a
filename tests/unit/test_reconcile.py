"""The plan from the rules that X holds to those that are wanted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.rules.compiler import XRule
from sfm_stream.rules.reconcile import Add, Changes, Delete, LiveRule, plan

NAME, LIMIT = "storms", 8
OWN_TAGS, FOREIGN_TAGS = ["sfm:storms:a", "sfm:storms:b"], ["", "other", "sfm:storm:a", "sfm:storms2:a"]
VALUES = ["hail", "rain", "snow", "wind"]


class App:
    """X's side: holds rules, refuses a value twice and more rules than the limit."""

    def __init__(self, rules: list[LiveRule]) -> None:
        self.rules = {rule.id: rule for rule in rules}
        self.next_id = 1000

    def carry_out(self, changes: Changes) -> None:
        for step in changes.steps:
            if isinstance(step, Delete):
                for rule in step.rules:
                    del self.rules[rule.id]
            else:
                for wanted in step.rules:
                    assert wanted.value not in {rule.value for rule in self.rules.values()}, "X refuses a duplicate"
                    self.next_id += 1
                    self.rules[str(self.next_id)] = LiveRule(str(self.next_id), wanted.value, wanted.tag)
                    assert len(self.rules) <= LIMIT, "X refuses more rules than its limit"


@st.composite
def live_rules(draw: st.DrawFn) -> list[LiveRule]:
    values = draw(st.lists(st.sampled_from(VALUES), unique=True))
    tags = [draw(st.sampled_from(OWN_TAGS + FOREIGN_TAGS)) for _ in values]
    return [LiveRule(str(index), value, tag) for index, (value, tag) in enumerate(zip(values, tags, strict=True))]


wanted_rules = st.lists(
    st.builds(XRule, st.sampled_from(VALUES), st.sampled_from(OWN_TAGS)), unique_by=lambda rule: rule.value
)


@given(live_rules(), wanted_rules)
def test_the_plan_makes_own_rules_equal_the_wanted_and_touches_no_other(
    live: list[LiveRule], wanted: list[XRule]
) -> None:
    """Whatever X holds, each request of the plan is one that X accepts, and the end is what was asked for."""
    app = App(live)
    foreign = [rule for rule in live if rule.tag in FOREIGN_TAGS]
    changes = plan(NAME, wanted, live, LIMIT)
    app.carry_out(changes)
    after = list(app.rules.values())
    assert [rule for rule in after if rule in foreign] == foreign == list(changes.foreign)
    own = {XRule(rule.value, rule.tag) for rule in after if rule not in foreign}
    foreign_values = {rule.value for rule in foreign}
    assert own == {rule for rule in wanted if rule.value not in foreign_values}
    assert set(changes.covered) == {rule for rule in wanted if rule.value in foreign_values}
    assert plan(NAME, wanted, after, LIMIT).steps == (), "a second plan has nothing to do"


def test_new_rules_come_before_old_ones_go() -> None:
    """Nothing is missed between the two requests."""
    changes = plan(NAME, [XRule("rain", OWN_TAGS[0])], [LiveRule("1", "hail", OWN_TAGS[0])], LIMIT)
    assert [type(step) for step in changes.steps] == [Add, Delete]


def test_a_rule_that_only_changes_its_tag_is_deleted_first() -> None:
    """X cannot edit a tag and refuses the same value twice."""
    changes = plan(NAME, [XRule("hail", OWN_TAGS[1])], [LiveRule("1", "hail", OWN_TAGS[0])], LIMIT)
    assert [type(step) for step in changes.steps] == [Delete, Add]


def test_old_rules_go_first_where_both_would_not_fit() -> None:
    """An app that is full takes new rules only after others went."""
    live = [LiveRule(str(n), f"v{n}", OWN_TAGS[0]) for n in range(LIMIT)]
    changes = plan(NAME, [XRule("rain", OWN_TAGS[0])], live, LIMIT)
    assert [type(step) for step in changes.steps] == [Delete, Add]
