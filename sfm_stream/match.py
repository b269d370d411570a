"""Decides whether a post matches a rule of X, as X's documentation describes it.

The post is the raw envelope of the stream, ``{"data": {...}, "includes": {...}}``. Where a post was delivered with
too few fields to tell (no users, say, for ``from:name``), the answer is no. Two operators always
answer no, since no delivered field tells: ``from_affiliate_of:`` and ``to_affiliate_of:``.

Words are compared without case. They end at punctuation; each pictograph, and each sign of a script written without
blanks (Chinese, Japanese, Thai ...), is a word by itself. The text of a post is its text, its long
text (note_tweet) and its expanded links; that of a repost is the original's too, whose own is cut short.
A quoted post's text does not count.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Any

from sfm_stream.query import And, Not, Or, Query, Term

Json = dict[str, Any]
Box = tuple[float, float, float, float]

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[^\W{_UNSPACED}]+|[{_UNSPACED}]|[^\w\s\x00-\x7f]")
_EARTH_MILES = 3958.8
_SEAM = "\0"


def matches(query: Query, envelope: Json) -> bool:
    """Whether the post matches; for many posts or rules, use `compile_query` and `Post` themselves."""
    return compile_query(query)(Post(envelope))


def tokens(text: str) -> list[str]:
    """The words of a text, in order, folded for comparison."""
    folded = text.casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFC", folded)
        return [token for token in _TOKEN.findall(folded) if len(token) > 1 or _is_word(token)]
    return _TOKEN.findall(folded)


@lru_cache(maxsize=4096)
def _is_word(sign: str) -> bool:
    return sign == "_" or sign.isalnum() or unicodedata.category(sign) == "So"


def _either(source: Json, name: str) -> Any:  # noqa: ANN401 - whatever X put there
    """A value by its name on the wire, or by the name that X's OpenAPI description gives it."""
    return source.get(name) or source.get(name.replace("tweet", "post"))


