"""A post matches a rule as X documents it, and a filter's rules exactly when it matches the filter."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from sfm_stream.matching.tokens import tokenize
from sfm_stream.sources.x.rules.compiler import TooLongError, compile_rule
from sfm_stream.sources.x.rules.match import compile_query, matches
from sfm_stream.sources.x.rules.post_view import PostView
from sfm_stream.sources.x.rules.query import parse
from sfm_stream.sources.x.settings import Degrees, Rule

# --- What a filter means, told by a second, independent witness ------------------------------------------------------

WORDS = ("storm", "Flood", "vote", "élan", "naïve", "ОПРОС", "选", "🗳", "or", "AND", "not", "2026", "NWS", "cola", "x")
ACCOUNTS = {"11": "NWS", "12": "gwlibraries", "13": "x", "2026": "Nobody"}


class Seen(msgspec.Struct):
    """What the witness knows of a post: it made it up."""

    texts: list[list[str]]
    hashtags: set[str]
    mentions: set[str]
    by: set[str]
    to: set[str]
    reposted: set[str]
    box: Degrees | None


def account(user_id: str) -> set[str]:
    return {user_id, ACCOUNTS[user_id].lower()}


def wants(rule: Rule, seen: Seen) -> bool:
    """The filter's meaning (v1.1): any entry, all words of it in any order; any account; any box."""
    alternatives = [part.split() for entry in rule.track for part in entry.split(",")]
    return (
        any(words and all(occurs(word, seen) for word in words) for words in alternatives)
        or any(name.lstrip("@").lower() in seen.by | seen.to | seen.reposted for name in rule.follow)
        or any(inside(seen.box, box) for box in rule.locations)
    )


def occurs(word: str, seen: Seen) -> bool:
    if word.startswith("#") and word != "#2026":
        return word[1:].lower() in seen.hashtags
    if word.startswith("@"):
        return word[1:].lower() in seen.mentions
    sought = [part.lower() for part in word.strip('#-()":').replace(":", "-").split("-")]
    return any(
        [each.lower() for each in text[start : start + len(sought)]] == sought
        for text in seen.texts
        for start in range(len(text))
    )


def inside(box: Degrees | None, other: Degrees) -> bool:
    return box is not None and box[0] >= other[0] and box[1] >= other[1] and box[2] <= other[2] and box[3] <= other[3]


