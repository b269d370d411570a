"""Rules that X holds stay as they are, so that one edit changes one rule."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.sources.x.rules.compiler import XRule, compile_rules
from sfm_stream.sources.x.rules.packing import digest, repack, terms, wanted_rules
from sfm_stream.sources.x.settings import Rule, XStream

LENGTH = 30
words = st.lists(st.sampled_from([f"w{number}" for number in range(40)]), unique=True)


def wanting(*rules: Rule, length: int = LENGTH) -> XStream:
    return XStream(kind="filterstream", name="storms", credential="lab", rules=rules, rule_length=length)


def tracking(*track: str, length: int = LENGTH) -> XStream:
    return wanting(Rule(name="main", track=track), length=length)


def after(edits: list[XStream], room: int = 10**6) -> list[tuple[XRule, ...]]:
    """What X holds after each of a row of edits."""
    held: list[tuple[XRule, ...]] = [()]
    for stream in edits:
        held.append(wanted_rules(stream, held[-1], room))
    return held[1:]


def test_one_word_added_to_nine_thousand_accounts_changes_two_rules_at_most() -> None:
    """One rule is replaced by one that has the word too; all others stay."""
    accounts = tuple(f"account_{number:05}" for number in range(9000))
    before = Rule(name="main", track=("hail",), follow=accounts)
    for edited in (
        Rule(name="main", track=("flood", "hail"), follow=accounts),
        Rule(name="main", track=("hail",), follow=accounts[:4000] + accounts[4001:]),
        Rule(name="main", track=("hail",), follow=("newcomer", *accounts)),
        Rule(name="main", track=("hail",), follow=accounts[::-1]),
    ):
        first, second = after([wanting(before, length=1024), wanting(edited, length=1024)])
        assert len(first) > 600
        assert len(set(first) - set(second)) <= 1, "deleted"
        assert len(set(second) - set(first)) <= 1, "added"


def test_a_first_start_packs_by_the_settings_alone() -> None:
    """In as few rules as their order allows, as preflight counts them."""
    stream = tracking(*(f"word{number}" for number in range(50)))
    assert after([stream]) == [compile_rules(stream)]


@given(st.lists(words, min_size=1, max_size=6))
def test_whatever_edits_came_before_the_rules_match_what_is_wanted(edits: list[list[str]]) -> None:
    """No more and no less, each within the limit, and nothing changes without an edit."""
    held: list[str] = []
    for wanted in edits:
        held = repack(wanted, held, LENGTH)
        assert {term for value in held for term in terms(value)} == set(wanted)
        assert all(len(value) <= LENGTH for value in held)
        assert repack(wanted, held, LENGTH) == held


@given(words, st.randoms(use_true_random=False))
def test_rules_that_another_release_packed_otherwise_stay(wanted: list[str], chance: random.Random) -> None:
    """An upgrade deletes and adds nothing as long as all that is wanted is there, and nothing else."""
    shuffled = wanted.copy()
    chance.shuffle(shuffled)
    live = [" OR ".join(shuffled[start : start + 3]) for start in range(0, len(shuffled), 3)]
    assert sorted(repack(wanted, live, LENGTH)) == sorted(live)


def test_many_edits_never_need_more_rules_than_preflight_counted() -> None:
    """What was packed loosely is packed anew where the app has no room otherwise."""
    full = [f"word{number:02}" for number in range(60)]
    stream = tracking(*full)
    loosely = [XRule(value=word, tag="sfm:storms:main") for word in full]
    room = len(compile_rules(stream))
    assert len(wanted_rules(stream, loosely, 100)) == 60
    assert len(wanted_rules(stream, loosely, room)) == room


def test_a_value_never_stands_under_two_tags() -> None:
    """X refuses it twice, so where rules would come to that they are packed anew."""
    both = wanting(Rule(name="a", track=("hail",)), Rule(name="b", track=("hail", "rain")))
    live = [XRule(value="hail", tag="sfm:storms:b"), XRule(value="rain", tag="sfm:storms:b")]
    values = [rule.value for rule in wanted_rules(both, live, 100)]
    assert sorted(values) == sorted(set(values)) == ["hail", "hail OR rain"]


def test_a_query_is_one_rule_and_is_not_taken_apart() -> None:
    """Its OR may stand in a group or in quotes."""
    assert terms('a OR (b OR c) d OR "e OR f" OR (g h)') == ["a", "(b OR c) d", '"e OR f"', "(g h)"]
    stream = wanting(Rule(name="raw", query="a OR (b OR c) lang:en"))
    assert after([stream, stream]) == [(XRule("a OR (b OR c) lang:en", "sfm:storms:raw"),)] * 2


def test_a_digest_names_what_matches_and_not_how_it_is_packed() -> None:
    """The order of entries and the borders of rules change nothing at X; a tag does."""
    assert digest([XRule("a OR b", "t"), XRule("c", "t")]) == digest([XRule("c OR b", "t"), XRule("a", "t")])
    assert digest([XRule("a", "t")]) != digest([XRule("a", "u")])
    assert digest([XRule("a", "t")]) != digest([XRule("a OR b", "t")])
