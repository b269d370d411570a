"""Filters become rules of X."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.sources.x.rules.compiler import TooLongError, XRule, compile_rule, compile_rules
from sfm_stream.sources.x.settings import Rule, XStream


def rule(**asked: object) -> Rule:
    return Rule(name="r", **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        ({"track": ("election",)}, "election"),
        ({"track": ("polling station",)}, "(polling station)"),
        ({"track": ("election", "polling station", "#vote")}, "election OR (polling station) OR #vote"),
        ({"track": ("flood,storm surge",)}, "flood OR (storm surge)"),
        ({"track": ("@NWS $TSLA",)}, "(@NWS $TSLA)"),
        ({"follow": ("NWS",)}, "from:NWS OR to:NWS OR retweets_of:NWS"),
        ({"follow": ("@NWS",)}, "from:NWS OR to:NWS OR retweets_of:NWS"),
        ({"locations": ((-77.12, 38.79, -76.91, 38.99),)}, "bounding_box:[-77.12 38.79 -76.91 38.99]"),
        ({"locations": ((-180.0, 0.00001, 10.0, 90.0),)}, "bounding_box:[-180 0.00001 10 90]"),
        ({"query": "(tornado OR hail)\n  has:images -is:retweet"}, "(tornado OR hail) has:images -is:retweet"),
        ({"track": ("a",), "follow": ("b",)}, "a OR from:b OR to:b OR retweets_of:b"),
        ({"track": ("a", "a", "a,b")}, "a OR b"),
    ],
)
def test_each_kind_of_wish_becomes_a_query(asked: dict[str, object], query: str) -> None:
    """Commas and entries are OR, blanks are AND; an account means posts by it, replies to it and reposts of it."""
    assert compile_rule(rule(**asked), 1024) == [query]


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("OR", '"OR"'),
        ("and", '"and"'),
        ("-nuclear", '"-nuclear"'),
        ("from:NWS", '"from:NWS"'),
        ("(this)", '"(this)"'),
        ("coca-cola", '"coca-cola"'),
        ("C++", '"C++"'),
        ("#2026", '"#2026"'),
        ("$100", '"$100"'),
        ('say"cheese"', "saycheese"),
        ("étude", "étude"),
        ("選挙", "選挙"),
        ("🗳", "🗳"),
        ("-🗳", '"-🗳"'),
        ("(🗳", '"(🗳"'),
    ],
)
def test_a_word_that_x_would_read_as_something_else_is_quoted(word: str, quoted: str) -> None:
    """A word of a track entry is always text, never an operator."""
    assert compile_rule(rule(track=(word,)), 1024) == [quoted]


def test_punctuation_alone_is_nothing_to_match() -> None:
    """X looks for words; an entry without one makes no rule."""
    assert compile_rule(rule(track=("--", '""', ", ,")), 1024) == []


@given(st.lists(st.text("abcdefgh ", min_size=1, max_size=12), max_size=60), st.integers(30, 120))
def test_splitting_keeps_every_alternative_in_order_and_every_part_within_the_limit(
    entries: list[str], length: int
) -> None:
    """A long rule becomes as many as the limit needs, and loses nothing."""
    asked = rule(track=tuple(entries))
    parts = compile_rule(asked, length)
    assert all(0 < len(part) <= length for part in parts)
    whole = compile_rule(asked, 10**9)
    assert " OR ".join(parts) == "".join(whole)
    for first, second in itertools.pairwise(parts):
        assert len(f"{first} OR {second.split(' OR ')[0]}") > length, "a part ended early"


def test_all_parts_of_a_rule_carry_its_tag() -> None:
    """So the tag tells the rule that a post matched, however it was split."""
    stream = XStream(
        kind="filterstream",
        name="storms",
        credential="c",
        rules=(Rule(name="words", track=("hail", "tornado")), Rule(name="raw", query="flood")),
        rule_length=10,
    )
    assert compile_rules(stream) == (
        XRule("hail", "sfm:storms:words"),
        XRule("tornado", "sfm:storms:words"),
        XRule("flood", "sfm:storms:raw"),
    )


def test_an_alternative_that_cannot_be_split_is_refused() -> None:
    """Cutting a word or a query would change its meaning."""
    with pytest.raises(TooLongError, match="12 characters in one alternative: thunderstorm"):
        compile_rule(rule(track=("thunderstorm",)), 11)
    with pytest.raises(TooLongError):
        compile_rule(rule(query="a OR b OR c"), 10)
