"""Whether a line was sent in a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sfm_stream.export.files import Span
from sfm_stream.sources.rows import Rows


def sent_within(span: Span, rows: Rows) -> Callable[[bytes], bool]:
    """A test of lines; one that does not tell its time is taken for within."""
    inside = within(span)

    def test(line: bytes) -> bool:
        post = rows.read(line)
        return post is None or inside(rows.sent(post))

    return test


def within(span: Span) -> Callable[[str | None], bool]:
    """A test of times as `sfm_stream.sources.rows.utc_text` gives them."""
    # Such texts are ordered as their times are, down to the second, and a fraction only makes one later.
    start, end = _text(span.start), _text(span.end)

    def test(time: str | None) -> bool:
        return not time or ((start is None or time[:19] >= start) and (end is None or time[:19] < end))

    return test


def _text(time: datetime | None) -> str | None:
    return f"{time:%Y-%m-%dT%H:%M:%S}" if time else None