class Post:
    """What rules ask about a post, each found out once and only when asked.

    Args:
        envelope: ``{"data": {...}, "includes": {...}}``; keys that are missing are as good as empty.
    """

    def __init__(self, envelope: Json) -> None:
        self.data: Json = envelope.get("data") or {}
        self._includes: Json = envelope.get("includes") or {}

    @cached_property
    def users(self) -> dict[str, Json]:
        """The users delivered with the post, by id."""
        return {user["id"]: user for user in self._includes.get("users") or () if user and "id" in user}

    @cached_property
    def author(self) -> Json:
        """The post's author, {} if not delivered."""
        return self.users.get(self.data.get("author_id", ""), {})

    @cached_property
    def references(self) -> dict[str, str]:
        """The posts that this one answers, quotes or reposts: kind to id."""
        references = _either(self.data, "referenced_tweets") or ()
        return {each["type"]: each["id"] for each in references if each and "type" in each and "id" in each}

    @cached_property
    def _posts(self) -> dict[str, Json]:
        return {post["id"]: post for post in _either(self._includes, "tweets") or () if post and "id" in post}

    @cached_property
    def original(self) -> Json:
        """The reposted post, {} if there is none or it was not delivered."""
        return self._posts.get(self.references.get("retweeted", ""), {})

    @cached_property
    def texts(self) -> list[Json]:
        """Everything with a text and entities: the post, its long form, and the same of what it reposts."""
        found = []
        for post in (self.data, self.original):
            if post:
                found.append(post)
            if note := _either(post, "note_tweet"):
                found.append(note)
        return found

    def entities(self, kind: str) -> Iterator[Json]:
        """All hashtags, mentions, cashtags, urls or annotations."""
        for text in self.texts:
            yield from filter(None, (text.get("entities") or {}).get(kind) or ())

    @cached_property
    def words(self) -> list[str]:
        """The words of all texts; between two texts stands a seam that no phrase crosses."""
        found: list[str] = []
        for text in self.texts:
            found += tokens(text.get("text") or "")
            found.append(_SEAM)
        for url in self.entities("urls"):
            found += tokens(url.get("unwound_url") or url.get("expanded_url") or "")
            found.append(_SEAM)
        return found

    @cached_property
    def word_set(self) -> frozenset[str]:
        """The same without order."""
        return frozenset(self.words)

    @cached_property
    def running(self) -> str:
        """The same as one text, with a blank around each word."""
        return f" {' '.join(self.words)} "

    @cached_property
    def hashtags(self) -> frozenset[str]:
        """Hashtags without #, folded."""
        return self._tags("hashtags", "tag", "#\uff03")

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Mentioned names without @, folded."""
        return self._tags("mentions", "username", "@\uff20")

    @cached_property
    def cashtags(self) -> frozenset[str]:
        """Cashtags without $, folded."""
        return self._tags("cashtags", "tag", "$")

    def _tags(self, kind: str, key: str, signs: str) -> frozenset[str]:
        found = {str(each[key]).casefold() for each in self.entities(kind) if each.get(key)}
        for text in self.texts:
            if "entities" not in text:
                marked = re.findall(rf"(?<!\w)[{re.escape(signs)}](\w+)", text.get("text") or "")
                found.update(tag.casefold() for tag in marked)
        return frozenset(found)

    @cached_property
    def urls(self) -> list[str]:
        """Every form of every link."""
        forms = ("url", "expanded_url", "unwound_url", "display_url")
        return [url[form] for url in self.entities("urls") for form in forms if url.get(form)]

    @cached_property
    def by(self) -> frozenset[str]:
        """The author's id and name, folded."""
        return self._names(self.data.get("author_id"))

    @cached_property
    def to(self) -> frozenset[str]:
        """The id and name of the account that the post answers."""
        parent = self._posts.get(self.references.get("replied_to", ""), {})
        return self._names(self.data.get("in_reply_to_user_id") or parent.get("author_id"))

    @cached_property
    def reposted(self) -> frozenset[str]:
        """The id and name of the account whose post this one reposts."""
        if "retweeted" not in self.references:
            return frozenset()
        if self.original:
            return self._names(self.original.get("author_id"))
        start = re.match(r"RT @(\w+):", self.data.get("text") or "")
        return frozenset({start[1].casefold()}) if start else frozenset()

    def _names(self, user_id: str | None) -> frozenset[str]:
        if user_id is None:
            return frozenset()
        name = self.users.get(user_id, {}).get("username")
        if name is None:
            mentions = self.entities("mentions")
            name = next((each.get("username") for each in mentions if each.get("id") == user_id), None)
        return frozenset({user_id, name.casefold()} if name else {user_id})

    @cached_property
    def media(self) -> frozenset[str]:
        """The kinds of media: photo, video, animated_gif; and "" for any that was not delivered."""
        kinds = {each.get("media_key"): each.get("type") or "" for each in self._includes.get("media") or () if each}
        keys = (key for post in self.texts for key in (post.get("attachments") or {}).get("media_keys") or ())
        found = {kinds.get(key, "") for key in keys}
        for url in self.entities("urls"):
            shown = re.search(r"/status/\d+/(photo|video)/\d+$", url.get("expanded_url") or "")
            if shown:
                found.add(shown[1])
        return frozenset(found)

    @cached_property
    def place(self) -> Json:
        """The place the post is tagged with, {} if none was delivered."""
        wanted = (self.data.get("geo") or {}).get("place_id")
        return next((each for each in self._includes.get("places") or () if each and each.get("id") == wanted), {})

    @cached_property
    def box(self) -> Box | None:
        """Where the post comes from (west, south, east, north): its point, else its place."""
        point = ((self.data.get("geo") or {}).get("coordinates") or {}).get("coordinates")
        if point and len(point) == 2 and None not in point:
            return (point[0], point[1], point[0], point[1])
        corners = (self.place.get("geo") or {}).get("bbox")
        return tuple(corners) if corners and len(corners) == 4 and None not in corners else None

    @cached_property
    def contexts(self) -> frozenset[tuple[str, ...]]:
        """The (domain, entity) ids that X annotated."""
        return frozenset(
            tuple((each.get(part) or {}).get("id") or "" for part in ("domain", "entity"))
            for each in self.data.get("context_annotations") or ()
            if each
        )


Test = Callable[[Post], bool]


def compile_query(query: Query) -> Test:
    """Prepares a rule for many posts."""
    match query:
        case Term():
            return _TESTS[query.operator](query)
        case Not(term=term):
            test = compile_query(term)
            return lambda post: not test(post)
        case And(parts=parts):
            tests = [compile_query(part) for part in parts]
            return lambda post: all(test(post) for test in tests)
        case Or(parts=parts):
            tests = [compile_query(part) for part in parts]
            return lambda post: any(test(post) for test in tests)


def _phrase(term: Term) -> Test:
    words = tokens(term.value)
    if len(words) == 1:
        word = words[0]
        return lambda post: word in post.word_set
    phrase = f" {' '.join(words)} "
    return lambda post: bool(words) and phrase in post.running


def _near(term: Term) -> Test:
    words, distance = tokens(term.value), int(term.numbers[0])

    def test(post: Post) -> bool:
        places = [[index for index, each in enumerate(post.words) if each == word] for word in words]
        span = distance + len(words) - 1
        return bool(places) and any(
            all(any(start <= index <= start + span for index in each) for each in places)
            and _SEAM not in post.words[start : start + span]
            for start in sorted({index for each in places for index in each})
        )

    return test


