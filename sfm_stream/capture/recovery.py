"""Makes good what earlier runs of a program left undone: segments, files and counters, and how far they had come."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from sfm_stream import clock
from sfm_stream.archive import recorded
from sfm_stream.capture import check, recent_files, salvage
from sfm_stream.capture.budget import Meter
from sfm_stream.capture.recount import recount
from sfm_stream.capture.repeats import Repeats
from sfm_stream.names import PART
from sfm_stream.record.journal import Record
from sfm_stream.settings.model import StreamSettings
from sfm_stream.sources.base import Source
from sfm_stream.sources.feed import Feed, Position

log = logging.getLogger(__name__)


class Recovery:
    """Of one program, which holds the lock of its name.

    Args:
        stream: Its settings.
        source: Its source.
        journal: Told of what is made good.
        meter: Counts what had not been counted.
        note: Told of damage that a person should know of.

    Raises:
        OSError: From any method, where files cannot be read or written; what was there is as it was.
    """

    def __init__(
        self, stream: StreamSettings, source: Source, journal: Record, meter: Meter, note: Callable[[str], None]
    ) -> None:
        self._program = stream.program
        self._credential = stream.credential
        self._data_dir, self._state_dir = Path(stream.data_dir), Path(stream.state_dir)
        self._source = source
        self._journal = journal
        self._meter = meter
        self._note = note

    def files(self, reach: timedelta) -> datetime | None:
        """Journals what was not journaled, and makes capture files of segments.

        Args:
            reach: So long before its last write a segment may have lost what was written.

        Returns:
            After when lines of the segments are lost; None where there was no segment.
        """
        self._adopt()
        for segment in check.orphans(self._data_dir, self._program):
            check.forget(segment)
        left = salvage.leftovers(self._data_dir, self._program)
        return max((self._salvage(path, reach) for path in left), default=None)

    def counters(self) -> None:
        """Restores counters that were lost from the journals, which have by now what a crash left, too."""
        if self._meter.lost is None:
            return
        now, lost = clock.now(), self._meter.lost
        found = recount(self._state_dir, self._program, self._credential, now)
        damaged = self._meter.path.exists()
        unknown = found.unknown
        if damaged and not found.connected:
            unknown = unknown or "no journal tells of it"
        self._meter.restore(found.days, now, f"{lost}, and {unknown}" if unknown else "")
        if damaged or unknown or self._meter.spent.this_month:
            self._note(f"the counters of the budget were lost ({lost}), and were recounted from the journals")
            self._journal.write(
                "budget", reason=f"counters recounted from the journals: {lost}", posts=self._meter.spent.this_month
            )

    def last_kept(self) -> Position | None:
        """The position of the last line in the files: of a process that was killed early, or whose status is lost."""
        begin = clock.now() - recent_files.LONGEST
        for path in reversed(recent_files.since(begin, self._data_dir, self._state_dir, self._program)):
            lines = salvage.lines(path)
            if (last := next(lines, None)) is not None and self._source.classify(last).position:
                for last in lines:  # noqa: B007 - the last is wanted
                    pass
                found = self._source.classify(last)
                return Position(found.position, found.time)
        return None

    def repeats(self, begin: datetime, feed: Feed, repeats: Repeats) -> None:
        """Tells of the lines that were kept since `begin`: a source that replays may send them again."""
        for path in recent_files.since(begin, self._data_dir, self._state_dir, self._program):
            for line in salvage.lines(path):
                classified = self._source.classify(line)
                if classified.time is None or classified.time >= begin:
                    repeats.is_known(classified)
                    feed.restore(line)

    def _adopt(self) -> None:
        """Journals the files that a kill kept from being journaled: between its new name and the entry there is one."""
        files = salvage.finished(self._data_dir, self._program)
        known = recorded.look_up(self._state_dir, self._program, set(files)) if files else {}
        for name in sorted(files.keys() - known.keys()):
            found = salvage.examine(files[name], self._source.classify)
            self._journal.write("salvage", segment=f"{name}{PART}", **msgspec.structs.asdict(found))
            if self._meter.spent.segment == f"{name}{PART}":
                self._meter.catch_up(f"{name}{PART}", found.posts, found.lost_after)

    def _salvage(self, path: Path, reach: timedelta) -> datetime:
        saved = salvage.salvage(path, self._source.classify)
        saved = msgspec.structs.replace(saved, lost_after=saved.lost_after - reach)
        log.warning("salvaged %s: %d posts, and %d bytes were torn", path.name, saved.posts, saved.torn_bytes)
        if saved.aside:
            self._note(
                f"{path.name} was damaged: what is certain is in {saved.file or 'no file'}, all in {saved.aside}"
            )
        self._journal.write("salvage", segment=path.name, **msgspec.structs.asdict(saved))
        self._meter.catch_up(path.name, saved.posts + (saved.aside_lines or 0), saved.lost_after)
        return saved.lost_after
