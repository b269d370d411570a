"""A post as a row of a table: the columns that every source fills, and how a source adds its own.

A source offers `Rows`. Who wants a few values of each post asks for those alone, and pays for those alone::

    rows = source.rows()
    take = rows.row(("lang", "tags", "account_id"))
    for line in lines:
        if (post := rows.read(line)) is not None and rows.standing(post).kind is LineKind.POST:
            lang, tags, account = take(post)
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import Any, NamedTuple

import msgspec

from sfm_stream.sources.lines import LineKind

Value = str | int | float | bool | None
Row = tuple[Value, ...]


class ValueType(StrEnum):
    """What the values of a column are; any may be None, where the post has none."""

    TEXT = "text"
    """Ids are text, too: spreadsheets and many readers take the last digits off long numbers."""
    TIME = "time"
    """``2026-11-24T20:13:00Z``, with a fraction or not: text, in UTC."""
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "json"
    """A list or an object, as JSON text."""


class Privacy(Enum):
    """What becomes of a column's values where people are to be given pseudonyms."""

    OPEN = "stays as it is"
    KEY = "is replaced by a pseudonym"
    KEYS = "is a list, each of which is replaced by a pseudonym"
    TEXT = "stays, but for the accounts that it mentions, which are replaced by pseudonyms"
    LINKS = "stays, but for links to the source's own pages"
    HIDDEN = "is left empty"


class Column(NamedTuple):
    """A column of a source's table.

    Attributes:
        name: In lower case, with underscores.
        kind: What its values are.
        what: What they say, for a person.
        value: Its value of what `Rows.read` gave.
        privacy: What becomes of it under pseudonyms.
    """

    name: str
    kind: ValueType
    what: str
    value: Callable[[Any], Value]
    privacy: Privacy = Privacy.OPEN


class Standing(NamedTuple):
    """What a line is among the others: what it goes by, and what no longer holds because of it.

    Attributes:
        kind: What it is.
        keys: What it goes by: its post's id, its account.
        ends: Keys of which all that came before no longer holds: a post that was deleted or edited, an account that is
            gone.
        restores: Keys that are there again, with all that came before.
        replaces: Keys of which nothing holds, whenever it comes: earlier versions with ids of their own.
    """

    kind: LineKind
    keys: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    restores: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()


NEUTRAL: Mapping[str, tuple[ValueType, str, Privacy]] = {
    "source": (ValueType.TEXT, "the service that it comes from", Privacy.OPEN),
    "kind": (ValueType.TEXT, "post, reply, repost, quote, or the source's own word for what it is", Privacy.OPEN),
    "id": (ValueType.TEXT, "the identity of the post at its source", Privacy.KEY),
    "time": (ValueType.TIME, "when it was made", Privacy.OPEN),
    "account_id": (ValueType.TEXT, "the identity of the account that made it", Privacy.KEY),
    "account": (ValueType.TEXT, "the name of that account, as it is mentioned", Privacy.KEY),
    "account_title": (ValueType.TEXT, "the name that the account shows", Privacy.HIDDEN),
    "text": (ValueType.TEXT, "all of its text, line ends kept", Privacy.TEXT),
    "lang": (ValueType.TEXT, "its language, as a BCP 47 tag; the first, where it claims several", Privacy.OPEN),
    "link": (ValueType.TEXT, "where a browser shows it", Privacy.HIDDEN),
    "reply_to": (ValueType.TEXT, "the id of the post that it answers", Privacy.KEY),
    "repost_of": (ValueType.TEXT, "the id of the post that it repeats", Privacy.KEY),
    "quote_of": (ValueType.TEXT, "the id of the post that it quotes", Privacy.KEY),
    "thread": (ValueType.TEXT, "the id of the post that began the conversation", Privacy.KEY),
    "tags": (ValueType.JSON, "its hashtags, without #: a list of texts", Privacy.OPEN),
    "mentions": (ValueType.JSON, "the accounts that it mentions: a list of texts", Privacy.KEYS),
    "links": (ValueType.JSON, "the addresses that it links to: a list of texts", Privacy.LINKS),
    "media": (ValueType.JSON, "its pictures and videos: a list of objects with type, url, alt and key", Privacy.HIDDEN),
}
"""The columns that all sources share, in their order; a source leaves empty what it does not have."""


class Rows(NamedTuple):
    """A source's table.

    Attributes:
        columns: The neutral ones in their order, then the source's own.
        read: What a line holds, for the columns' `value`; None where it cannot be read. Never an exception.
        standing: What such a thing is among the others.
        tells: Finds what only lines have that end, restore or replace others, and perhaps a few more: what is passed
            over otherwise is never parsed for it.
        unnamed: The names of a line's parts that no column shows, for lines of an ordinary form.
        own_pages: Finds the addresses of the source's own pages, which tell who somebody is.
        sent: When the service sent such a thing, or when it was made; None where neither is told.
        late: How long after that it may arrive: where a source replays, as long as it does.
        terms: What the service, or the law, asks of those who pass its posts on; a sentence or two.
    """

    columns: tuple[Column, ...]
    read: Callable[[bytes], Any]
    standing: Callable[[Any], Standing]
    tells: re.Pattern[bytes]
    unnamed: Callable[[bytes], frozenset[str]]
    own_pages: re.Pattern[str]
    sent: Callable[[Any], str | None]
    late: timedelta
    terms: str

    def row(self, names: Sequence[str]) -> Callable[[Any], Row]:
        """What makes rows of these columns.

        Raises:
            KeyError: There is no column of such a name.
        """
        by_name = {column.name: column.value for column in self.columns}
        values = tuple(by_name[name] for name in names)
        return lambda post: tuple([value(post) for value in values])


def neutral(values: Mapping[str, Callable[[Any], Value]]) -> tuple[Column, ...]:
    """The neutral columns, of which a source fills those that are named; the others are empty.

    Raises:
        ValueError: A name is none of theirs.
    """
    if unknown := set(values) - set(NEUTRAL):
        raise ValueError(f"no neutral columns: {', '.join(sorted(unknown))}")
    return tuple(
        Column(name, kind, what, values.get(name, _nothing), privacy) for name, (kind, what, privacy) in NEUTRAL.items()
    )


def own(name: str, kind: ValueType, what: str, path: str, privacy: Privacy = Privacy.OPEN) -> Column:
    """A column whose value is an attribute of what was read, by its dotted path."""
    return Column(name, kind, what, operator.attrgetter(path), privacy)


_ENCODE = msgspec.json.Encoder().encode


def json_text(value: object) -> str | None:
    """A list or object as JSON text; None where it is empty."""
    return _ENCODE(value).decode() if value else None


def listed(values: Iterable[str | None]) -> str | None:
    """Texts as a JSON list, each once; None where there are none."""
    found = list(dict.fromkeys(filter(None, values)))
    return _ENCODE(found).decode() if found else None


def raw_text(value: msgspec.Raw) -> str | None:
    """The same of what was not decoded, as it came."""
    text = bytes(value)
    return None if text in (b"", b"null", b"[]", b"{}") else text.decode("utf-8", "replace")


_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)


def utc_text(value: str | datetime | None) -> str | None:
    """A time as ``2026-11-24T20:13:00Z``; None where it is none."""
    if not value:
        return None
    if isinstance(value, str):
        if _UTC.fullmatch(value):
            return value
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    try:
        value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        return None
    return f"{value:%Y-%m-%dT%H:%M:%S}{f'.{value.microsecond:06d}' if value.microsecond else ''}Z".rjust(20, "0")


def _nothing(_: object) -> None:
    return None
