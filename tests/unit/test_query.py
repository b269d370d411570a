"""X's rule language is read as X reads it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfm_stream.matching.expression import And, Not, Or, QueryError, Term
from sfm_stream.sources.x.rules.operators import VALUES
from sfm_stream.sources.x.rules.query import parse

a, b, c = Term("word", "a"), Term("word", "b"), Term("word", "c")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("a", a),
        ("a b", And((a, b))),
        ("a OR b", Or((a, b))),
        ("a b OR c", Or((And((a, b)), c))),
        ("a (b OR c)", And((a, Or((b, c))))),
        ("((a))", a),
        ("a -b", And((a, Not(b)))),
        ('a -"b c"', And((a, Not(Term("phrase", "b c"))))),
        ('"b c"~3', Term("near", "b c", (3.0,))),
        ("#vote", Term("#", "vote")),
        ("@NWS", Term("@", "NWS")),
        ("$TSLA", Term("$", "TSLA")),
        ("coca-cola", Term("word", "coca-cola")),
        ("選挙", Term("word", "選挙")),
        ("🗳", Term("word", "🗳")),
        ("from:NWS", Term("from", "NWS")),
        ('place:"new york city"', Term("place", "new york city")),
        ('url:"https://x.com"', Term("url", "https://x.com")),
        ("url:https://x.com", Term("url", "https://x.com")),
        ("context:10.799022225751871488", Term("context", "10.799022225751871488")),
        ("bounding_box:[-77.12 38.79 -76.91 38.99]",
         Term("bounding_box", "-77.12 38.79 -76.91 38.99", (-77.12, 38.79, -76.91, 38.99))),
        ("point_radius:[2.35 48.86 10mi]", Term("point_radius", "2.35 48.86 10mi", (2.35, 48.86, 10.0))),
        ("followers_count:5..10", Term("followers_count", "5..10", (5.0, 10.0))),
        ("min_followers:1000", Term("min_followers", "1000", (1000.0, float("inf")))),
        ("a min_likes:5", And((a, Term("min_likes", "5", (5.0, float("inf")))))),
        ('embedding:"climate policy" embedding_threshold:0.4',
         And((Term("embedding", "climate policy"), Term("embedding_threshold", "0.4")))),
        ("a has:audio", And((a, Term("has", "audio")))),
        ('new_operator:"a b"', Term("new_operator", "a b")),
        ("a sample:10", And((a, Term("sample", "10", (10.0,))))),
        ("a -is:nullcast", And((a, Not(Term("is", "nullcast"))))),
        ('"or"', Term("phrase", "or")),
    ],
)  # fmt: skip
def test_a_rule_becomes_its_structure(text: str, query: object) -> None:
    """A blank binds tighter than OR, a minus takes one operator, parentheses group."""
    assert parse(text) == query


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("(a", "a closing ) is missing"),
        ("a)", "an opening ( is missing"),
        ("()", "must hold something"),
        ('"a', 'a closing " is missing'),
        ('""', "nothing to look for"),
        ("a OR", "OR needs something"),
        ("OR a", "OR needs something"),
        ("a OR OR b", "OR needs something"),
        ("(a OR)", "OR needs something"),
        ("a -(b c)", "no negated groups: write -a -b"),
        ("a --b", "right before"),
        ("a - b", "right before"),
        ("a -", "right before"),
        ("a -OR b", "right before"),
        ("a AND b", "a blank is AND"),
        ("a or b", 'write "or"'),
        ("a NOT b", "write -word"),
        ("3:30", 'put "3:30" in quotes'),
        ("from:", "from: needs a value"),
        ("from: NWS", "from: needs a value"),
        ("from:@NWS", "without @"),
        ("a is:nullcast", "can only be negated"),
        ("a lang:english", "a language code"),
        ("a sample:101", "from 1 to 100"),
        ("a sample:0", "from 1 to 100"),
        ("a -sample:5", "cannot be negated"),
        ('"a b"~9', "~1 to ~6"),
        ("#2026", "is no tag like #vote"),
        ("$100", "is no tag like $TSLA"),
        ("--", "right before"),
        ("&", "a letter, digit or emoji"),
        ("bounding_box:[1 2 3]", "west south east north"),
        ("bounding_box:[10 2 3 4]", "the order is west south east north"),
        (
            "bounding_box:[170 -20 -170 -10.5]",
            "make two boxes: (bounding_box:[170 -20 180 -10.5] OR bounding_box:[-180 -20 -170 -10.5])",
        ),
        ("https://x.com", 'url:"https://x.com"'),
        ("\u201cpolling station\u201d", "only straight ones"),
        ("«vote»", "only straight ones"),
        ('-embedding:"climate"', "cannot be negated"),
        ('embedding:"climate" embedding_threshold:0.9', "from 0.30 to 0.60"),
        ("embedding_threshold:0.4", "cannot stand alone"),
        ("min_followers:many", "a number like 1000"),
        ("bounding_box:[1 2 3 4", "a closing ] is missing"),
        ("point_radius:[2.35 48.86 10]", "mi or km"),
        ("point_radius:[48.86 200 10mi]", "longitude -180 to 180 comes first"),
        ("place_country:USA", "two letters"),
        ("followers_count:10..5", "smaller number"),
        ("context:abc", "domain.entity"),
        ("has:images", "cannot stand alone"),
        ("-a", "cannot stand alone"),
        ("a OR -b", "cannot stand alone"),
        ("a OR lang:en", "cannot stand alone"),
        ("lang:en (a OR is:retweet)", "cannot stand alone"),
    ],
)
def test_what_x_would_refuse_is_refused_with_its_cure(text: str, message: str) -> None:
    """The message is what a person has to do."""
    with pytest.raises(QueryError) as refusal:
        parse(text)
    assert message in str(refusal.value)


PIECES = st.sampled_from(
    [*(f"{name}:" for name in sorted(VALUES)), *'()-"[]a1#$@🗳. ', " OR ", "~2", "0.5", "mi", "..", "\ud800"]
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
def test_no_text_brings_any_other_error(text: str) -> None:
    """Whatever a person writes, the answer is a structure or a cure."""
    with contextlib.suppress(QueryError):
        parse(text)


@pytest.mark.parametrize(
    "text", ["(" * 2048, "(a OR " * 2048, "-" * 2048, '"' * 2047, "a " * 100_000, "from:" * 20_000]
)
@pytest.mark.timeout(10)
def test_a_monstrous_text_is_judged_in_no_time(text: str) -> None:
    """The work grows with the length, not with its square, and no depth of groups breaks it."""
    with contextlib.suppress(QueryError):
        parse(text)