degrees = st.sampled_from([-10.5, -1.0, 0.0, 0.000001, 1.0, 10.25])
boxes = st.tuples(degrees, degrees, degrees, degrees).filter(lambda box: box[0] < box[2] and box[1] < box[3])
words = st.sampled_from(WORDS)
track_words = st.one_of(
    words,
    st.sampled_from(["#vote", "#Flood", "#2026", "@NWS", "@x", "-storm", "(vote)", "from:NWS", '"storm"', "cola-x"]),
    st.tuples(words, words).map("-".join),
)
rules = st.builds(
    Rule,
    name=st.just("main"),
    track=st.lists(
        st.lists(st.lists(track_words, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=2).map(",".join),
        max_size=8,
    ).map(tuple),
    follow=st.lists(st.sampled_from(["NWS", "@nws", "12", "@X", "2026", "someone"]), max_size=3).map(tuple),
    locations=st.lists(boxes, max_size=2).map(tuple),
)


@st.composite
def texts(draw: st.DrawFn) -> tuple[dict[str, Any], list[str], set[str], set[str]]:
    """A text with its entities, its words in order, its hashtags and its mentions."""
    text, order, hashtags, mentions = "", [], set(), set()
    for word in draw(st.lists(words, max_size=6)):
        kind = draw(st.sampled_from(["plain", "plain", "plain", "hashtag", "mention"]))
        if kind == "hashtag" and word.isalpha():
            hashtags.add(word)
            text += f"#{word}"
        elif kind == "mention" and word.isascii():
            mentions.add(word)
            text += f"@{word}"
        else:
            text += word
        order.append(word)
        text += draw(st.sampled_from([" ", ", ", "-", "! ", ": ", "\n", '" ', " … "]))
    entities = {
        "hashtags": [{"start": 0, "end": 1, "tag": tag} for tag in hashtags],
        "mentions": [{"start": 0, "end": 1, "username": name} for name in mentions],
    }
    folded = {tag.lower() for tag in hashtags}, {name.lower() for name in mentions}
    return {"text": text, "entities": entities}, order, *folded


@st.composite
def posts(draw: st.DrawFn) -> tuple[dict[str, Any], Seen]:
    """An envelope as X sends it, and what it holds."""
    body, order, hashtags, mentions = draw(texts())
    author, other = draw(st.sampled_from(sorted(ACCOUNTS))), draw(st.sampled_from(sorted(ACCOUNTS)))
    data: dict[str, Any] = {"id": "1", "author_id": author, **body}
    includes: dict[str, Any] = {"users": [{"id": each, "username": ACCOUNTS[each]} for each in {author, other}]}
    seen = Seen([order], hashtags, mentions, account(author), set(), set(), None)
    if draw(st.booleans()):
        note, note_order, note_hashtags, note_mentions = draw(texts())
        data["note_tweet"] = note
        seen.texts.append(note_order)
        seen.hashtags |= note_hashtags
        seen.mentions |= note_mentions
    kind = draw(st.sampled_from(["post", "reply", "repost", "quote"]))
    if kind == "reply":
        data["in_reply_to_user_id"] = other
        data["referenced_tweets"] = [{"type": "replied_to", "id": "2"}]
        seen.to = account(other)
    elif kind != "post":
        original, original_order, original_hashtags, original_mentions = draw(texts())
        includes["tweets"] = [{"id": "2", "author_id": other, **original}]
        data["referenced_tweets"] = [{"type": "retweeted" if kind == "repost" else "quoted", "id": "2"}]
        seen.texts.append(original_order)
        seen.hashtags |= original_hashtags
        seen.mentions |= original_mentions
        if kind == "repost":
            seen.reposted = account(other)
    place, point = draw(st.none() | boxes), draw(st.none() | st.tuples(degrees, degrees))
    if place:
        data["geo"] = {"place_id": "p"}
        includes["places"] = [{"id": "p", "full_name": "P", "geo": {"type": "Feature", "bbox": list(place)}}]
        seen.box = place
    if point:
        data["geo"] = {**data.get("geo", {}), "coordinates": {"type": "Point", "coordinates": list(point)}}
        seen.box = (*point, *point)
    return {"data": data, "includes": includes}, seen


@settings(max_examples=300, deadline=None)
@given(rules, st.lists(posts(), min_size=1, max_size=4), st.sampled_from([40, 80, 160, 1024]))
def test_a_post_matches_the_compiled_rules_exactly_when_it_matches_the_filter(
    rule: Rule, candidates: list[tuple[dict[str, Any], Seen]], length: int
) -> None:
    """Whatever the filter, the post and the length at which X's limit splits the rule."""
    try:
        compiled = [parse(value) for value in compile_rule(rule, length)]
    except TooLongError:
        reject()
    for envelope, seen in candidates:
        assert any(matches(query, envelope) for query in compiled) == wants(rule, seen)


@settings(deadline=None)
@given(rules)
def test_every_compiled_rule_is_one_that_x_can_read(rule: Rule) -> None:
    """The compiler writes nothing that the parser refuses."""
    for value in compile_rule(rule, 1024):
        parse(value)


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=10), max_size=5))
def test_no_track_entry_makes_a_rule_that_x_cannot_read(entries: list[str]) -> None:
    """Not with any sign of any script in it."""
    for value in compile_rule(Rule(name="main", track=tuple(entries)), 10**6):
        parse(value)


# --- Single operators ------------------------------------------------------------------------------------------------

