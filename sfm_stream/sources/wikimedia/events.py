"""An event of EventStreams, decoded as far as the capture needs to know it.

Source: the schemas ``mediawiki/recentchange`` and ``mediawiki/page_change``.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import msgspec

from sfm_stream.sources.lines import Classified, LineKind


class _Meta(msgspec.Struct, frozen=True):
    id: str = ""
    domain: str = ""
    dt: datetime | None = None
    stream: str = ""
    uri: str = ""


class Event(msgspec.Struct, frozen=True):
    """What filters ask of an event; keys that it lacks are empty.

    Attributes:
        meta: Identity, wiki and time.
        type: Of a recent change: ``edit``, ``new``, ``log``, ``categorize``, ``external``.
        page_change_kind: Of a page change: ``edit``, ``create``, ``delete``, ``visibility_change`` ...
        wiki: The wiki's database name: ``enwiki``.
        wiki_id: The same in newer schemas.
        title: The page.
        namespace: Its namespace; 0 is that of articles.
        user: Who did it.
        bot: Whether that is a bot.
        comment: What the user said of it.
    """

    meta: _Meta = _Meta()
    type: str = ""
    page_change_kind: str = ""
    wiki: str = ""
    wiki_id: str = ""
    title: str = ""
    namespace: int | None = None
    user: str = ""
    bot: bool = False
    comment: str = ""

    @property
    def is_canary(self) -> bool:
        """Whether it is one of the service's own signs of life, filled with example values."""
        return self.meta.domain == "canary"


_DECODER = msgspec.json.Decoder(Event)
_REMOVALS = frozenset({"delete", "visibility_change"})


def read(line: bytes) -> Event | None:
    """The event of a line; None where it is none."""
    try:
        event = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _tolerant(line)
    return event if event.meta.id else None


def _tolerant(line: bytes) -> Event | None:
    """An event with parts of other types is an event all the same; newer schemas nest page and user."""
    try:
        raw: Any = json.loads(line.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or not isinstance(raw.get("meta"), dict):
        return None
    flat: dict[str, object] = {}
    for field in msgspec.structs.fields(Event):
        try:
            flat[field.name] = msgspec.convert(raw[field.name], field.type)
        except (KeyError, msgspec.ValidationError):
            continue
    if "meta" not in flat:
        flat["meta"] = _Meta(id=str(raw["meta"].get("id") or ""), domain=str(raw["meta"].get("domain") or ""))
    event = Event(**flat)  # type: ignore[arg-type]  # converted to the fields' own types above
    return event if event.meta.id else None


def classify(line: bytes) -> Classified:
    """What a line is. Its position stands in the `id` of its server-sent event, not in the line."""
    event = read(line)
    return Classified(LineKind.OTHER) if event is None else classified(event)


def classified(event: Event) -> Classified:
    """The same of an event that has been read."""
    stream = event.meta.stream
    if event.is_canary:
        kind = LineKind.NOTICE
    elif event.page_change_kind in _REMOVALS or stream.endswith(("page-delete", "visibility-change")):
        kind = LineKind.DELETE
    else:
        kind = LineKind.POST
    return Classified(kind, event.meta.id, time=event.meta.dt, key=event.meta.id)
