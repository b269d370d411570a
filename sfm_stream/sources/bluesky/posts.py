"""A record of Bluesky as matching and export see it: its texts, tags, mentions, links and languages.

A record is what its author's server sent, checked by no one: any part may be missing or of another type, and such a
part is as good as not there. Facets count UTF-8 bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from sfm_stream.matching.characters import fold
from sfm_stream.matching.view import View
from sfm_stream.sources.bluesky.events import Event

FACET = "app.bsky.richtext.facet#"
"""Begins the types of features."""
DEPTH = 8
"""An embed may hold a record with media, which holds an embed: deeper than any client makes them."""


def view(event: Event) -> View:
    """What a reader of the post sees."""
    record = record_of(event)
    features = list(features_of(record))
    links = [text_in(each, "uri") for each in features if each.get("$type") == f"{FACET}link"]
    tags = [text_in(each, "tag") for each in features if each.get("$type") == f"{FACET}tag"]
    tags += [tag for tag in list_in(record, "tags") if isinstance(tag, str)]
    texts = [text_in(record, "text")]
    media: set[str] = set()
    quotes = False
    for embed in embeds_of(record.get("embed"), DEPTH):
        kind = text_in(embed, "$type").removeprefix("app.bsky.embed.").partition("#")[0]
        quotes = quotes or kind in ("record", "recordWithMedia")
        if kind in ("images", "video", "gallery"):
            media.add("video" if kind == "video" else "image")
        external = embed.get("external")
        if isinstance(external, dict):
            texts += [text_in(external, "title"), text_in(external, "description")]
            links.append(text_in(external, "uri"))
        texts.append(text_in(embed, "alt"))
        texts += [text_in(each, "alt") for each in list_in(embed, "images") if isinstance(each, dict)]
    reply = record.get("reply")
    return View(
        texts=tuple(filter(None, texts)),
        tags=frozenset(fold(tag) for tag in tags if tag),
        mentions=frozenset(fold(text_in(each, "did")) for each in features if each.get("$type") == f"{FACET}mention"),
        links=tuple(dict.fromkeys(filter(None, links))),
        langs=frozenset(each.casefold() for each in list_in(record, "langs") if isinstance(each, str)),
        author=frozenset({fold(event.did)}),
        to=frozenset({fold(_author(parent))})
        if isinstance(reply, dict) and (parent := reply.get("parent"))
        else frozenset(),
        media=frozenset(media),
        reply=isinstance(reply, dict),
        quote=quotes,
        repost=event.collection == "app.bsky.feed.repost",
    )


def record_of(event: Event) -> dict[str, Any]:
    """The record of an event; an empty one where it has none that can be read."""
    text = bytes(event.record)
    try:
        found = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _tolerant(text)
    return found if isinstance(found, dict) else {}


def _tolerant(text: bytes) -> object:
    """Python's reader takes more, such as numbers out of range and bytes that are no UTF-8."""
    try:
        return json.loads(text.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def features_of(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the parts of its text are: mentions, links, tags."""
    for facet in list_in(record, "facets"):
        if isinstance(facet, dict):
            yield from (each for each in list_in(facet, "features") if isinstance(each, dict))


def embeds_of(embed: object, depth: int) -> Iterator[dict[str, Any]]:
    """The embed, and what it holds in turn beside a quoted record."""
    if isinstance(embed, dict) and depth:
        yield embed
        yield from embeds_of(embed.get("media"), depth - 1)


def _author(reference: object) -> str:
    """The account of ``at://did/collection/rkey``."""
    uri = text_in(reference, "uri") if isinstance(reference, dict) else ""
    return uri.removeprefix("at://").partition("/")[0]


def text_in(holder: dict[str, Any], key: str) -> str:
    """A text; "" where there is none."""
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def list_in(holder: dict[str, Any], key: str) -> list[Any]:
    """A list; an empty one where there is none."""
    value = holder.get(key)
    return value if isinstance(value, list) else []