ENVELOPE: dict[str, Any] = {
    "data": {
        "id": "1900000000000000000",
        "text": "Storm surge at New-York's harbour, says @NWS: $TSLA #Flood https://t.co/a",
        "author_id": "1",
        "lang": "en",
        "conversation_id": "77",
        "public_metrics": {"like_count": 3, "reply_count": 2, "retweet_count": 1},
        "source": "Twitter Web App",
        "in_reply_to_user_id": "2",
        "referenced_tweets": [{"type": "replied_to", "id": "70"}, {"type": "quoted", "id": "71"}],
        "attachments": {"media_keys": ["3_1"]},
        "geo": {"place_id": "p1"},
        "context_annotations": [{"domain": {"id": "10"}, "entity": {"id": "799", "name": "Jane Doe"}}],
        "entities": {
            "hashtags": [{"tag": "Flood"}],
            "cashtags": [{"tag": "TSLA"}],
            "mentions": [{"username": "NWS", "id": "9"}],
            "annotations": [{"normalized_text": "New York"}],
            "urls": [
                {
                    "url": "https://t.co/a",
                    "expanded_url": "https://news.example.org/weather/harbour_report",
                    "title": "Harbour report",
                    "description": "All about it",
                }
            ],
        },
        "note_tweet": {"text": "Storm surge at New-York's harbour ... and evacuation"},
    },
    "includes": {
        "users": [
            {"id": "1", "username": "Gauge", "name": "The Gauge", "description": "I measure water", "location": "NYC",
             "verified": True, "public_metrics": {"followers_count": 500, "following_count": 5, "tweet_count": 9}},
            {"id": "2", "username": "Mayor"},
        ],
        "tweets": [{"id": "71", "text": "quoted words of a lighthouse", "author_id": "3"}],
        "media": [{"media_key": "3_1", "type": "photo"}],
        "places": [{"id": "p1", "full_name": "Manhattan, NY", "name": "Manhattan", "country_code": "US",
                    "geo": {"bbox": [-74.03, 40.68, -73.91, 40.88]}}],
    },
}  # fmt: skip
REPOST: dict[str, Any] = {
    "data": {
        "id": "2",
        "text": "RT @Agency: Evacuation of the har…",
        "author_id": "1",
        "referenced_tweets": [{"type": "retweeted", "id": "5"}],
    },
    "includes": {
        "tweets": [
            {"id": "5", "author_id": "8", "text": "Evacuation of the harbour", "attachments": {"media_keys": ["7"]}}
        ],
        "users": [{"id": "8", "username": "Agency"}],
        "media": [{"media_key": "7", "type": "video"}],
    },
}


FOUND = [
    "storm", "STORM", "york", "new-york", '"new york"', '"surge at new"', '"storm harbour"~5', "flood", "nws",
    "evacuation", "harbour_report", "#flood", "@nws", "$tsla", "from:gauge", "from:1", "to:mayor", "to:2",
    'url:"news.example.org"', "url_contains:weather/h", "url_title:report", "url_description:about",
    "context:10.799", "context:*.799", "context:10.*", 'entity:"new york"', 'entity:"jane doe"',
    "conversation_id:77",
    "in_reply_to_tweet_id:70", "quotes_of_tweet_id:71", "bio:water", "bio_name:gauge", "bio_location:nyc",
    "place:manhattan", "place:p1", "place_country:us", "bounding_box:[-75 40 -73 41]",
    "point_radius:[-73.97 40.78 15mi]", "storm lang:en", "storm is:reply", "storm is:quote", "storm is:verified",
    "storm -is:nullcast", "storm has:geo", "storm has:images", "storm has:media", "storm has:links",
    "storm has:hashtags", "storm has:mentions", "storm has:cashtags", "followers_count:500",
    "followers_count:1..900",
    "min_followers:500", "min_likes:3 min_replies:2 min_reposts:1", "storm -new_operator:1",
    "lighthouse", '"quoted words of a lighthouse" storm',
    "storm tweets_count:9", 'source:"web app"', "storm sample:100", "storm -hail", "hail OR storm",
    "(hail OR storm) surge",

]  # fmt: skip


@pytest.mark.parametrize("text", FOUND)
def test_each_operator_finds_what_it_asks_for(text: str) -> None:
    """Every operator of X's table, on a post that has it."""
    assert matches(parse(text), ENVELOPE)


@pytest.mark.parametrize(
    "text",
    [
        "stor", "storms", '"surge storm"', '"storm evacuation"', '"storm harbour"~4',
        '"tsla and"', "#storm", "@gauge",
        "$ts", "from:mayor", "from:2", "to:gauge", "retweets_of:mayor", 'url:"example news"', "url_title:missing",
        "context:10.800", "entity:york", "conversation_id:78", "bio:fire", "place:brooklyn", "place_country:fr",
        "bounding_box:[-74 40 -73 41]", "point_radius:[-73.97 40.78 3mi]", "storm lang:de", "storm is:retweet",
        "storm has:videos", "followers_count:501", "followers_count:1..9", "storm -surge", "storm surge hail",
        "min_followers:501", "min_likes:4", "new_operator:storm", "storm has:audio", 'embedding:"storm"',
        "from:3", '"lighthouse quoted"', '"harbour quoted"', "from_affiliate_of:gauge", "hail (storm OR surge)",
    ],
)  # fmt: skip
def test_no_operator_finds_what_is_not_there(text: str) -> None:
    """Part of a word is not the word, and a quoted post's author is not the post's; no phrase spans the two."""
    assert not matches(parse(text), ENVELOPE)


