"""A person who writes something that means another thing to X is told so, with the way to say what was meant."""

# Quotes and commas of other kinds are what this is about.
# ruff: noqa: RUF001

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from sfm_stream.sources.x.checks import stream_faults, stream_warnings
from sfm_stream.sources.x.rules.advice import on_entry, on_query
from sfm_stream.sources.x.rules.query import parse
from sfm_stream.sources.x.settings import Rule, XStream


@pytest.mark.parametrize(
    ("entry", "becomes", "cure"),
    [
        ("vote OR ballot", '(vote "OR" ballot)', 'entries of their own: ["vote", "ballot"]'),
        ("polling station AND vote", '(polling station "AND" vote)', '"polling station vote"'),
        ("vote NOT ballot", '(vote "NOT" ballot)', 'give query: "vote -ballot"'),
        ("vote -ballot", '(vote "-ballot")', 'give query: "vote -ballot"'),
        ('"storm surge"', "(storm surge)", """query: '"storm surge"'"""),
        ("“storm surge”", "(storm surge)", """query: '"storm surge"'"""),
        ("vote lang:en", '(vote "lang:en")', 'give query: "vote lang:en"'),
        ("from:NWS", '"from:NWS"', 'give query: "from:NWS"'),
        ("(flood OR storm) surge", '("(flood" "OR" "storm)" surge)', 'give query: "(flood OR storm) surge"'),
        ("1,000 dead", "1 OR (000 dead)", """write 1000, or give query: '"1,000"'"""),
        ("10,000,000", "10 OR 000 OR 000", "write 10000000"),
        ("洪水、台風", '"洪水、台風"', '["洪水", "台風"]'),
        ("vote，ballot", '"vote，ballot"', '["vote", "ballot"]'),
        ("عاصفة، فيضان", '("عاصفة،" فيضان)', '["عاصفة", "فيضان"]'),
        ("elect*", '"elect*"', "each form of the word"),
        ("#2026", '"#2026"', "at least one letter"),
        ("#election-day", '"#election-day"', "letters, digits and _"),
        ("C++", '"C++"', "ask for more words"),
        ("100%", '"100%"', "looks for 100;"),
        ("vo\u200bte", "vote", "U+200B ZERO WIDTH SPACE, which nobody sees; it does not go to X"),
    ],
)
def test_an_entry_that_means_something_elsewhere_is_warned_of(entry: str, becomes: str, cure: str) -> None:
    """With the rule that it becomes, and what to write in its place."""
    found = "\n".join(map(str, on_entry(entry, "filter 'f': track[0]")))
    assert found.startswith("filter 'f': track[0]: found ")
    assert becomes in found or "nobody sees" in found
    assert cure in found


@pytest.mark.parametrize(
    "entry",
    [
        *("vote", "polling station", "#vote", "@NWS", "$TSLA", "rock and roll", "coca-cola", "don’t", "can't", "AT&T"),
        *(
            "flood,storm surge",
            "3,5",
            "🗳️",
            "U.S.",
            "note: vote",
            "ハリー・ポッター",
            "#ハリー・ポッター",
            "चुनाव",
            "O'Brien",
        ),
    ],
)
def test_an_ordinary_entry_is_not_warned_of(entry: str) -> None:
    """Warnings that come always are read by nobody."""
    assert list(on_entry(entry, "")) == []


