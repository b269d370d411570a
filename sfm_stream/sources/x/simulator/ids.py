"""Ids and times as X writes them."""

from __future__ import annotations

from datetime import UTC, datetime

EPOCH_MS = 1288834974657
"""Where X's snowflake ids begin to count, in ms since 1970."""


class Ids:
    """Snowflake ids: rising, and telling the time."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, now: float) -> int:
        """An id for a post at `now` (seconds since 1970), above all before it."""
        self._last = max((int(now * 1000) - EPOCH_MS) << 22 | 1 << 12, self._last + 1)
        return self._last


def stamp(moment: float) -> str:
    """A time as X writes it: ``2026-11-24T20:13:00.123Z``."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