@pytest.mark.parametrize(
    "text", ["harbour", "retweets_of:agency", "retweets_of:8", "a OR evacuation is:retweet has:videos"]
)
def test_a_repost_matches_by_the_whole_text_of_the_original(text: str) -> None:
    """X cuts the repost's own text, and matches the original's."""
    assert matches(parse(text), REPOST)


QUOTE_REPOSTED: dict[str, Any] = {
    "data": {"id": "3", "text": "RT @Agency: So true", "referenced_tweets": [{"type": "retweeted", "id": "5"}]},
    "includes": {
        "tweets": [
            {"id": "5", "text": "So true", "referenced_tweets": [{"type": "quoted", "id": "4"}]},
            {
                "id": "4",
                "text": "A lighthouse\u2026 #Beacon",
                "note_tweet": {"text": "A lighthouse in a gale #Beacon"},
                "entities": {
                    "hashtags": [{"tag": "Beacon"}],
                    "urls": [{"url": "https://t.co/b", "expanded_url": "https://example.org/gale_report"}],
                },
            },
        ]
    },
}


@pytest.mark.parametrize(
    "text", ["gale", "#beacon", '"in a gale"', "url:gale_report", "true has:links", "lighthouse is:retweet"]
)
def test_a_quote_matches_by_the_quoted_post_too_also_where_it_is_reposted(text: str) -> None:
    """X looks at the content of both."""
    assert matches(parse(text), QUOTE_REPOSTED)


def test_a_quote_whose_quoted_post_did_not_come_is_known() -> None:
    """What X matched it by may be missing."""
    lacking = {"data": QUOTE_REPOSTED["data"], "includes": {"tweets": QUOTE_REPOSTED["includes"]["tweets"][:1]}}
    assert PostView(lacking).quotes_unseen
    assert not PostView(QUOTE_REPOSTED).quotes_unseen
    assert not PostView(REPOST).quotes_unseen


@pytest.mark.parametrize("text", ["storm", "#storm", "@NWS", "retweets_of:nws"])
def test_a_post_with_nothing_but_its_text_still_matches(text: str) -> None:
    """Tags are read from the text where entities were not asked for."""
    bare = {
        "data": {
            "id": "1",
            "text": "RT @NWS: #Storm",
            "referenced_tweets": [{"type": "retweeted", "id": "3"}],
        }
    }
    assert matches(parse(text), bare)
    assert not matches(parse(text), {"data": {"id": "1", "text": ""}})


def test_a_higher_sample_holds_the_lower_one() -> None:
    """sample: takes about its share, the same posts each time."""
    posts = [{"data": {"id": str(number), "text": "a"}} for number in range(2000)]
    few, many = ([matches(parse(f"a sample:{n}"), post) for post in posts] for n in (10, 50))
    assert all(more for less, more in zip(few, many, strict=True) if less)
    assert 120 < sum(few) < 280 < 800 < sum(many) < 1200


def test_words_end_where_x_ends_them() -> None:
    """At punctuation; a pictograph, its skin tone and a sign of an unspaced script are words by themselves."""
    assert tokenize("I like coca-cola!") == ["i", "like", "coca", "cola"]
    assert tokenize("選挙へ行こう🗳️👍🏽") == [*"選挙へ行こう", "🗳", "👍", "🏽"]
    assert tokenize("e\u0301lan ÉLAN") == ["élan", "élan"]


def parts(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each part of an envelope lies."""
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield (*path, key)
        yield from parts(node[key], (*path, key))


@pytest.mark.parametrize("envelope", [ENVELOPE, REPOST])
def test_a_post_that_lacks_something_is_no_error(envelope: dict[str, Any]) -> None:
    """Any part may be missing or null: fewer fields were asked for, or X had nothing to say."""
    queries = [compile_query(parse(text)) for text in FOUND]
    for path in parts(envelope):
        for lacking in ("missing", "null"):
            changed = copy.deepcopy(envelope)
            holder = changed
            for key in path[:-1]:
                holder = holder[key]
            if lacking == "null":
                holder[path[-1]] = None
            else:
                del holder[path[-1]]
            post = PostView(changed)
            assert {test(post) for test in queries} <= {True, False}
