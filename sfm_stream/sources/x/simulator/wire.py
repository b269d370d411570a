"""A post as a connection asked for it: the wanted fields and expansions, as bytes with room for its id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from sfm_stream.sources.x.fields import PUBLIC
from sfm_stream.sources.x.simulator.generator import CREATED, ID, UNTIL, Draft
from sfm_stream.sources.x.simulator.ids import EPOCH_MS, stamp
from sfm_stream.sources.x.simulator.texts import Json

_DEFAULT = {
    "tweet": ("edit_history_tweet_ids", "id", "text"),
    "user": ("id", "name", "username"),
    "media": ("media_key", "type"),
    "poll": ("id", "options"),
    "place": ("full_name", "id"),
}
_RESTRICTED = {
    "tweet": ("matched_media_notes", "non_public_metrics", "note_request_suggestions", "organic_metrics",
              "promoted_metrics", "suggested_source_links", "suggested_source_links_with_counts"),
    "user": ("confirmed_email", "connection_status", "receives_your_dm", "subscription"),
    "media": ("non_public_metrics", "organic_metrics", "promoted_metrics"),
}  # fmt: skip
"""What X accepts as a name, but has nothing to say about to an app of its own."""

_BRINGS = {
    "attachments.media_keys": "attachments",
    "attachments.poll_ids": "attachments",
    "author_id": "author_id",
    "entities.mentions.username": "entities",
    "geo.place_id": "geo",
    "in_reply_to_user_id": "in_reply_to_user_id",
    "referenced_tweets.id": "referenced_tweets",
    "referenced_tweets.id.author_id": "referenced_tweets",
    "referenced_tweets.id.attachments.media_keys": "referenced_tweets",
}
"""The field of a post that an expansion comes with."""


class Wanted(msgspec.Struct, frozen=True):
    """What a connection asked for; hashable, and all of its names known."""

    tweet: tuple[str, ...]
    user: tuple[str, ...]
    media: tuple[str, ...]
    poll: tuple[str, ...]
    place: tuple[str, ...]
    expansions: tuple[str, ...]


def read_wanted(parameters: Mapping[str, str]) -> tuple[Wanted, list[Json]]:
    """What the query string asks for, and X's complaints about names that it does not have."""
    errors: list[Json] = []
    chosen: dict[str, tuple[str, ...]] = {}
    for group, public in PUBLIC.items():
        parameter = "expansions" if group == "expansions" else f"{group}.fields"
        asked = tuple(parameters.get(parameter, "").split(",")) if parameters.get(parameter) else ()
        known = (*public, *_RESTRICTED.get(group, ()))
        for name in asked:
            if name not in known:
                message = f"The `{parameter}` query parameter value [{name}] is not one of [{','.join(known)}]"
                errors.append({"parameters": {parameter: [name]}, "message": message})
        chosen[group] = tuple(sorted({*_DEFAULT.get(group, ()), *asked}))
    brought = {_BRINGS[name] for name in chosen["expansions"] if name in _BRINGS}
    chosen["tweet"] = tuple(sorted({*chosen["tweet"], *brought}))
    return Wanted(**chosen), errors


def project(envelope: Json, wanted: Wanted) -> Json:
    """The envelope with nothing but what was asked for."""
    includes = envelope["includes"]
    posts = [envelope["data"]]
    if "referenced_tweets.id" in wanted.expansions:
        posts += includes.get("tweets", [])
    polls = None if "attachments.poll_ids" in wanted.expansions else ()
    places = None if "geo.place_id" in wanted.expansions else ()
    chosen = {
        "users": _some(includes, "users", "id", _user_ids(envelope, wanted), wanted.user),
        "tweets": [_fields(post, wanted.tweet) for post in posts[1:]],
        "media": _some(includes, "media", "media_key", _media_keys(envelope, wanted), wanted.media),
        "polls": _some(includes, "polls", "id", polls, wanted.poll),
        "places": _some(includes, "places", "id", places, wanted.place),
    }
    projected: Json = {"data": _fields(envelope["data"], wanted.tweet)}
    if filled := {kind: found for kind, found in chosen.items() if found}:
        projected["includes"] = filled
    return projected


def _fields(source: Json, names: tuple[str, ...]) -> Json:
    return {name: source[name] for name in names if name in source}


def _some(includes: Json, kind: str, key: str, ids: Any, names: tuple[str, ...]) -> list[Json]:  # noqa: ANN401
    """The included things of a kind that have one of the ids (any, for None)."""
    return [_fields(each, names) for each in includes.get(kind, ()) if ids is None or each[key] in ids]


def _user_ids(envelope: Json, wanted: Wanted) -> set[str]:
    data, expansions = envelope["data"], wanted.expansions
    ids: set[str] = set()
    if "author_id" in expansions:
        ids.add(data["author_id"])
    if "in_reply_to_user_id" in expansions:
        ids.add(data.get("in_reply_to_user_id", ""))
    if "referenced_tweets.id.author_id" in expansions:
        ids.update(post["author_id"] for post in envelope["includes"].get("tweets", ()))
    if "entities.mentions.username" in expansions:
        ids.update(each["id"] for each in data.get("entities", {}).get("mentions", ()))
    return ids


def _media_keys(envelope: Json, wanted: Wanted) -> set[str]:
    posts = [envelope["data"]] if "attachments.media_keys" in wanted.expansions else []
    if "referenced_tweets.id.attachments.media_keys" in wanted.expansions:
        posts += envelope["includes"].get("tweets", [])
    return {key for post in posts for key in post.get("attachments", {}).get("media_keys", ())}


_MARK = re.compile(f"{ID}|{CREATED}|{UNTIL}".encode())
_SLOT = {ID.encode(): b"%(id)b", CREATED.encode(): b"%(created)b", UNTIL.encode(): b"%(until)b"}


def line(draft: Draft, wanted: Wanted, post_id: int, matching_rules: bytes) -> bytes:
    """The bytes of a post, without line end.

    Args:
        draft: The post but for its id and time.
        wanted: What the connection asked for.
        post_id: A snowflake, which tells the time as well.
        matching_rules: ``,"matching_rules":[...]`` as it stands in the envelope, or nothing.
    """
    pattern = draft.formats.get(wanted)
    if pattern is None:
        text = msgspec.json.encode(project(draft.envelope, wanted))[:-1].replace(b"%", b"%%")
        pattern = draft.formats[wanted] = _MARK.sub(lambda mark: _SLOT[mark[0]], text)
    created, until = _times(post_id >> 22)
    return pattern % {b"id": b"%d" % post_id, b"created": created, b"until": until} + matching_rules + b"}"


@lru_cache(maxsize=256)
def _times(since_epoch: int) -> tuple[bytes, bytes]:
    """When a post was made, and until when it can be edited."""
    made = (since_epoch + EPOCH_MS) / 1000
    return stamp(made).encode(), stamp(made + 3600).encode()


def encode_rules(rules: Iterable[tuple[str, str]]) -> bytes:
    """The rules that a post matched, ids and tags, as `line` takes them."""
    shown = [{"id": rule_id, "tag": tag} if tag else {"id": rule_id} for rule_id, tag in rules]
    return b',"matching_rules":' + msgspec.json.encode(shown)
