"""X's posts with the columns of twarc-csv 0.7, so that notebooks that were written for it go on.

The values are those of ``twarc2 csv`` with its usual options, but for what pandas did to them there: whole numbers stay
whole where others are missing, and truth is ``true``. A long text is whole, which twarc-csv does not know. A reply's,
repost's or quoted post's account is known where that post was delivered. See
https://github.com/DocNow/twarc-csv/blob/main/dataframe_converter.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sfm_stream.sources.lenient import loads
from sfm_stream.sources.rows import Column, Rows, Standing, Value, ValueType, utc_text
from sfm_stream.sources.x.table import ROWS, standing_of

Json = dict[str, Any]

_INTEGERS = ("_count", "edits_remaining", "duration_minutes")
_BOOLEANS = ("is_edit_eligible", "possibly_sensitive", "copyright", "protected", "verified")
"""What the names of columns of these types end in; all others are text."""
NAMES = [
    "id",
    "conversation_id",
    "referenced_tweets.replied_to.id",
    "referenced_tweets.retweeted.id",
    "referenced_tweets.quoted.id",
    "author_id",
    "in_reply_to_user_id",
    "in_reply_to_username",
    "retweeted_user_id",
    "retweeted_username",
    "quoted_user_id",
    "quoted_username",
    "created_at",
    "text",
    "lang",
    "source",
    "public_metrics.impression_count",
    "public_metrics.reply_count",
    "public_metrics.retweet_count",
    "public_metrics.quote_count",
    "public_metrics.like_count",
    "public_metrics.bookmark_count",
    "reply_settings",
    "edit_history_tweet_ids",
    "edit_controls.edits_remaining",
    "edit_controls.editable_until",
    "edit_controls.is_edit_eligible",
    "possibly_sensitive",
    "withheld.scope",
    "withheld.copyright",
    "withheld.country_codes",
    "entities.annotations",
    "entities.cashtags",
    "entities.hashtags",
    "entities.mentions",
    "entities.urls",
    "context_annotations",
    "attachments.media",
    "attachments.media_keys",
    "attachments.poll.duration_minutes",
    "attachments.poll.end_datetime",
    "attachments.poll.id",
    "attachments.poll.options",
    "attachments.poll.voting_status",
    "attachments.poll_ids",
    "author.id",
    "author.created_at",
    "author.username",
    "author.name",
    "author.description",
    "author.entities.description.cashtags",
    "author.entities.description.hashtags",
    "author.entities.description.mentions",
    "author.entities.description.urls",
    "author.entities.url.urls",
    "author.url",
    "author.location",
    "author.pinned_tweet_id",
    "author.profile_image_url",
    "author.protected",
    "author.public_metrics.followers_count",
    "author.public_metrics.following_count",
    "author.public_metrics.listed_count",
    "author.public_metrics.tweet_count",
    "author.verified",
    "author.verified_type",
    "author.withheld.scope",
    "author.withheld.copyright",
    "author.withheld.country_codes",
    "geo.coordinates.coordinates",
    "geo.coordinates.type",
    "geo.country",
    "geo.country_code",
    "geo.full_name",
    "geo.geo.bbox",
    "geo.geo.type",
    "geo.id",
    "geo.name",
    "geo.place_id",
    "geo.place_type",
    "matching_rules",
    "__twarc.retrieved_at",
    "__twarc.url",
    "__twarc.version",
]
"""The columns, in their order: ``DEFAULT_TWEET_COLUMNS`` of twarc-csv 0.7.2."""


_INHERITED = ("text", "entities", "attachments", "context_annotations", "public_metrics")
_DECODE = msgspec.json.Decoder().decode
_ENCODE = json.JSONEncoder().encode
"""As Python's `json` writes, which is what twarc-csv calls: with blanks, and nothing but ASCII."""


class FlatPost:
    """A post as twarc flattens it: what it refers to stands where it is referred to.

    Attributes:
        line: All of the line.
        parts: The beginnings of column names -> where their values are; ``""`` for the post itself.
    """

    __slots__ = ("line", "parts")

    def __init__(self, line: Json) -> None:
        self.line = line
        data, includes = _object(line.get("data")), _object(line.get("includes"))
        users = _by(includes, "users", "id")
        names = _by(includes, "users", "username")
        delivered = _by(includes, "tweets", "id") or _by(includes, "posts", "id")
        references: dict[str, Json] = {}
        for each in _objects(data.get("referenced_tweets") or data.get("referenced_posts")):
            references[str(each.get("type"))] = {**each, **delivered.get(str(each.get("id")), {})}
        repeated, quoted = references.get("retweeted", {}), references.get("quoted", {})
        # Of a repost the original's: X cuts a repost's own text, and counts nothing for it.
        shown = {**data, **{key: repeated[key] for key in _INHERITED if key in repeated}} if repeated else data
        whole = repeated if "text" in repeated else data
        note = _object(whole.get("note_tweet") or whole.get("note_post"))
        geo, attachments = _object(data.get("geo")), _object(shown.get("attachments"))
        if attachments:
            media, polls = _by(includes, "media", "media_key"), _by(includes, "polls", "id")
            attachments = {
                **attachments,
                "media": [media.get(str(key), {}) for key in _list(attachments.get("media_keys"))] or None,
                "poll": next((polls.get(str(key), {}) for key in reversed(_list(attachments.get("poll_ids")))), {}),
            }
        self.parts: dict[str, Json] = {
            "": {
                **shown,
                "text": note.get("text") or shown.get("text"),
                "matching_rules": line.get("matching_rules"),
                "in_reply_to_username": _name(references.get("replied_to"), users),
                "retweeted_user_id": repeated.get("author_id"),
                "retweeted_username": _name(repeated, users),
                "quoted_user_id": quoted.get("author_id"),
                "quoted_username": _name(quoted, users),
            },
            "referenced_tweets": references,
            "public_metrics": _older(_object(shown.get("public_metrics")), "retweet_count", "repost_count"),
            "entities": _entities(_object(note.get("entities") or shown.get("entities")), names),
            "attachments": attachments,
            "author": _author(users.get(str(data.get("author_id")), {}), names),
            "geo": {**geo, **_by(includes, "places", "id").get(str(geo.get("place_id")), {})} if geo else geo,
        }


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: object) -> list[Json]:
    return [each for each in _list(value) if isinstance(each, dict)]


