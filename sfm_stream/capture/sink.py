"""Where the lines of a stream go: into segments that become capture files, or to standard output."""

from __future__ import annotations

import logging
import os
import select
import stat
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from sfm_stream import clock, reading
from sfm_stream.capture import salvage
from sfm_stream.capture.segment import Line, Segment
from sfm_stream.compression.formats import Format
from sfm_stream.record.journal import Record
from sfm_stream.sources.feed import Position
from sfm_stream.sources.lines import Classify

FLUSH = 1.0
"""A kill -9 loses no more than the lines of so many seconds."""
LOOK = 1.0
"""Seconds between two looks whether the segment is still what it was left as."""
SYNC = 5.0
"""A power cut loses no more than the lines of so many seconds."""
_LOOK = 0.1
"""Seconds between two looks whether to stop, while nobody reads what is printed."""
_READERS_PATIENCE = 0.5
"""Seconds that a reader has once the program is to stop."""
RECENT = 5000
"""Duplicates are recognised among so many posts at least."""


log = logging.getLogger(__name__)


class Sink(Protocol):
    """What becomes of lines. Any method may raise OSError."""

    def write(self, lines: Sequence[Line]) -> None:
        """Takes lines, of which there is at least one."""

    def tick(self) -> float:
        """Does what is due; returns the seconds until something may be due again."""

    def close(self) -> None:
        """Makes everything final."""

    @property
    def current(self) -> str | None:
        """The name of the file being written."""

    @property
    def posts(self) -> int:
        """How many posts went into it."""

    @property
    def unflushed_since(self) -> float | None:
        """When the first line arrived that a kill would take, in seconds since 1970; None where there is none."""


