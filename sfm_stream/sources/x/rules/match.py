"""Decides whether a post matches a rule of X, as X's documentation describes it.

The post is the raw envelope of the stream, ``{"data": {...}, "includes": {...}}``. Where a post was delivered with
too few fields to tell (no users, say, for ``from:name``), the answer is no. Some operators always answer no, since no
delivered field tells: `unanswerable` names them.

Words are compared without case. They end at punctuation; each pictograph, and each sign of a script written without
blanks (Chinese, Japanese, Thai ...), is a word by itself. The text of a post is its text, its long
text (note_tweet) and its expanded links; that of a repost is the original's too, whose own is cut short, and that of a
quote the quoted post's too: for the filtered stream, X looks at the content of both.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable

from sfm_stream.matching.characters import fold
from sfm_stream.matching.expression import And, Not, Or, Query, Term, terms
from sfm_stream.matching.tokens import SEAM, tokenize
from sfm_stream.sources.x.rules.post_view import Json, PostView, either

PostPredicate = Callable[[PostView], bool]
"""A rule made ready: whether a post matches it."""

_EARTH_MILES = 3958.8


def matches(query: Query, envelope: Json) -> bool:
    """Whether the post matches; for many posts or rules, use `compile_query` and `PostView` themselves."""
    return compile_query(query)(PostView(envelope))


def compile_query(query: Query) -> PostPredicate:
    """Prepares a rule for many posts."""
    match query:
        case Term():
            return _TESTS.get(query.operator, _never)(query)
        case Not(term=term):
            test = compile_query(term)
            return lambda post: not test(post)
        case And(parts=parts):
            tests = [compile_query(part) for part in parts]
            return lambda post: all(test(post) for test in tests)
        case Or(parts=parts):
            tests = [compile_query(part) for part in parts]
            return lambda post: any(test(post) for test in tests)


def unanswerable(query: Query) -> list[str]:
    """The operators of a rule of which a post does not tell whether they match: here they never do."""
    return list(
        dict.fromkeys(
            f"{term.operator}:{term.value}" if term.operator in _KINDS else f"{term.operator}:"
            for term in terms(query)
            if _TESTS.get(term.operator, _never) is _never
            or (term.operator in _KINDS and _KINDS[term.operator].get(term.value, _no) is _no)
        )
    )


def _phrase(term: Term) -> PostPredicate:
    words = tokenize(term.value)
    if len(words) == 1:
        word = words[0]
        return lambda post: word in post.word_set
    phrase = f" {' '.join(words)} "
    return lambda post: bool(words) and phrase in post.running


def _near(term: Term) -> PostPredicate:
    words, distance = tokenize(term.value), int(term.numbers[0])

    def test(post: PostView) -> bool:
        places = [[index for index, each in enumerate(post.words) if each == word] for word in words]
        span = distance + len(words) - 1
        return bool(places) and any(
            all(any(start <= index <= start + span for index in each) for each in places)
            and SEAM not in post.words[start : start + span]
            for start in sorted({index for each in places for index in each})
        )

    return test


def _tag(name: str) -> Callable[[Term], PostPredicate]:
    def prepare(term: Term) -> PostPredicate:
        wanted = fold(term.value)
        return lambda post: wanted in getattr(post, name)

    return prepare


def _field(name: str) -> Callable[[Term], PostPredicate]:
    return lambda term: lambda post: post.data.get(name) == term.value


def _reference(kind: str) -> Callable[[Term], PostPredicate]:
    return lambda term: lambda post: post.references.get(kind) == term.value


def _within(words: list[str], text: str) -> bool:
    return bool(words) and f" {' '.join(words)} " in f" {' '.join(tokenize(text))} "


def _in_texts(texts: Callable[[PostView], Iterable[str]]) -> Callable[[Term], PostPredicate]:
    """The value's words, one after the other, in any of some texts about the post."""

    def prepare(term: Term) -> PostPredicate:
        words = tokenize(term.value)
        return lambda post: any(_within(words, text) for text in texts(post))

    return prepare


def _profile(name: str) -> Callable[[Term], PostPredicate]:
    return _in_texts(lambda post: [post.author.get(name) or ""])


def _count(name: str) -> Callable[[Term], PostPredicate]:
    def prepare(term: Term) -> PostPredicate:
        least, most = term.numbers
        return lambda post: (
            "public_metrics" in post.author
            and least <= (either(post.author.get("public_metrics") or {}, name) or 0) <= most
        )

    return prepare


def _metric(name: str) -> Callable[[Term], PostPredicate]:
    return lambda term: lambda post: ((post.data.get("public_metrics") or {}).get(name) or 0) >= term.numbers[0]


def _language(term: Term) -> PostPredicate:
    """Posts in Chinese come as zh, whichever of the two was asked for."""
    wanted = "zh" if term.value in {"zh-CN", "zh-TW"} else term.value
    return lambda post: post.data.get("lang") in {wanted, term.value}


