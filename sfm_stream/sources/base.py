"""What a source is, as far as the core knows.

A source is a folder beside this file. The core asks `sfm_stream.sources.registry` for it by name and uses what is
described here; nothing outside `sources/` names one.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class LineKind(StrEnum):
    """What a line of a stream is."""

    POST = "post"
    DELETE = "delete"
    """A post, or all posts of an account, must go."""
    NOTICE = "notice"
    """The service speaks of the stream itself: a limit, an announced end."""
    OTHER = "other"
    """Nothing that this version knows."""


class Classified(NamedTuple):
    """What a source's `classify` tells of a line, from its bytes alone.

    Attributes:
        kind: What it is.
        id: The identity of the post that it carries or that goes; "" where it names none.
        position: Where it is in the source's own sequence; "" for sources without one.
        time: When the service sent it, by the service's clock; None where it does not say.
        key: Two lines with one key are the same event, delivered twice; "" where only `id` tells.
    """

    kind: LineKind
    id: str = ""
    position: str = ""
    time: datetime | None = None
    key: str = ""


class Dropped(Exception):  # noqa: N818 - nothing is at fault here
    """A connection ended, or could not be made.

    Attributes:
        end: How, in the words of the journal.
        detail: What the system or the service said of it.
        at_once: Whether the service asked for another connection without a wait, as where it restarts.
        renewal: Whether the service ends every connection after a while: no failure, and no gap where it replays.
    """

    def __init__(self, end: str, detail: str = "", *, at_once: bool = False, renewal: bool = False) -> None:
        super().__init__(f"{end}: {detail}" if detail else end)
        self.end = end
        self.detail = detail
        self.at_once = at_once
        self.renewal = renewal


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The service answered, and did not grant the connection.

    Attributes:
        reason: In the words of the journal.
        status: The HTTP status; None where it was not refused by one.
        detail: The service's own words, up to 300 characters.
        retry_after: Seconds that it asks to wait; 0 where it does not.
    """

    def __init__(self, reason: str, status: int | None = None, detail: str = "", retry_after: float = 0.0) -> None:
        super().__init__(f"{reason}{f' (HTTP {status})' if status else ''}{f': {detail}' if detail else ''}")
        self.reason = reason
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
