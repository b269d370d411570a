"""Wikimedia's table: the columns of an event."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import msgspec

from sfm_stream.sources.lenient import fit, loads
from sfm_stream.sources.lines import LineKind
from sfm_stream.sources.rows import Column, Privacy, Rows, Standing, ValueType, neutral, own, utc_text


class _Part(msgspec.Struct, frozen=True, gc=False):
    """A part of an event; keys that it lacks are None."""


class Meta(_Part, frozen=True, gc=False):
    """Identity and time."""

    id: str | None = None
    uri: str | None = None
    domain: str | None = None
    stream: str | None = None
    dt: datetime | None = None


class Pair(_Part, frozen=True, gc=False):
    """Something before and after an edit."""

    old: int | None = None
    new: int | None = None


class PageRecord(_Part, frozen=True, gc=False):
    """A page, in newer schemas."""

    page_id: int | None = None
    page_title: str | None = None
    namespace_id: int | None = None


class Performer(_Part, frozen=True, gc=False):
    """Who did it, in newer schemas."""

    user_id: int | None = None
    user_text: str | None = None
    is_bot: bool | None = None
    user_is_bot: bool | None = None


class Revision(_Part, frozen=True, gc=False):
    """What a page was edited to; `old` and `new` in recent changes, the others in newer schemas."""

    old: int | None = None
    new: int | None = None
    rev_id: int | None = None
    rev_parent_id: int | None = None
    rev_size: int | None = None
    comment: str | None = None


class EventRecord(_Part, frozen=True, gc=False):
    """An event of any stream."""

    meta: Meta = Meta()
    type: str | None = None
    page_change_kind: str | None = None
    wiki: str | None = None
    wiki_id: str | None = None
    database: str | None = None
    title: str | None = None
    page_title: str | None = None
    page: PageRecord = PageRecord()
    page_id: int | None = None
    namespace: int | None = None
    page_namespace: int | None = None
    user: str | None = None
    performer: Performer = Performer()
    bot: bool | None = None
    minor: bool | None = None
    comment: str | None = None
    length: Pair = Pair()
    revision: Revision = Revision()
    rev_id: int | None = None
    log_type: str | None = None
    log_action: str | None = None

    @property
    def project(self) -> str | None:
        """The wiki's database name."""
        return self.wiki or self.wiki_id or self.database

    @property
    def name(self) -> str | None:
        """The page, with blanks."""
        found = self.title or self.page.page_title or self.page_title
        return found.replace("_", " ") if found else None

    @property
    def revision_id(self) -> int | None:
        """The revision that it made or is about."""
        return self.revision.new or self.revision.rev_id or self.rev_id


def _first(*values: int | bool | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


_DECODE = msgspec.json.Decoder(EventRecord).decode


def read(line: bytes) -> EventRecord | None:
    """The event of a line; None where it is no object."""
    try:
        return _DECODE(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        found: EventRecord = fit(EventRecord, loads(line))
    except (ValueError, RecursionError):
        return None
    return found


_NEUTRAL = neutral(
    {
        "source": lambda _: "wikimedia",
        "kind": lambda event: event.type or event.page_change_kind,
        "id": lambda event: event.meta.id,
        "time": lambda event: utc_text(event.meta.dt),
        "account_id": lambda event: _text(event.performer.user_id),
        "account": lambda event: event.user or event.performer.user_text,
        "text": lambda event: event.comment or event.revision.comment,
        "link": lambda event: event.meta.uri,
    }
)

_OWN = (
    own("wiki", ValueType.TEXT, "the wiki's database name", "project"),
    own("title", ValueType.TEXT, "the page", "name"),
    Column(
        "namespace",
        ValueType.INTEGER,
        "the page's namespace; 0 is that of articles",
        lambda event: _first(event.namespace, event.page.namespace_id, event.page_namespace),
    ),
    Column(
        "page_id", ValueType.TEXT, "the page's number", lambda event: _text(_first(event.page.page_id, event.page_id))
    ),
    Column(
        "bot",
        ValueType.BOOLEAN,
        "whether a bot did it",
        lambda event: _first(event.bot, event.performer.is_bot, event.performer.user_is_bot),
    ),
    own("minor", ValueType.BOOLEAN, "whether its author calls it minor", "minor"),
    Column(
        "revision",
        ValueType.TEXT,
        "the page's revision that it made",
        lambda event: _text(event.revision_id),
        Privacy.KEY,
    ),
    Column(
        "revision_before",
        ValueType.TEXT,
        "the one before",
        lambda event: _text(_first(event.revision.old, event.revision.rev_parent_id)),
        Privacy.KEY,
    ),
    Column(
        "length",
        ValueType.INTEGER,
        "the page's bytes with it",
        lambda event: _first(event.length.new, event.revision.rev_size),
    ),
    own("length_before", ValueType.INTEGER, "the page's bytes before", "length.old"),
    own("log_type", ValueType.TEXT, "of a log entry: which log", "log_type"),
    own("log_action", ValueType.TEXT, "of a log entry: what was done", "log_action"),
    own("stream", ValueType.TEXT, "the stream that brought it", "meta.stream"),
)
_PAGE_DELETED, _PAGE_RESTORED = ("delete", "delete"), ("delete", "restore")


def _standing(event: EventRecord) -> Standing:
    stream, what = event.meta.stream or "", event.page_change_kind
    if not event.meta.id:
        return Standing(LineKind.OTHER)
    if event.meta.domain == "canary":
        return Standing(LineKind.NOTICE)
    page = f"page {event.project} {event.name}"
    revision = f"revision {event.project} {event.revision_id}" if event.revision_id else ""
    keys = tuple(filter(None, (event.meta.id, page, revision)))
    if what == "visibility_change" or stream.endswith("visibility-change"):
        return Standing(LineKind.DELETE, keys, ends=(revision,) if revision else ())
    if what == "delete" or stream.endswith("page-delete"):
        return Standing(LineKind.DELETE, keys, ends=(page,))
    log = (event.log_type, event.log_action)
    if log == _PAGE_DELETED:
        return Standing(LineKind.POST, keys, ends=(page,))
    if what == "undelete" or stream.endswith("page-undelete") or log == _PAGE_RESTORED:
        return Standing(LineKind.POST, keys, restores=(page,))
    return Standing(LineKind.POST, keys)


_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SHOWN = frozenset(
    {
        *(field.name for field in msgspec.structs.fields(EventRecord)),
        *("$schema", "id", "timestamp", "dt", "parsedcomment", "title_url", "notify_url", "patrolled"),
        *("server_name", "server_script_path", "server_url", "log_id", "log_action_comment", "log_params"),
    }
)
"""What a column shows, or what says nothing that another does not say."""


def _unnamed(line: bytes) -> frozenset[str]:
    try:
        return frozenset(_PARTS.decode(line)) - _SHOWN
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frozenset()


ROWS = Rows(
    columns=(*_NEUTRAL, *_OWN),
    read=read,
    standing=_standing,
    tells=re.compile(rb'"log_type"\s*:\s*"delete"|"page_change_kind"|page-(?:un)?delete|visibility-change'),
    unnamed=_unnamed,
    own_pages=re.compile(
        r"https?://([a-z-]+\.)+(wikipedia|wikimedia|wiktionary|wikidata)\.org/wiki/User", re.IGNORECASE
    ),
    sent=lambda event: utc_text(event.meta.dt),
    late=timedelta(days=8),
    terms="Comments on edits are under CC BY-SA 4.0, as are the texts; name the editors: "
    "https://foundation.wikimedia.org/wiki/Policy:Terms_of_Use",
)
