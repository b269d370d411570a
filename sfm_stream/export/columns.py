"""Which columns an export has, and what becomes of their values on the way: pseudonyms, and what a format needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sfm_stream.errors import UsageError
from sfm_stream.settings.faults import nearest
from sfm_stream.sources.rows import Column, Privacy, Rows, Value, ValueType

RAW = "raw"
"""The column of the line as it came, as JSON text that every reader takes."""
FILE = "file"
"""The column of the capture file's name."""
LINE = "line"
"""The column of what a line is."""


class Field(NamedTuple):
    """A column of an export.

    Attributes:
        name: Its name.
        kind: What its values are.
        what: What they say.
        privacy: What becomes of it under pseudonyms.
        values: How each source fills it; a source that lacks it leaves it empty.
    """

    name: str
    kind: ValueType
    what: str
    privacy: Privacy
    values: Mapping[str, Callable[[Any], Value]]


EXTRA = (
    Column(FILE, ValueType.TEXT, "the capture file that it is in", lambda _: None),
    Column(LINE, ValueType.TEXT, "post, delete, notice or other: what the line is", lambda _: None),
    Column(RAW, ValueType.JSON, "all that was sent of it, unknown parts as well", lambda _: None, Privacy.HIDDEN),
)
"""Columns that are not of the post, but of its line."""


def choose(tables: Mapping[str, Rows], asked: str | None, *, raw: bool) -> list[Field]:
    """The columns of an export.

    Args:
        tables: Of each source that it has posts of.
        asked: Names and commas, as ``--columns`` has them; ``+name`` adds to those that there are otherwise.
        raw: Whether the raw line is among those that there are otherwise.

    Raises:
        UsageError: There is no column of a name; the message tells the nearest.
    """
    known = _known(tables)
    usual = [name for name in known if name not in (FILE, LINE, RAW)] + ([RAW] if raw else [])
    if not asked:
        return [known[name] for name in usual]
    wanted = [each.strip() for each in asked.split(",") if each.strip()]
    names = usual if any(each.startswith("+") for each in wanted) else []
    names = list(dict.fromkeys([*names, *(each.removeprefix("+") for each in wanted)]))
    for name in names:
        if name not in known:
            raise UsageError(f"--columns: there is no column {name!r}; {nearest(name, list(known))}")
    if not names:
        raise UsageError("--columns names no column")
    return [known[name] for name in names]


def _known(tables: Mapping[str, Rows]) -> dict[str, Field]:
    """All columns of these tables, which begin with those that they share, then those of the line."""
    found: dict[str, Field] = {}
    for source, rows in tables.items():
        for column in rows.columns:
            before = found.get(column.name)
            values = {**(before.values if before else {}), source: column.value}
            kept = before or column
            found[column.name] = Field(column.name, kept.kind, kept.what, kept.privacy, values)
    for column in EXTRA:
        found[column.name] = Field(column.name, column.kind, column.what, column.privacy, {})
    return found


def maker(
    fields: Sequence[Field],
    source: str,
    change: Callable[[Field, Callable[[Any], Value]], Callable[[Any], Value]],
) -> Callable[[Any], list[Value]]:
    """What makes rows of a source's posts; `change` wraps what fills a column."""
    values = [change(field, field.values.get(source, _nothing)) for field in fields]
    return lambda post: [value(post) for value in values]


def for_text(field: Field, value: Callable[[Any], Value]) -> Callable[[Any], Value]:
    """Values as text formats write them: ``true`` and ``false`` in small letters."""
    if field.kind is not ValueType.BOOLEAN:
        return value
    return lambda post: _TRUTH[value(post)]


_TRUTH: Mapping[Value, Value] = {True: "true", False: "false", None: None}
_LONG = re.compile(r"\d{16,}", re.ASCII)
RUNS = tuple("=+-@\t\r")
"""What a spreadsheet takes for a formula where a cell begins with it."""


def for_spreadsheet(field: Field, value: Callable[[Any], Value]) -> Callable[[Any], Value]:
    """Values that a spreadsheet takes for text where they are text: an apostrophe comes before what it would change."""
    value = for_text(field, value)
    if field.kind not in (ValueType.TEXT, ValueType.JSON):
        return value

    def guarded(post: object) -> Value:
        found = value(post)
        if isinstance(found, str) and (found.startswith((*RUNS, "'")) or _LONG.fullmatch(found)):
            return f"'{found}"
        return found

    return guarded


def _nothing(_: object) -> None:
    return None
