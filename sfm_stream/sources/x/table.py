"""X's table: the columns of a post."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from sfm_stream.sources.lines import LineKind
from sfm_stream.sources.rows import (
    Column,
    Privacy,
    Rows,
    Standing,
    ValueType,
    json_text,
    listed,
    neutral,
    own,
    raw_text,
    utc_text,
)
from sfm_stream.sources.x.posts import Data, DeliveredPost, read


def _kind(post: DeliveredPost) -> str:
    if post.reposted:
        return "repost"
    return "reply" if post.replied_to else "quote" if post.quoted else "post"


def _tags(post: DeliveredPost) -> str | None:
    return listed([each.tag for each in post.entities.hashtags or ()])


def _mentions(post: DeliveredPost) -> str | None:
    return listed([each.username for each in post.entities.mentions or ()])


def _links(post: DeliveredPost) -> str | None:
    return listed([each.target for each in post.entities.urls or ()])


def _media(post: DeliveredPost) -> str | None:
    if post.shown.attachments is None:
        return None
    found = [
        {"type": each.type, "url": each.address, "alt": each.alt_text, "key": each.media_key} for each in post.media
    ]
    return json_text([{key: value for key, value in each.items() if value} for each in found])


def _point(axis: int) -> Callable[[DeliveredPost], float | None]:
    def value(post: DeliveredPost) -> float | None:
        geo = post.data.geo
        point = geo.coordinates.coordinates if geo is not None and geo.coordinates is not None else None
        return point[axis] if point is not None and len(point) == 2 else None

    return value


def _edits(post: DeliveredPost) -> tuple[str, ...]:
    return post.data.edit_history_tweet_ids or post.data.edit_history_post_ids or ()


def _polls(post: DeliveredPost) -> str | None:
    return json_text(post.includes.polls) if post.includes.polls else None


_NEUTRAL = neutral(
    {
        "source": lambda _: "x",
        "kind": _kind,
        "id": lambda post: post.data.id,
        "time": lambda post: utc_text(post.data.created_at),
        "account_id": lambda post: post.data.author_id,
        "account": lambda post: post.author.username,
        "account_title": lambda post: post.author.name,
        "text": lambda post: post.data.whole_text,
        "lang": lambda post: post.data.lang,
        "link": lambda post: post.data.id and f"https://x.com/{post.author.username or 'i'}/status/{post.data.id}",
        "reply_to": lambda post: post.replied_to,
        "repost_of": lambda post: post.reposted,
        "quote_of": lambda post: post.quoted,
        "thread": lambda post: post.data.conversation_id,
        "tags": _tags,
        "mentions": _mentions,
        "links": _links,
        "media": _media,
    }
)

_OWN = (
    Column(
        "repost_text",
        ValueType.TEXT,
        "the text of the post that it repeats, whole; `text` has the beginning",
        lambda post: post.original.whole_text if post.original is not None else None,
        Privacy.TEXT,
    ),
    own("reply_to_account_id", ValueType.TEXT, "the account that it answers", "data.in_reply_to_user_id", Privacy.KEY),
    own(
        "reposts",
        ValueType.INTEGER,
        "how often it was reposted, when it was sent to us",
        "data.public_metrics.reposts",
    ),
    own("replies", ValueType.INTEGER, "how often it was answered, then", "data.public_metrics.reply_count"),
    own("likes", ValueType.INTEGER, "how many liked it, then", "data.public_metrics.like_count"),
    own("quotes", ValueType.INTEGER, "how often it was quoted, then", "data.public_metrics.quote_count"),
    own("bookmarks", ValueType.INTEGER, "how often it was bookmarked, then", "data.public_metrics.bookmark_count"),
    own("impressions", ValueType.INTEGER, "how often it was shown, then", "data.public_metrics.impression_count"),
    own("app", ValueType.TEXT, "what it was written with", "data.source"),
    own("sensitive", ValueType.BOOLEAN, "whether its links may be", "data.possibly_sensitive"),
    own("reply_settings", ValueType.TEXT, "who may answer", "data.reply_settings"),
    own("community_id", ValueType.TEXT, "the community that it was posted to", "data.community_id"),
    Column(
        "edits",
        ValueType.JSON,
        "the ids of its versions, the first first",
        lambda post: json_text(_edits(post)),
        Privacy.KEYS,
    ),
    Column("withheld", ValueType.JSON, "where it is withheld, and why", lambda post: raw_text(post.data.withheld)),
    Column(
        "context", ValueType.JSON, "what X takes it to be about", lambda post: raw_text(post.data.context_annotations)
    ),
    Column("polls", ValueType.JSON, "its polls", _polls),
    own("place", ValueType.TEXT, "the place that it is tagged with", "place.full_name"),
    own("country", ValueType.TEXT, "that place's country, by two letters", "place.country_code"),
    Column("longitude", ValueType.NUMBER, "of its point, in degrees", _point(0), Privacy.HIDDEN),
    Column("latitude", ValueType.NUMBER, "of its point, in degrees", _point(1), Privacy.HIDDEN),
    Column(
        "account_created",
        ValueType.TIME,
        "when the account was made",
        lambda post: utc_text(post.author.created_at),
        Privacy.HIDDEN,
    ),
    own("account_description", ValueType.TEXT, "what the account says of itself", "author.description", Privacy.HIDDEN),
    own("account_location", ValueType.TEXT, "where it says that it is", "author.location", Privacy.HIDDEN),
    own("account_verified", ValueType.BOOLEAN, "whether it has a badge", "author.verified"),
    own("account_followers", ValueType.INTEGER, "its followers, then", "author.public_metrics.followers_count"),
    own("account_following", ValueType.INTEGER, "how many it followed, then", "author.public_metrics.following_count"),
    own("account_posts", ValueType.INTEGER, "its posts, then", "author.public_metrics.posts"),
    own("account_listed", ValueType.INTEGER, "the lists that it was on, then", "author.public_metrics.listed_count"),
    Column(
        "rules",
        ValueType.JSON,
        "the tags of the rules that it matched",
        lambda post: listed([each.tag for each in post.line.matching_rules or ()]),
    ),
)


def _standing(post: DeliveredPost) -> Standing:
    data = post.data
    return standing_of(data.id, data.author_id, _edits(post), notice=bool(bytes(post.line.errors)))


def standing_of(identity: str | None, account: str | None, edits: Sequence[str], *, notice: bool) -> Standing:
    """What a line is among the others.

    Args:
        identity: The post's id; none in a message.
        account: Its author's.
        edits: The ids of its versions, the first first.
        notice: Whether a message says that something is amiss.
    """
    if not identity:
        return Standing(LineKind.NOTICE if notice else LineKind.OTHER)
    before = edits[: edits.index(identity)] if identity in edits else ()
    keys = (identity, f"account {account}") if account else (identity,)
    return Standing(LineKind.POST, keys, replaces=tuple(before))


_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SHOWN = frozenset(
    {
        *(field.name for field in msgspec.structs.fields(Data)),
        *("data", "includes", "matching_rules", "errors"),
    }
)


def _unnamed(line: bytes) -> frozenset[str]:
    try:
        outer = _PARTS.decode(line)
        inner = _PARTS.decode(outer["data"]) if "data" in outer else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frozenset()
    return frozenset(outer) - _SHOWN | frozenset(f"data.{each}" for each in frozenset(inner) - _SHOWN)


ROWS = Rows(
    columns=(*_NEUTRAL, *_OWN),
    read=read,
    standing=_standing,
    # A history of two and more: an edited post.
    tells=re.compile(rb'"edit_history_(?:tweet|post)_ids"\s*:\s*\[\s*"\d+"\s*,'),
    unnamed=_unnamed,
    own_pages=re.compile(r"https?://([a-z]+\.)?(twitter|x)\.com/", re.IGNORECASE),
    sent=lambda post: utc_text(post.data.created_at),
    late=timedelta(hours=1),
    terms="X lets collections be shared as ids, which others look up again; what is deleted there is to go here, too: "
    "https://developer.x.com/en/developer-terms/policy",
)
