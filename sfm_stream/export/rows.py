"""Rows of posts: what each column gets, those of the line itself among them, on the way to a writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sfm_stream.export import columns
from sfm_stream.export.columns import FILE, LINE, RAW, Field
from sfm_stream.export.formats import Writer
from sfm_stream.export.posts import ChosenPost, Posts
from sfm_stream.export.reader import strict
from sfm_stream.sources.rows import Value

Change = Callable[[Field, Callable[[Any], Value]], Callable[[Any], Value]]
"""Wraps what fills a column."""

_ROWS = 500
"""Rows that are given to a writer at a time."""


def row_maker(
    fields: Sequence[Field], posts: Posts, changes: Sequence[Change] = ()
) -> Callable[[ChosenPost], list[Value]]:
    """What makes the row of a post; `changes` apply to the columns of the post, in their order."""

    def change(field: Field, value: Callable[[Any], Value]) -> Callable[[Any], Value]:
        for each in changes:
            value = each(field, value)
        return value

    standing = posts.rows.standing
    of_line: Mapping[str, Callable[[ChosenPost], Value]] = {
        FILE: lambda post: post.source.name,
        LINE: lambda post: standing(post.what).kind.value,
        RAW: _raw,
    }
    make = columns.maker([each for each in fields if each.name not in of_line], posts.stream.source, change)
    added = [(index, of_line[each.name]) for index, each in enumerate(fields) if each.name in of_line]
    if not added:
        return lambda post: make(post.what)

    def made(post: ChosenPost) -> list[Value]:
        row = make(post.what)
        for index, value in added:
            row.insert(index, value(post))
        return row

    return made


def written(
    posts: Posts,
    writer: Writer,
    make: Callable[[ChosenPost], list[Value]],
    limit: int | None = None,
    advance: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Gives the rows of all that is chosen to a writer, and returns how many these were.

    Args:
        posts: What was chosen.
        writer: Gets the rows.
        make: Makes a row.
        limit: Of a sample; see `Posts.chosen`.
        advance: Called with each number of rows done.

    Raises:
        OSError: As from the writer.
    """
    rows: list[list[Value]] = []
    done = 0
    for post in posts.chosen(limit):
        rows.append(make(post))
        if len(rows) >= _ROWS:
            writer.write(rows)
            advance(len(rows))
            done += len(rows)
            rows = []
    writer.write(rows)
    advance(len(rows))
    return done + len(rows)


def _raw(post: ChosenPost) -> str | None:
    line = strict(post.line)
    return None if line is None else line.decode()
