"""Bluesky's table: the columns of a record."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property
from typing import Any

from sfm_stream.sources.bluesky.events import POSTS, Event, classified
from sfm_stream.sources.bluesky.events import read as read_event
from sfm_stream.sources.bluesky.posts import DEPTH, FACET, embeds_of, features_of, list_in, record_of, text_in
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
    utc_text,
)


class EventRecord:
    """An event with its record, whose parts are found when they are asked for."""

    def __init__(self, event: Event) -> None:
        self.event = event

    @cached_property
    def record(self) -> dict[str, Any]:
        """The record; empty where there is none."""
        return record_of(self.event)

    @cached_property
    def embeds(self) -> list[dict[str, Any]]:
        """What is attached, and what that holds in turn."""
        return list(embeds_of(self.record.get("embed"), DEPTH))

    @property
    def subject(self) -> str:
        """What a like, repost, follow or block is about."""
        found = self.record.get("subject")
        return text_in(found, "uri") if isinstance(found, dict) else found if isinstance(found, str) else ""

    @property
    def quoted(self) -> str:
        """The record that it quotes."""
        for embed in self.embeds:
            found = embed.get("record")
            while isinstance(found, dict):
                if uri := text_in(found, "uri"):
                    return uri
                found = found.get("record")
        return ""

    def features(self, kind: str, key: str) -> list[str]:
        """That key of the text's features of a kind."""
        return [text_in(each, key) for each in features_of(self.record) if each.get("$type") == f"{FACET}{kind}"]

    def answered(self, part: str) -> str:
        """The post that it answers (``parent``), or that began the thread (``root``)."""
        reply = self.record.get("reply")
        found = reply.get(part) if isinstance(reply, dict) else None
        return text_in(found, "uri") if isinstance(found, dict) else ""


def read(line: bytes) -> EventRecord | None:
    """The event of a line, as the table shows it; None where it is none."""
    event = read_event(line)
    return None if event is None else EventRecord(event)


def _kind(each: EventRecord) -> str:
    event = each.event
    if event.kind != "commit":
        return event.kind
    if event.operation == "delete":
        return "delete"
    if event.collection != POSTS:
        return event.collection.rpartition(".")[2]
    return "reply" if "reply" in each.record else "quote" if each.quoted else "post"


def _link(each: EventRecord) -> str | None:
    event = each.event
    if event.collection == POSTS:
        return f"https://bsky.app/profile/{event.did}/post/{event.rkey}"
    return f"https://bsky.app/profile/{event.did}" if event.did else None


def _links(each: EventRecord) -> str | None:
    external = [found for embed in each.embeds if isinstance(found := embed.get("external"), dict)]
    return listed([*each.features("link", "uri"), *(text_in(found, "uri") for found in external)])


def _media(each: EventRecord) -> str | None:
    found = []
    for embed in each.embeds:
        images = [("image", item, item.get("image")) for item in list_in(embed, "images") if isinstance(item, dict)]
        for kind, item, blob in [*images, *([("video", embed, embed["video"])] if "video" in embed else [])]:
            reference = blob.get("ref") if isinstance(blob, dict) else None
            key = text_in(reference, "$link") if isinstance(reference, dict) else ""
            found.append(
                {"type": kind} | {name: each for name, each in (("alt", text_in(item, "alt")), ("key", key)) if each}
            )
    return json_text(found)


_NEUTRAL = neutral(
    {
        "source": lambda _: "bluesky",
        "kind": _kind,
        "id": lambda each: each.event.uri,
        "time": lambda each: utc_text(text_in(each.record, "createdAt")) or utc_text(each.event.time),
        "account_id": lambda each: each.event.did,
        "text": lambda each: text_in(each.record, "text") or None,
        "lang": lambda each: next((lang for lang in list_in(each.record, "langs") if isinstance(lang, str)), None),
        "link": _link,
        "reply_to": lambda each: each.answered("parent") or None,
        "repost_of": lambda each: each.subject or None if each.event.collection == "app.bsky.feed.repost" else None,
        "quote_of": lambda each: each.quoted or None,
        "thread": lambda each: each.answered("root") or None,
        "tags": lambda each: listed(
            [*each.features("tag", "tag"), *(tag for tag in list_in(each.record, "tags") if isinstance(tag, str))]
        ),
        "mentions": lambda each: listed(each.features("mention", "did")),
        "links": _links,
        "media": _media,
    }
)

_OWN = (
    Column(
        "sent",
        ValueType.TIME,
        "when the host sent it; `time` is what its author's software says",
        lambda each: utc_text(each.event.time),
    ),
    own("operation", ValueType.TEXT, "create, update or delete", "event.operation"),
    own("collection", ValueType.TEXT, "the kind of record", "event.collection"),
    Column(
        "subject",
        ValueType.TEXT,
        "what a like, repost, follow or block is about",
        lambda each: each.subject or None,
        Privacy.KEY,
    ),
    Column(
        "langs",
        ValueType.JSON,
        "all languages that it claims",
        lambda each: listed([lang for lang in list_in(each.record, "langs") if isinstance(lang, str)]),
    ),
    Column("labels", ValueType.JSON, "what its author warns of", lambda each: json_text(each.record.get("labels"))),
    Column(
        "embed",
        ValueType.JSON,
        "what is attached, as it came",
        lambda each: json_text(each.record.get("embed")),
        Privacy.HIDDEN,
    ),
    own("cid", ValueType.TEXT, "the hash of its content", "event.cid", Privacy.KEY),
    own("rev", ValueType.TEXT, "the revision of its author's repository", "event.rev", Privacy.KEY),
    Column(
        "account_status",
        ValueType.TEXT,
        "of an account event: active, or why it is not",
        lambda each: (
            (each.event.status or ("active" if each.event.active else "inactive"))
            if each.event.kind == "account"
            else None
        ),
    ),
)


def _standing(each: EventRecord) -> Standing:
    event = each.event
    kind, account = classified(event).kind, f"at://{event.did}"
    if event.kind == "account":
        if event.removes:
            return Standing(kind, (account,), ends=(account,))
        return Standing(kind, (account,), restores=(account,) if event.active else ())
    if event.kind != "commit":
        return Standing(kind, (account,) if event.did else ())
    keys = (event.uri, account)
    return Standing(kind, keys, ends=() if event.operation == "create" else (event.uri,))


_SHOWN = frozenset(
    {
        *("$type", "text", "createdAt", "langs", "facets", "embed", "reply", "tags", "labels"),
        "entities",  # what facets were before 2023, never together with them
    }
)


def _unnamed(line: bytes) -> frozenset[str]:
    event = read_event(line)
    if event is None or event.collection != POSTS:
        return frozenset()
    return frozenset(f"record.{each}" for each in frozenset(record_of(event)) - _SHOWN)


ROWS = Rows(
    columns=(*_NEUTRAL, *_OWN),
    read=read,
    standing=_standing,
    tells=re.compile(rb'"operation"\s*:\s*"(?:update|delete)"|"kind"\s*:\s*"account"|#account"'),
    unnamed=_unnamed,
    own_pages=re.compile(r"https?://([a-z]+\.)?bsky\.(app|social)/", re.IGNORECASE),
    sent=lambda each: utc_text(each.event.time),
    late=timedelta(hours=37),
    terms="Posts are their authors' works, and public; what an author deletes is to be deleted here, too: "
    "https://docs.bsky.app/docs/support/developer-guidelines",
)
