"""Sets of ids and accounts of any size, in little memory: in a file that is gone with the program."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from types import TracebackType
from typing import Self

_FOREVER = (1 << 62) + 1


class Keys:
    """What no longer holds, and what has been seen.

    Attributes:
        told: Whether anything is said to be gone.
    """

    def __init__(self) -> None:
        # "" is a temporary file of SQLite's own, which has no name; its pages beyond the cache lie on the disk.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(
            """
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4000; PRAGMA temp_store = FILE;
            CREATE TABLE gone (key TEXT PRIMARY KEY, until INTEGER, edited INTEGER) WITHOUT ROWID;
            CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID;
            BEGIN;
            """
        )
        self.told = False

    def close(self) -> None:
        """Lets go of the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def end(self, keys: Iterable[str], until: int | None, *, edited: bool) -> None:
        """All of these keys before the place `until` is gone; wherever it is, with None."""
        for key in keys:
            self.told = True
            row = (key, _FOREVER if until is None else until, edited)
            self._database.execute(
                "INSERT INTO gone VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE "
                "SET until = max(until, excluded.until), edited = excluded.edited",
                row,
            )

    def restore(self, keys: Iterable[str]) -> None:
        """All of these keys is there again."""
        self._database.executemany("DELETE FROM gone WHERE key = ? AND until < ?", [(key, _FOREVER) for key in keys])

    def gone(self, keys: Iterable[str], place: int) -> str | None:
        """Why what goes by any of these keys at a place is gone: ``deleted`` or ``edited``; None where it is not."""
        for key in keys:
            row = self._database.execute("SELECT until, edited FROM gone WHERE key = ?", (key,)).fetchone()
            if row is not None and place < row[0]:
                return "edited" if row[1] else "deleted"
        return None

    def is_new(self, key: bytes) -> bool:
        """Whether a key has not been seen before; from now on it has."""
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount > 0
