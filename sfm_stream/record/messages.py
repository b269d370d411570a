"""What a source says on a stream beside the posts, as the journal keeps it: what kind of line it is, in a few words."""

from __future__ import annotations

import json
from typing import Literal

MessageKind = Literal["error", "notice", "unreadable"]
"""A problem that X names, something else in JSON (a limit, a warning, a withheld post), or a line that is neither."""
WORDS = 120


def describe(line: bytes) -> tuple[MessageKind, str]:
    """The kind of a line that is no post, and what it is about: a title, or the name of the notice."""
    try:
        found = json.loads(line.decode("utf-8", "replace"), strict=False, parse_int=str)
    except (ValueError, RecursionError):
        return "unreadable", "a line that is neither a post nor a message"
    if not isinstance(found, dict) or not found:
        return "unreadable", "a line that is neither a post nor a message"
    errors = found.get("errors")
    if isinstance(errors, list) and errors:
        first = errors[0] if isinstance(errors[0], dict) else {}
        words = next((first[key] for key in ("title", "detail", "message") if isinstance(first.get(key), str)), "error")
        return "error", words[:WORDS]
    return "notice", str(next(iter(found)))[:WORDS]
