"""What a summary counts of a line of X's streams, read by types: far faster than a view of the whole post."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from sfm_stream.matching.characters import fold
from sfm_stream.sources.lines import Features, LineKind
from sfm_stream.sources.x.envelope import classify
from sfm_stream.sources.x.posts import Tag, Url

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1288834974657)
"""Where X's ids begin to count."""


class _Entities(msgspec.Struct):
    hashtags: list[Tag] | None = None
    urls: list[Url] | None = None


class _Note(msgspec.Struct):
    entities: _Entities | None = None


class _Reference(msgspec.Struct):
    type: str = ""
    id: str = ""


class _Post(msgspec.Struct):
    """X's stream and its description differ in names: ``referenced_tweets`` is ``referenced_posts`` there."""

    id: str = ""
    author_id: str = ""
    created_at: str = ""
    lang: str = ""
    entities: _Entities | None = None
    note_tweet: _Note | None = None
    note_post: _Note | None = None
    referenced_tweets: list[_Reference] | None = None
    referenced_posts: list[_Reference] | None = None


class _User(msgspec.Struct):
    id: str = ""
    username: str = ""


class _Includes(msgspec.Struct):
    users: list[_User] | None = None
    tweets: list[_Post] | None = None
    posts: list[_Post] | None = None


class _Line(msgspec.Struct):
    data: _Post | None = None
    includes: _Includes | None = None


_DECODER = msgspec.json.Decoder(_Line)
_UNKNOWN = frozenset({"", "und", "zxx", "qam", "qct", "qht", "qme", "qst"})
"""What X writes where it found no language: nothing but mentions, tags, media, or too little of a text."""


def features(line: bytes) -> Features:
    """See `sfm_stream.sources.base.Source`. What a repost repeats counts as its own; what a quote quotes does not."""
    try:
        found = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _partial(line)
    post = found.data
    if post is None or not post.id:
        return Features(classify(line).kind)
    includes = found.includes
    texts = [post]
    for reference in post.referenced_tweets or post.referenced_posts or ():
        if reference.type == "retweeted" and includes:
            texts += [each for each in includes.tweets or includes.posts or () if each.id == reference.id]
    tags: dict[str, None] = {}
    links: dict[str, None] = {}
    for entities in _entities(texts):
        for tag in entities.hashtags or ():
            if tag.tag:
                tags[fold(tag.tag)] = None
        for url in entities.urls or ():
            if address := url.target:
                links[address] = None
    name = next((user.username for user in (includes and includes.users) or () if user.id == post.author_id), "")
    return Features(
        LineKind.POST,
        _time(post),
        post.author_id,
        name,
        () if post.lang in _UNKNOWN else (post.lang,),
        tuple(tags),
        tuple(links),
    )


def _entities(texts: list[_Post]) -> Iterator[_Entities]:
    """A long post has its entities twice: those of its beginning, and of all of it."""
    for post in texts:
        if post.entities:
            yield post.entities
        note = post.note_tweet or post.note_post
        if note and note.entities:
            yield note.entities


def _time(post: _Post) -> datetime | None:
    if post.created_at:
        try:
            return datetime.fromisoformat(post.created_at).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    return _time_of_id(post.id)


def _time_of_id(post: str) -> datetime | None:
    """An id tells the time to the millisecond, where the stream was not asked for ``created_at``."""
    return _EPOCH + timedelta(milliseconds=int(post) >> 22) if post.isdecimal() and len(post) < 20 else None


def _partial(line: bytes) -> Features:
    known = classify(line)
    return Features(known.kind, _time_of_id(known.id), partial=known.kind is LineKind.POST)
