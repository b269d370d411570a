"""Whatever somebody writes into a filter, and whatever a post holds: an answer, and never another error."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.matching.characters import visible
from sfm_stream.matching.expression import Query, QueryError, terms
from sfm_stream.sources.x.checks import stream_faults, stream_warnings
from sfm_stream.sources.x.rules.compiler import TooLongError, compile_rule
from sfm_stream.sources.x.rules.match import compile_query, unanswerable
from sfm_stream.sources.x.rules.operators import VALUES
from sfm_stream.sources.x.rules.post_view import PostView
from sfm_stream.sources.x.rules.query import parse
from sfm_stream.sources.x.settings import Rule, XStream

PIECES = st.sampled_from(
    [
        *(f"{name}:" for name in sorted(VALUES)),
        *'()-"[]a1#$@*%,\u2764\ufe0f\u200d\u200c\u200b\u0939\u093f\uff03\u201c\ud800 .',
        *(" OR ", " AND ", " NOT ", "~2", "0.5", "mi", "..", "[1 2 3 4]", "[170 1 -170 2]", "other:x", "#\u0939\u093f"),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))
DEGREES = st.floats(allow_nan=True, allow_infinity=True)
RULES = st.one_of(
    st.builds(
        Rule,
        name=st.just("main"),
        track=st.lists(TEXTS, max_size=4).map(tuple),
        follow=st.lists(TEXTS, max_size=2).map(tuple),
        locations=st.lists(st.tuples(DEGREES, DEGREES, DEGREES, DEGREES), max_size=2).map(tuple),
    ),
    st.builds(Rule, name=st.just("main"), query=TEXTS),
)
POSTS = st.fixed_dictionaries(
    {"id": st.just("1"), "text": TEXTS},
    optional={
        "lang": st.sampled_from(["en", "zh"]),
        "author_id": st.sampled_from(["1", "2"]),
        "note_tweet": st.fixed_dictionaries({"text": TEXTS}),
        "public_metrics": st.dictionaries(st.sampled_from(["like_count", "reply_count"]), st.integers() | st.none()),
        "referenced_tweets": st.lists(
            st.fixed_dictionaries({"type": st.sampled_from(["quoted", "retweeted"]), "id": st.sampled_from("123")})
        ),
        "entities": st.dictionaries(
            st.sampled_from(["hashtags", "cashtags"]), st.lists(st.fixed_dictionaries({"tag": TEXTS}) | st.none())
        ),
    },
)


def _stream(rule: Rule) -> XStream:
    return XStream(kind="filterstream", name="f", credential="c", rules=(rule,), rule_length=4096)


def _read(rule: Rule) -> list[Query]:
    """What X would read of a rule that has no fault."""
    return [parse(value) for value in compile_rule(rule, 4096)]


@given(RULES)
def test_a_rule_is_at_fault_or_x_can_read_what_it_becomes(rule: Rule) -> None:
    """Preflight and compiler are of one mind, and each text can be warned of."""
    faults = list(stream_faults(_stream(rule), "filter 'f'"))
    assert all(str(each) for each in (*faults, *stream_warnings(_stream(rule), "filter 'f'")))
    if not faults:
        assert all(list(terms(query)) and unanswerable(query) is not None for query in _read(rule))


@given(st.lists(TEXTS, max_size=6))
def test_every_entry_goes_to_x_as_words_and_tags(entries: list[str]) -> None:
    """Whatever is written, nothing in track becomes an operator, and what nobody sees does not go along."""
    try:
        compiled = compile_rule(Rule(name="main", track=tuple(entries)), 4096)
    except TooLongError:
        return
    for value in compiled:
        assert visible(value) == value
        value.encode()
        assert {term.operator for term in terms(parse(value))} <= {"word", "phrase", "#", "@", "$"}


@given(TEXTS, POSTS, st.lists(POSTS, max_size=3))
def test_a_rule_that_can_be_read_has_an_answer_for_every_post(text: str, post: Any, others: list[Any]) -> None:
    """True or false, and the same when it is asked again."""
    try:
        test = compile_query(parse(text))
    except QueryError:
        return
    envelope = {"data": post, "includes": {"tweets": [{**each, "id": str(n)} for n, each in enumerate(others, 1)]}}
    assert test(PostView(envelope)) in {True, False}
    assert test(PostView(envelope)) == test(PostView(envelope))
