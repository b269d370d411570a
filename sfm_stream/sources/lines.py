"""A line of a stream: what it is, and what becomes of it. Capture and salvage share a source's `Classify`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum, StrEnum
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


class Features(NamedTuple):
    """What a summary of many lines counts of one; a source leaves empty what a line does not have.

    Attributes:
        kind: What it is, as `classify` has it.
        time: When the service says that it was posted, or sent.
        account: Whose it is, by what never changes: an id where the source has one.
        name: How people call that account; "" where the line does not say, or where `account` is it.
        langs: Languages as BCP 47 tags, in lower case: those that the service found, or that the author claims.
        tags: Hashtags without #, folded.
        links: The addresses that it links to, whole.
        partial: Whether parts of it are not as the source describes them, and were left out.
    """

    kind: LineKind
    time: datetime | None = None
    account: str = ""
    name: str = ""
    langs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    partial: bool = False


Classify = Callable[[bytes], Classified]
"""What a line is; of any bytes, without an exception."""


class Disposition(Enum):
    """What becomes of a line."""

    KEEP = "into the file"
    UNMATCHED = "counted"
    MESSAGE = "into the journal"