def _by(includes: Json, kind: str, key: str) -> dict[str, Json]:
    return {str(each[key]): each for each in _objects(includes.get(kind)) if key in each}


def _name(referred: Json | None, users: Mapping[str, Json]) -> object:
    return users.get(str((referred or {}).get("author_id")), {}).get("username")


def _entities(found: Json, names: Mapping[str, Json]) -> Json:
    """What stands in a text: tags and accounts with their signs, links as the addresses that they lead to."""
    told = dict(found)
    for kind, sign in (("cashtags", "$"), ("hashtags", "#")):
        if kind in found:
            told[kind] = [f"{sign}{each.get('tag')}" for each in _objects(found[kind])]
    if "mentions" in found:
        given = [str(each.get("username")) for each in _objects(found["mentions"])]
        told["mentions"] = [f"@{names.get(name, {}).get('username', name)}" for name in given]
    if "urls" in found:
        told["urls"] = [
            each.get("display_url") if "media_key" in each else _target(each) for each in _objects(found["urls"])
        ]
    return told


def _target(url: Json) -> object:
    return url.get("expanded_url", url.get("url"))


def _older(part: Json, older: str, newer: str) -> Json:
    """A part with the older of the two names that X has for a number."""
    return {**part, older: part[newer]} if newer in part and older not in part else part


def _author(author: Json, names: Mapping[str, Json]) -> Json:
    metrics = _older(_object(author.get("public_metrics")), "tweet_count", "post_count")
    author = {**author, "public_metrics": metrics} if metrics else author
    entities = _object(author.get("entities"))
    if not entities:
        return author
    told = {**author, "entities": dict(entities)}
    if "description" in entities:
        told["entities"]["description"] = _entities(_object(entities["description"]), names)
    if urls := [_target(each) for each in _objects(_object(entities.get("url")).get("urls"))]:
        told["entities"]["url"] = {"urls": urls}
        told["url"] = urls[-1]
    return told


def _value(name: str) -> Callable[[FlatPost], Value]:
    first, _, rest = name.partition(".")
    # Of parts that twarc does not move, the post itself has the whole.
    part, path = ("", name) if first in ("edit_controls", "withheld", "__twarc") or not rest else (first, rest)
    *above, last = path.split(".")
    fitting = {ValueType.INTEGER: _integer, ValueType.BOOLEAN: _boolean}.get(_kind(name), _text)

    def direct(post: FlatPost) -> Value:
        found = post.parts[part].get(last)
        return None if found is None else fitting(found)

    def nested(post: FlatPost) -> Value:
        found: Any = post.parts[part]
        for key in above:
            found = found.get(key)
            if not isinstance(found, dict):
                return None
        found = found.get(last)
        return None if found is None else fitting(found)

    return nested if above else direct


def _integer(found: object) -> Value:
    return found if type(found) is int else None


def _boolean(found: object) -> Value:
    return found if isinstance(found, bool) else None


def _text(found: object) -> Value:
    if isinstance(found, str):
        # As twarc-csv does, so that each post is a line of the file.
        return found.replace("\r", "").replace("\n", r"\n") if "\n" in found or "\r" in found else found
    return _ENCODE(found)


def _kind(name: str) -> ValueType:
    if name.endswith(_INTEGERS):
        return ValueType.INTEGER
    return ValueType.BOOLEAN if name.endswith(_BOOLEANS) else ValueType.TEXT


def _read(line: bytes) -> FlatPost | None:
    try:
        found = _DECODE(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            found = loads(line)
        except (ValueError, RecursionError):
            return None
    return FlatPost(found) if isinstance(found, dict) else None


def _standing(flat: FlatPost) -> Standing:
    data = _object(flat.line.get("data"))
    edits = _list(data.get("edit_history_tweet_ids") or data.get("edit_history_post_ids"))
    notice = bool(flat.line.get("errors"))
    return standing_of(_id(data, "id"), _id(data, "author_id"), edits, notice=notice)


def _id(data: Json, key: str) -> str | None:
    found = data.get(key)
    return found if isinstance(found, str) else None


def _sent(flat: FlatPost) -> str | None:
    return utc_text(_id(_object(flat.line.get("data")), "created_at"))


TWARC_ROWS: Rows = ROWS._replace(
    columns=tuple(Column(name, _kind(name), "see twarc-csv", _value(name)) for name in NAMES),
    read=_read,
    standing=_standing,
    sent=_sent,
)
"""The table; `Rows.columns` are twarc's alone."""