class Files:
    """Writes segments of one program, and finishes each in time: by its age even when nothing arrives, or by its size.

    A segment is begun with the first line that it holds: a quiet stream leaves no empty files, and its journal says
    that it was connected all the same.

    Args:
        directory: The data directory.
        program: Begins the files' names.
        interval: Seconds after which a segment is finished.
        size: Bytes of file after which it is finished sooner; None for never.
        kind: The files' format; may be changed, and holds from the next file on.
        journal: Told of each capture file.
        classify: The source's.
    """

    def __init__(
        self,
        directory: Path,
        program: str,
        interval: float,
        size: int | None,
        kind: Format,
        journal: Record,
        classify: Classify,
    ) -> None:
        self.kind = kind
        self._directory = directory
        self._classify = classify
        self._program = program
        self._interval = interval
        self._size = size
        self._journal = journal
        self._segment: Segment | None = None
        self._begun = self._flushed = self._synced = self._looked = 0.0
        self.unflushed_since: float | None = None
        """When the first line arrived that is not flushed yet."""
        self.durable: Position | None = None
        """The position of the last line that a power cut leaves on the disk; None where no line had one yet."""
        self._last: Position | None = None
        self._recent: set[str] = set()
        self._before: set[str] = set()
        """The `RECENT` ids or more before the recent ones: sets take a batch at a time, and cost less than an order."""
        self._duplicates = 0

    @property
    def unsynced(self) -> bool:
        """Whether a power cut would take lines."""
        return self._segment is not None and self._segment.unsynced

    @property
    def current(self) -> str | None:
        """The name of the segment."""
        return self._segment.path.name if self._segment else None

    @property
    def posts(self) -> int:
        """The posts in the segment."""
        return self._segment.posts if self._segment else 0

    def write(self, lines: Sequence[Line]) -> None:
        """Appends lines to the segment, after beginning one where there is none."""
        now = time.monotonic()
        if self.unflushed_since is None:
            self.unflushed_since = lines[0].time
        if self._segment is None:
            self._segment = Segment(self._directory, self._program, clock.now(), self.kind)
            self._begun = self._flushed = self._synced = self._looked = now
        elif not self._segment.unflushed:
            # The time runs from the first line that waits: after a quiet hour it has a whole interval before its flush.
            self._flushed = now
            if not self._segment.unsynced:
                self._synced = now
        self._segment.write(lines)
        self._last = lines[-1].position or self._last
        if lines[0].position is None:  # of sources that replay, what comes twice has been left out already
            self._count_duplicates(lines)
        self.tick()

    def tick(self) -> float:
        """Finishes, syncs or flushes the segment where that is due."""
        now = time.monotonic()
        if now - self._looked >= LOOK:
            self._looked = now
            self._look()
        if (segment := self._segment) is None:
            return self._interval
        if now - self._begun >= self._interval or (self._size is not None and segment.size >= self._size):
            self.close()
            return self._interval
        # A sync flushes as well, so one of the two is enough.
        if segment.unsynced and now - self._synced >= SYNC:
            segment.sync()
            self.unflushed_since, self.durable = None, self._last
        elif segment.unflushed and now - self._flushed >= FLUSH:
            segment.flush()
            self.unflushed_since = None
        due = [self._begun + self._interval, self._looked + LOOK]
        if segment.unsynced:
            due.append(self._synced + SYNC)
        if segment.unflushed:
            due.append(self._flushed + FLUSH)
        return max(0.0, min(due) - now)

    def close(self) -> None:
        """Makes a capture file of the segment, if there is one."""
        # Or the rename would give its name to a file that somebody else put there.
        self._look()
        if self._segment is not None:
            finished = self._segment.finish()
            self._segment = self.unflushed_since = None
            self.durable = self._last
            self._journal.write("rotate", **msgspec.structs.asdict(finished), duplicates=self._duplicates or None)
            self._duplicates = 0

    def _look(self) -> None:
        """Gives a segment up that somebody has removed, replaced, cut or written to; what is left of it is salvaged."""
        segment = self._segment
        if segment is None or (what := segment.missing()) is None:
            return
        self._segment = self.unflushed_since = None
        segment.abandon()
        kept = 0
        if reading.is_regular(segment.path):
            saved = salvage.salvage(segment.path, self._classify)
            self._journal.write("salvage", segment=segment.path.name, **msgspec.structs.asdict(saved))
            # Another file in its place holds other posts, however many they are.
            kept = saved.posts if saved.first_id == segment.first_id else 0
        first, last = segment.span
        lost = max(0, segment.posts - kept)
        log.error("%s: %s; %d posts are lost", segment.path.name, what, lost)
        self._journal.write(
            "lost", segment=segment.path.name, reason=what, posts=lost, first_time=first, last_time=last
        )

    def _count_duplicates(self, lines: Sequence[Line]) -> None:
        new = {line.id for line in lines} - self._recent - self._before
        self._duplicates += len(lines) - len(new)
        self._recent |= new
        if len(self._recent) >= RECENT:
            self._recent, self._before = set(), self._recent


class Printed:
    """Prints each line on standard output, as SFM did without ``--save``.

    Args:
        stopping: Whether the program is to end: then nobody who does not read is waited for any longer.
    """

    current: str | None = None
    posts = 0
    unflushed_since: float | None = None

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self.unprinted = 0
        """Lines that nobody would read, in whole or in part."""
        self._stopping = stopping
        self._give_up: float | None = None

    def write(self, lines: Sequence[Line]) -> None:
        """Prints lines at once, for a reader of a pipe."""
        text = memoryview(b"\n".join([*(line.raw for line in lines), b""]))
        descriptor = sys.stdout.fileno()
        # A pipe of which it is said that it can be written takes this much without a wait.
        step = len(text) if stat.S_ISREG(os.fstat(descriptor).st_mode) else select.PIPE_BUF
        while text:
            if select.select([], [descriptor], [], _LOOK)[1]:
                text = text[os.write(descriptor, text[:step]) :]
            elif self._too_late():
                # A reader that is merely slow gets all of it; only a stop does not wait for one for ever.
                self.unprinted += bytes(text).count(b"\n")
                return

    def _too_late(self) -> bool:
        if not self._stopping():
            return False
        self._give_up = self._give_up or time.monotonic() + _READERS_PATIENCE
        return time.monotonic() >= self._give_up

    def tick(self) -> float:
        """Does nothing."""
        return 3600.0

    def close(self) -> None:
        """Does nothing."""
