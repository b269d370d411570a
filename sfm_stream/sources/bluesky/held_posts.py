"""The posts that a filter has kept, so that their deletions are kept too.

A deletion names a post and nothing of what it said: whether it concerns a filter can only be told by what that filter
holds. The index lies in ``held/<program>.sqlite`` below the state directory. It survives a kill of the program; what a
power cut takes of it, the lines since the stream's position bring back. An index that is missing, damaged or incomplete
is made again from all that the program has kept: see `HeldPosts.is_complete`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

from sfm_stream.errors import StorageError

log = logging.getLogger(__name__)
_ANY = "SELECT 1 FROM held WHERE account = ? AND (record = ? OR ?) LIMIT 1"
_BATCH = 10_000
"""Posts that wait in memory, at most, while an index is made again."""


class HeldPosts:
    """The index of one program. Safe to use from several threads.

    Raises:
        StorageError: From any method, where the state directory cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: dict[tuple[str, str], None] = {}
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._database = self._opened()
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error

    @property
    def is_complete(self) -> bool:
        """Whether it has every post that was kept: False from its creation until it was made from the files."""
        with self._lock:
            return bool(self._database.execute("PRAGMA user_version").fetchone()[0])

    def set_complete(self, *, complete: bool) -> None:
        """Records whether it has every post that was kept."""
        self.commit()
        with self._lock:
            try:
                self._database.execute(f"PRAGMA user_version = {int(complete)}")
            except sqlite3.Error as error:
                raise self._error(error) from error

    def add(self, account: str, record: str) -> None:
        """A post by `account` was kept; `record` is ``<collection>/<rkey>``."""
        with self._lock:
            self._pending[account, record] = None
            many = len(self._pending) >= _BATCH
        if many:
            self.commit()

    def commit(self) -> None:
        """Gives what was added to the system, where a kill cannot reach it."""
        with self._lock:
            if not self._pending:
                return
            try:
                with self._database:
                    self._database.executemany("INSERT OR IGNORE INTO held VALUES (?, ?)", list(self._pending))
            except sqlite3.Error as error:
                raise self._error(error) from error
            self._pending.clear()

    def holds(self, account: str, record: str = "") -> bool:
        """Whether that post, or without `record` any post of the account, was kept."""
        with self._lock:
            if (account, record) in self._pending or (not record and any(each == account for each, _ in self._pending)):
                return True
            try:
                found = self._database.execute(_ANY, (account, record, not record)).fetchone()
            except sqlite3.Error as error:
                raise self._error(error) from error
        return found is not None

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._prepared()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            log.error("%s: is damaged (%s): it is made again from the files of this stream", self._path, error)
            for end in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + end).unlink(missing_ok=True)
            return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, check_same_thread=False)
        # Surviving a kill is enough: a power cut costs what reading the last segment again brings back.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -1024")
        database.execute(
            "CREATE TABLE IF NOT EXISTS held (account TEXT, record TEXT, PRIMARY KEY (account, record)) WITHOUT ROWID"
        )
        return database

    def _error(self, error: Exception) -> StorageError:
        return StorageError(f"{self._path}: {getattr(error, 'strerror', None) or error}")


class NoHeldPosts:
    """For a stream that keeps nothing."""

    is_complete = True

    def set_complete(self, *, complete: bool) -> None:
        """Has nothing to record."""

    def add(self, account: str, record: str) -> None:
        """Forgets it."""

    def commit(self) -> None:
        """Does nothing."""

    def holds(self, account: str, record: str = "") -> bool:  # noqa: ARG002
        """Never."""
        return False