@pytest.mark.parametrize(
    ("query", "problem", "cure"),
    [
        ("100% sure", "X may refuse 100%", 'write "100%" in quotes, which looks for 100'),
        ("a/b", "X may refuse a/b", 'write "a/b" in quotes, which looks for a b, one after the other'),
        ("don’t", "X may refuse don’t", 'write "don’t" in quotes'),
        ("‘polling station’", "only double quotes", 'as in "polling station"'),
        ("elect*", "no wildcards", "each form"),
        ("❤️ vote", "X wants quotes around ❤️", 'write "❤️"'),
        ("storm point_radius:[2.35 48.86 41km]", "beyond 25 miles (40 km)", "several smaller ones"),
        ("bounding_box:[-78 38 -76 39]", "a side is longer than 25 miles", "smaller ones"),
        ("storm -bounding_box:[-78 38 -76 39]", "a side is longer than 25 miles", "smaller ones"),
        ("form:NWS", "form: is no operator known here", "did you mean 'from:'?"),
        ("zzzzzz:1", "zzzzzz: is no operator known here", 'put "zzzzzz:1" in quotes'),
        ("a has:image", "has:image is not in X's list", "did you mean 'images'?"),
        ("a is:repost", "is:repost is not in X's list", "known are"),
        ("a lang:he", "lang:he is not in X's list", "X has iw for it"),
        ('embedding:"climate"', "needs an Enterprise account", "66"),
        ("a min_likes:5", "not in its table for the stream", "leave it out"),
        ("vote\ufeff", "U+FEFF ZERO WIDTH NO-BREAK SPACE", "does not go to X"),
    ],
)
def test_a_query_that_x_may_refuse_or_read_otherwise_is_warned_of(query: str, problem: str, cure: str) -> None:
    """X decides; the person knows beforehand."""
    stream = XStream(kind="filterstream", name="f", credential="c", rules=(Rule(name="main", query=query),))
    assert list(stream_faults(stream, "filter 'f'")) == []
    found = "\n".join(map(str, stream_warnings(stream, "filter 'f'")))
    assert found.startswith("filter 'f': query: ")
    assert problem in found
    assert cure in found


@pytest.mark.parametrize(
    "query",
    [
        "(flood OR storm) -is:retweet lang:en has:media",
        'min_followers:1000 ("100%" OR "a/b") -is:nullcast',
        '"storm surge"~3 point_radius:[2.35 48.86 40km]',
        "bounding_box:[10.0 69.0 10.6 69.3]",
        'url:"https://x.com" 🇩🇪 OR चुनाव lang:zh-TW',
        "-(a",
    ],
)
def test_a_query_of_x_s_own_language_is_not_warned_of(query: str) -> None:
    """Nor one that is refused anyway."""
    assert list(on_query(query, "")) == []


def test_a_box_over_the_date_line_is_refused_with_the_two_boxes_to_make() -> None:
    """The numbers can be copied, and are taken."""
    box = (170.0, -20.0, -170.0, -10.0)
    stream = XStream(kind="filterstream", name="f", credential="c", rules=(Rule(name="main", locations=(box,)),))
    (fault,) = stream_faults(stream, "filter 'f'")
    assert "[170.0, -20.0, 180.0, -10.0] and [-180.0, -20.0, -170.0, -10.0]" in fault.fix
    two = ((170.0, -20.0, 180.0, -10.0), (-180.0, -20.0, -170.0, -10.0))
    stream = XStream(kind="filterstream", name="f", credential="c", rules=(Rule(name="main", locations=two),))
    assert list(stream_faults(stream, "filter 'f'")) == []


def test_a_box_too_thin_to_tell_x_of_is_refused() -> None:
    """A rule has six digits after the point."""
    thin = Rule(name="main", locations=((0.0, 0.0, 1.0, 1e-9),))
    (fault,) = stream_faults(XStream(kind="filterstream", name="f", credential="c", rules=(thin,)), "filter 'f'")
    assert "south not south of north" in fault.problem


@pytest.mark.parametrize("box", [(0.0, float("inf"), 0.0, float("inf")), (float("nan"), 0.0, 1.0, 1.0)])
def test_a_box_of_no_numbers_is_refused_and_nothing_else(box: tuple[float, float, float, float]) -> None:
    """YAML has .inf and .nan."""
    stream = XStream(kind="filterstream", name="f", credential="c", rules=(Rule(name="main", locations=(box,)),))
    assert len(list(stream_faults(stream, ""))) == 1
    assert list(stream_warnings(stream, "")) == []


PIECES = st.sampled_from(
    [*'()-"#@$*%,|“”、 :', " OR ", " NOT ", "AND", "lang:en", "vote", "1,000", "❤️", "\u200b", "\ud800"]
)


@example('"0) "')
@example('"() 0"')
@example('"OR ("')
@example('" NOT OR"')
@example('"0 NOT "')
@example('"0:) "')
@example('"a" NOT b')
@example('don\'t "0"')
@example('"()"')
@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
def test_advice_comes_on_any_text(text: str) -> None:
    """And a query that it tells to give is one, written into an inventory just as it stands there."""
    for warning in (*on_entry(text, ""), *on_query(text, "")):
        assert warning.problem
        _, told, query = str(warning).partition("give query: ")
        if told:
            parse(yaml.safe_load(query))