def _tag(name: str) -> Callable[[Term], Test]:
    def prepare(term: Term) -> Test:
        wanted = term.value.casefold()
        return lambda post: wanted in getattr(post, name)

    return prepare


def _field(name: str) -> Callable[[Term], Test]:
    return lambda term: lambda post: post.data.get(name) == term.value


def _reference(kind: str) -> Callable[[Term], Test]:
    return lambda term: lambda post: post.references.get(kind) == term.value


def _within(words: list[str], text: str) -> bool:
    return bool(words) and f" {' '.join(words)} " in f" {' '.join(tokens(text))} "


def _in_texts(texts: Callable[[Post], Iterable[str]]) -> Callable[[Term], Test]:
    """The value's words, one after the other, in any of some texts about the post."""

    def prepare(term: Term) -> Test:
        words = tokens(term.value)
        return lambda post: any(_within(words, text) for text in texts(post))

    return prepare


def _profile(name: str) -> Callable[[Term], Test]:
    return _in_texts(lambda post: [post.author.get(name) or ""])


def _count(name: str) -> Callable[[Term], Test]:
    def prepare(term: Term) -> Test:
        least, most = term.numbers
        return lambda post: (
            "public_metrics" in post.author
            and least <= (_either(post.author.get("public_metrics") or {}, name) or 0) <= most
        )

    return prepare


def _context(term: Term) -> Test:
    domain, _, entity = term.value.partition(".")
    return lambda post: any(domain in {"*", each[0]} and entity in {"*", each[1]} for each in post.contexts)


def _entity(term: Term) -> Test:
    wanted = tokens(term.value)

    def test(post: Post) -> bool:
        names = [each.get("normalized_text") for each in post.entities("annotations")]
        names += [(each.get("entity") or {}).get("name") for each in post.data.get("context_annotations") or () if each]
        return any(tokens(name) == wanted for name in names if name)

    return test


def _place(term: Term) -> Test:
    words = tokens(term.value)
    return lambda post: (
        post.place.get("id") == term.value
        or _within(words, post.place.get("full_name") or "")
        or _within(words, post.place.get("name") or "")
    )


def _country(term: Term) -> Test:
    return lambda post: (post.place.get("country_code") or "").upper() == term.value.upper()


def _bounding_box(term: Term) -> Test:
    """A point lies in the box; a place lies in it as a whole."""
    west, south, east, north = term.numbers

    def test(post: Post) -> bool:
        box = post.box
        return box is not None and west <= box[0] and south <= box[1] and box[2] <= east and box[3] <= north

    return test


def _point_radius(term: Term) -> Test:
    longitude, latitude, miles = term.numbers

    def test(post: Post) -> bool:
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


def _sample(term: Term) -> Test:
    """The same posts for the same percentage, and more of them for a higher one."""
    percent = term.numbers[0]
    return lambda post: zlib.crc32(str(post.data.get("id", "")).encode()) % 100 < percent


_HAS: dict[str, Test] = {
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
_IS: dict[str, Test] = {
    "nullcast": lambda _: False,
    "quote": lambda post: "quoted" in post.references,
    "reply": lambda post: "replied_to" in post.references or "in_reply_to_user_id" in post.data,
    "retweet": lambda post: "retweeted" in post.references,
    "verified": lambda post: bool(post.author.get("verified")),
}


def _never(_: Term) -> Test:
    return lambda _: False


_TESTS: dict[str, Callable[[Term], Test]] = {
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
    "from_affiliate_of": _never,
    "has": lambda term: _HAS[term.value],
    "in_reply_to_tweet_id": _reference("replied_to"),
    "is": lambda term: _IS[term.value],
    "lang": _field("lang"),
    "listed_count": _count("listed_count"),
    "place": _place,
    "place_country": _country,
    "point_radius": _point_radius,
    "quotes_of_tweet_id": _reference("quoted"),
    "retweets_of": _tag("reposted"),
    "retweets_of_tweet_id": _reference("retweeted"),
    "sample": _sample,
    "source": _in_texts(lambda post: [post.data.get("source") or ""]),
    "to": _tag("to"),
    "to_affiliate_of": _never,
    "tweets_count": _count("tweet_count"),
    "url": _in_texts(lambda post: post.urls),
    "url_contains": lambda term: lambda post: any(term.value.casefold() in url.casefold() for url in post.urls),
    "url_description": _in_texts(lambda post: (url.get("description") or "" for url in post.entities("urls"))),
    "url_title": _in_texts(lambda post: (url.get("title") or "" for url in post.entities("urls"))),
}
