"""Texts with entities whose positions are right, and what else posts are put together with."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


class Text:
    """A text that grows by entities, whose positions (in characters) it notes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.entities: Json = {}

    def add(self, kind: str, sign: str, value: str, key: str, **more: str) -> None:
        """Appends a tag or a mention."""
        start = len(self.text) + 1
        self.text += f" {sign}{value}"
        self.entities.setdefault(kind, []).append({"start": start, "end": len(self.text), key: value, **more})

    def add_url(self, url: Json) -> None:
        """Appends a link in its short form."""
        short = f"https://t.co/{zlib.crc32(url['expanded_url'].encode()):010d}"
        start = len(self.text) + 1
        self.text += f" {short}"
        self.entities.setdefault("urls", []).append({"start": start, "end": len(self.text), "url": short, **url})


def _moved(entities: Json, move: Callable[[Json], Json | None]) -> Json:
    moved = {kind: [new for each in found if (new := move(each))] for kind, found in entities.items()}
    return {kind: found for kind, found in moved.items() if found}


def shifted(entities: Json, by: int, length: int) -> Json:
    """Entities of a text that now starts `by` characters later and ends at `length`; what is cut off is gone."""
    return _moved(
        entities,
        lambda each: (
            {**each, "start": each["start"] + by, "end": each["end"] + by} if each["end"] + by < length else None
        ),
    )


def prepend(data: Json, start: str, user: Json) -> None:
    """Puts a mention of `user`, written `start`, before the text of a post."""
    data["entities"] = shifted(data.get("entities", {}), len(start), len(data["text"]) + len(start) + 1)
    mention = {"start": 0, "end": len(start) - 1, "username": user["username"], "id": user["id"]}
    data["entities"].setdefault("mentions", []).insert(0, mention)
    data["text"] = start + data["text"]
    data["display_text_range"] = [len(start), len(data["text"])]


def merged(one: Json, two: Json) -> Json:
    """Two includes as one, without repetition."""
    merged: Json = {}
    for includes in (one, two):
        for kind, found in includes.items():
            known = merged.setdefault(kind, [])
            known += [each for each in found if each not in known]
    return merged
