"""Lines of the stream that are no posts, on their way from the thread that reads them into the journal.

The reader must not wait for a disk, and a server that sends nothing else must not fill one: the reader only puts them
down here, the writer journals them, and of more than `PER_MINUTE` in a minute it journals the number.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime

import msgspec

from sfm_stream import clock
from sfm_stream.record.journal import Record
from sfm_stream.record.messages import describe

PER_MINUTE = 30
TEXT = 2000
"""Bytes of a line that are kept; an odd post of ten megabytes is not copied into the journal."""

log = logging.getLogger(__name__)


class _LeftOut(msgspec.Struct):
    """Lines that are counted alone."""

    left_out: int
    since: datetime
    until: datetime


class Messages:
    """The lines of one stream."""

    def __init__(self) -> None:
        self.count = 0
        """All that came, journaled or not."""
        self.last = ""
        """What the last one was about."""
        self._lock = threading.Lock()
        self._waiting: list[tuple[datetime, bytes, int]] = []
        self._left_out: _LeftOut | None = None
        self._minute = 0.0
        self._in_minute = 0

    def put(self, line: bytes) -> None:
        """Takes a line; from the reader's thread."""
        now = clock.now()
        with self._lock:
            self.count += 1
            if time.monotonic() - self._minute >= 60:
                self._minute, self._in_minute = time.monotonic(), 0
            self._in_minute += 1
            if self._in_minute <= PER_MINUTE:
                self._waiting.append((now, line[:TEXT], len(line)))
            elif self._left_out is None:
                self._left_out = _LeftOut(left_out=1, since=now, until=now)
            else:
                self._left_out.left_out += 1
                self._left_out.until = now

    def journal(self, journal: Record, *, closing: bool = False) -> None:
        """Journals what has come; how many were left out once their minute is over, or at once where it is `closing`.

        Raises:
            StorageError: As for the journal.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, []
            left_out = None
            if self._left_out is not None and (closing or time.monotonic() - self._minute >= 60):
                left_out, self._left_out = self._left_out, None
        for at, line, size in waiting:
            kind, what = describe(line)
            self.last = f"{kind}: {what}"
            text = line.decode("utf-8", "replace")
            log.warning("a line that is no post (%s), kept in the journal: %.300s", kind, text)
            journal.write("message", kind=kind, what=what, text=text, at=at, bytes=size if size > len(line) else None)
        if left_out is not None:
            log.warning("%d more lines that are no posts, too many to be kept", left_out.left_out)
            journal.write("message", **msgspec.structs.asdict(left_out))