def _context(term: Term) -> PostPredicate:
    domain, _, entity = term.value.partition(".")
    return lambda post: any(domain in {"*", each[0]} and entity in {"*", each[1]} for each in post.contexts)


def _entity(term: Term) -> PostPredicate:
    wanted = tokenize(term.value)

    def test(post: PostView) -> bool:
        names = [each.get("normalized_text") for each in post.entities("annotations")]
        names += [(each.get("entity") or {}).get("name") for each in post.data.get("context_annotations") or () if each]
        return any(tokenize(name) == wanted for name in names if name)

    return test


def _place(term: Term) -> PostPredicate:
    words = tokenize(term.value)
    return lambda post: (
        post.place.get("id") == term.value
        or _within(words, post.place.get("full_name") or "")
        or _within(words, post.place.get("name") or "")
    )


def _country(term: Term) -> PostPredicate:
    return lambda post: (post.place.get("country_code") or "").upper() == term.value.upper()


def _bounding_box(term: Term) -> PostPredicate:
    """A point lies in the box; a place lies in it as a whole."""
    west, south, east, north = term.numbers

    def test(post: PostView) -> bool:
        box = post.box
        return box is not None and west <= box[0] and south <= box[1] and box[2] <= east and box[3] <= north

    return test


def _point_radius(term: Term) -> PostPredicate:
    longitude, latitude, miles = term.numbers

    def test(post: PostView) -> bool:
        box = post.box
        return box is not None and all(
            _miles(longitude, latitude, east, north) <= miles for east in (box[0], box[2]) for north in (box[1], box[3])
        )

    return test


def _miles(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    """The distance on a sphere (haversine)."""
    one, two = math.radians(latitude), math.radians(other_latitude)
    half = math.sin((two - one) / 2) ** 2
    half += math.cos(one) * math.cos(two) * math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    return 2 * _EARTH_MILES * math.asin(math.sqrt(min(1.0, half)))


def _sample(term: Term) -> PostPredicate:
    """The same posts for the same percentage, and more of them for a higher one."""
    percent = term.numbers[0]
    return lambda post: zlib.crc32(str(post.data.get("id", "")).encode()) % 100 < percent


def _no(_: PostView) -> bool:
    return False


_HAS: dict[str, PostPredicate] = {
    "cashtags": lambda post: bool(post.cashtags),
    "geo": lambda post: bool(post.data.get("geo")),
    "hashtags": lambda post: bool(post.hashtags),
    "images": lambda post: "photo" in post.media,
    "links": lambda post: any(True for _ in post.entities("urls")),
    "media": lambda post: bool(post.media),
    "mentions": lambda post: bool(post.mentions),
    "video_link": lambda post: "video" in post.media,
    "videos": lambda post: "video" in post.media,
}
_IS: dict[str, PostPredicate] = {
    "nullcast": _no,
    "quote": lambda post: "quoted" in post.references,
    "reply": lambda post: "replied_to" in post.references or "in_reply_to_user_id" in post.data,
    "retweet": lambda post: "retweeted" in post.references,
    "verified": lambda post: bool(post.author.get("verified")),
}


_KINDS = {"has": _HAS, "is": _IS}


def _never(_: Term) -> PostPredicate:
    return _no


def _kind(term: Term) -> PostPredicate:
    return _KINDS[term.operator].get(term.value, _no)


_TESTS: dict[str, Callable[[Term], PostPredicate]] = {
    "word": _phrase,
    "phrase": _phrase,
    "near": _near,
    "#": _tag("hashtags"),
    "@": _tag("mentions"),
    "$": _tag("cashtags"),
    "bio": _profile("description"),
    "bio_location": _profile("location"),
    "bio_name": _profile("name"),
    "bounding_box": _bounding_box,
    "context": _context,
    "conversation_id": _field("conversation_id"),
    "entity": _entity,
    "followers_count": _count("followers_count"),
    "following_count": _count("following_count"),
    "from": _tag("by"),
    "has": _kind,
    "in_reply_to_tweet_id": _reference("replied_to"),
    "is": _kind,
    "lang": _language,
    "listed_count": _count("listed_count"),
    "min_followers": _count("followers_count"),
    "min_likes": _metric("like_count"),
    "min_replies": _metric("reply_count"),
    "min_reposts": _metric("retweet_count"),
    "place": _place,
    "place_country": _country,
    "point_radius": _point_radius,
    "quotes_of_tweet_id": _reference("quoted"),
    "retweets_of": _tag("reposted"),
    "retweets_of_tweet_id": _reference("retweeted"),
    "sample": _sample,
    "source": _in_texts(lambda post: [post.data.get("source") or ""]),
    "to": _tag("to"),
    "tweets_count": _count("tweet_count"),
    "url": _in_texts(lambda post: post.urls),
    "url_contains": lambda term: lambda post: any(term.value.casefold() in url.casefold() for url in post.urls),
    "url_description": _in_texts(lambda post: (url.get("description") or "" for url in post.entities("urls"))),
    "url_title": _in_texts(lambda post: (url.get("title") or "" for url in post.entities("urls"))),
}
