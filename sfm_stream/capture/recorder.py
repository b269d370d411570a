"""Runs one stream: settings in, posts through, files and a journal out. The main thread of a capture program.

Two threads share the work. `Connection` reads the socket; this one writes, and so it owns the files, the
signals, the guards and the live status. A bounded buffer lies between them.

What stopping does, in this order: ask X to end the connection; write what still arrives, for up to a second;
finish the segment; journal the stop; leave with 0.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec

from sfm_stream import __version__, clock
from sfm_stream.capture import live, recent_files
from sfm_stream.capture.budget import Meter
from sfm_stream.capture.buffer import Buffer
from sfm_stream.capture.connection import DRAIN, Connection
from sfm_stream.capture.guards import DISK_CHECK, Guards, too_full
from sfm_stream.capture.messages import Messages
from sfm_stream.capture.recovery import Recovery
from sfm_stream.capture.repeats import Repeats
from sfm_stream.capture.segment import Line
from sfm_stream.capture.signals import Interrupted, Signals
from sfm_stream.capture.sink import SYNC, Files, Printed, Sink
from sfm_stream.errors import ConfigError, LockedError, SfmError, StorageError
from sfm_stream.owner import require_directory
from sfm_stream.reading import UnreadableError
from sfm_stream.record import history, journal, last_run, status
from sfm_stream.record.connects import Connects
from sfm_stream.record.rates import Counter
from sfm_stream.settings.model import Budget, Credential, StreamSettings
from sfm_stream.sources.feed import Context, Feed, Position
from sfm_stream.sources.registry import source
from sfm_stream.supervised import Supervision

BATCH = 1 << 18
"""Bytes to compress and write at a time: what a processor has in its cache is compressed faster."""
YIELD = 0.005
"""Seconds in which a writer that lags behind catches up."""
GATHER = 0.05
"""Seconds to let lines gather before they are written: many at once cost less."""
OVERLAP = timedelta(seconds=60)
"""How far before the position lines are taken for repeats: more than any source goes back."""
COUNT = 0.2
"""Seconds to count what is left unread, where a stop comes to that."""
TICK = 1.0
"""Seconds between two looks at the guards, and two live statuses."""

log = logging.getLogger(__name__)


class Recorder:
    """One stream, from its settings to its end."""

    def __init__(
        self,
        settings: Callable[[], StreamSettings],
        path: Path,
        *,
        save: bool,
        signals: Signals,
        supervision: Supervision,
    ) -> None:
        self._settings = settings
        self._path = path
        self._save = save
        self._signals = signals
        self._supervision = supervision
        self._stream = stream = settings()
        self._source = source(stream.source)
        self._repeats = Repeats()
        self._position: Position | None = None
        self._unmatched_told = 0
        self._data_dir, self._state_dir = Path(stream.data_dir), Path(stream.state_dir)
        self._buffer = Buffer(signals.wake)
        self._messages = Messages()
        self._messages_told = 0
        self._rates: Counter | None = None
        self._meter = Meter(self._state_dir / "budget" / f"{stream.budget_key}.json", stream.budget)
        self._live = live.begun(stream)
        self._left_unwritten: datetime | None = None
        self._written = b""
        self._in_force = ""
        self._due = 0.0
        self._journal: journal.Record = journal.NoJournal()
        self._sink: Sink = Printed(lambda: signals.stop is not None)
        self._discarding = False
        self._discarded = 0
        self._left_behind = False
        self._durable: Position | None = None
        self._lock: status.Lock | None = None
        self._failure: SfmError | None = None

    def run(self, credential: Credential | None) -> None:
        """Captures until a signal asks it to stop.

        Raises:
            SfmError: What no retry can fix. It is in the journal, and the segment is finished where that was possible.
        """
        # Outside of the `try`: a process that does not have the name must not write into another one's journal.
        before = self._take_name() if self._save else last_run.LastRun()
        connection: Connection | None = None
        try:
            self._guards = Guards(
                self._meter, self._data_dir if self._save else None, self._stream.min_free, self._journal
            )
            self._recovery = Recovery(self._stream, self._source, self._journal, self._meter, self._note)
            if self._save:
                before = self._prepare_files(before)
            state_dir = self._state_dir if self._save else None
            kept = partial(recent_files.lines, self._data_dir, self._state_dir, self._stream.program)
            context = Context(state_dir, self._journal, before, self._on_death, kept)
            feed = self._feed = self._source.feed(self._stream, credential, context)
            # Before the first connection: which lines are repeats depends on what the files hold.
            position = self._resume(feed)
            connection = Connection(
                feed,
                receive=self._receive,
                message=self._messages.put,
                journal=self._journal,
                tries=Connects(self._state_dir, self._stream.program).note if self._save else lambda: None,
                wake=self._signals.wake,
                outage=before.outage,
                position=position,
                repeats=self._repeats,
            )
            self._capture(connection)
            if failure := self._failure or connection.failure:
                raise failure
        except Interrupted:
            pass  # what was salvaged is journaled; the next start goes on with the rest
        except SfmError as error:
            self._save_what_can_be(connection)
            # The first failure is the one to be told; that the disk takes no last word either follows from it often.
            with suppress(SfmError, OSError):
                self._leave(str(error), planned=False)
            raise
        if connection is not None:
            self._live.last_byte = connection.last_byte or self._live.last_byte
            self._note_position(connection)
        self._leave(self._signals.stop or "", planned=True)

    def _capture(self, connection: Connection) -> None:
        try:
            self._look_after(connection)
            # The guards have looked once by then: nothing is received that a full disk or a spent budget forbids.
            connection.start()
            while not (self._signals.stop or self._failure or connection.failure):
                self._turn(connection)
            self._drain(connection)
            self._sink.close()
        except BrokenPipeError:
            # Who reads what is printed has gone: that is no fault of the disk, and the command's to deal with.
            raise
        except OSError as error:
            raise _storage_error(error, self._data_dir) from error

    def _save_what_can_be(self, connection: Connection | None) -> None:
        """Writes what has arrived, and finishes the segment, where the failure is not of these."""
        if connection is not None:
            with suppress(SfmError, OSError):
                self._drain(connection)
        with suppress(SfmError, OSError):
            self._sink.close()

    def _take_name(self) -> last_run.LastRun:
        """Locks the program's name and opens its journal; returns what the last run left."""
        program = self._stream.program
        for directory in (self._state_dir, self._data_dir):
            require_directory(directory)
        # First of all: whoever holds the name may be writing into the journal that is opened next.
        self._lock = status.Lock(self._state_dir, program)
        self._journal = journal.Journal(journal.journal_path(self._state_dir, program))
        before = last_run.read(self._state_dir, program)
        self._rates = Counter(self._state_dir, program)
        try:
            if (last := status.read(self._state_dir, program)) is not None:
                self._position = live.carry_on(self._live, last)
                self._left_unwritten = last.unwritten
        except UnreadableError as error:
            self._note(f"the last live status was lost: {error}")
        self._record_settings()
        # Damage is told once, not at each start for as long as the journal is kept.
        if before.skipped > before.told:
            self._note(f"{before.skipped} unreadable entries of the journal skipped")
            self._journal.write("journal", skipped=before.skipped)
        self._journal.write(
            "start", pid=os.getpid(), version=__version__, boot=last_run.boot(), settings=self._live.settings
        )
        return before

    def _note(self, what: str) -> None:
        live.note(self._live, what)

    def _record_settings(self) -> None:
        raw = self._path.read_bytes()
        self._live.settings = hashlib.sha256(raw).hexdigest()
        if self._save:
            history.record(self._state_dir, self._stream.program, raw)

    def _prepare_files(self, before: last_run.LastRun) -> last_run.LastRun:
        """Waits for room, salvages what a crash left, and sees that files can be written."""
        stream = self._stream
        try:
            self._wait_for_room()
            # A power cut takes what was not synced, though the time of the last write may have been kept.
            reach = timedelta(seconds=SYNC if before.rebooted else 0)
            with self._signals.interruptible():
                flushed = self._recovery.files(reach)
            # A directory that cannot be written is a failure now, and not when the first post has been paid for.
            probe = self._data_dir / f".{stream.program}.probe"
            probe.touch(mode=0o640)
            probe.unlink()
        except OSError as error:
            raise _storage_error(error, self._data_dir) from error
        # After the salvage, which finds posts that the counters may not have.
        self._recovery.counters()
        self._sink = Files(
            self._data_dir,
            stream.program,
            stream.save_interval,
            stream.save_bytes,
            stream.format,
            self._journal,
            self._source.classify,
        )
        outage = before.outage
        if flushed is not None and outage is not None and flushed < outage.start:
            # What arrived after the last flush of a killed process is lost with it: the gap begins there.
            return msgspec.structs.replace(before, outage=msgspec.structs.replace(outage, start=flushed))
        return before

    def _wait_for_room(self) -> None:
        """A stream does not begin on a full disk: no post is paid for that cannot be kept."""
        self._guards.measure()
        if not self._guards.room.short:
            return
        self._journal.write("disk", free=self._guards.room.free, floor=self._guards.room.floor, action="waits")
        while not self._signals.stop and not self._guards.room.enough_again:
            self._live.state, self._live.detail = "disk", too_full(self._guards.room)
            self._write_status()
            self._signals.wait(DISK_CHECK)
            self._guards.measure()

    def _receive(self, lines: Sequence[Line]) -> None:
        replayed = lines[0].position is not None
        # Lines that come again may wait as long as it takes; X's would be lost at its end of the connection.
        while replayed and not (self._discarding or self._buffer.has_room(lines)):
            time.sleep(GATHER)  # where the service gives up, it sends these again to the next connection
        while self._buffer.crowded and not self._discarding:
            time.sleep(YIELD)
        if self._discarding:
            self._left_behind = True
            self._discarded += 0 if replayed else len(lines)
            return
        self._buffer.put(lines)

    def _turn(self, connection: Connection) -> None:
        """One round of the main thread's work, and the wait for the next."""
        due = min(self._sink.tick(), TICK)
        if not self._buffer.size:
            self._signals.wait(due)
        # Each write costs a compressor's call and a lock; a twentieth of a second nobody notices.
        if 0 < self._buffer.size < BATCH and not self._signals.stop:
            self._signals.wait(GATHER)
        self._write_lines()
        if self._signals.reread:
            self._signals.reread = False
            self._reread()
            self._due = 0.0
        self._look_after(connection)

    def _write_lines(self) -> None:
        if lines := self._buffer.take(BATCH):
            self._sink.write(lines)
            now = clock.now()
            live.count_posts(self._live, len(lines), sum(len(line.raw) for line in lines), now)
            self._meter.add(len(lines), now)
            if self._rates is not None:
                self._rates.add(len(lines), now)
        # After the write: what was dropped came after the lines that were taken out.
        if lost := self._buffer.overflow():
            log.error("%d posts dropped: they came faster than they could be written", lost.posts)
            self._journal.write("overflow", **msgspec.structs.asdict(lost))
            # X has delivered them, and charges for them.
            self._meter.add(lost.posts, lost.last_time)

    def _keep_messages(self, *, closing: bool = False) -> None:
        """Journals and counts the lines that are no posts."""
        self._messages.journal(self._journal, closing=closing)
        if new := self._messages.count - self._messages_told:
            self._messages_told += new
            live.count_messages(self._live, new, self._messages.last, clock.now())

    def _look_after(self, connection: Connection) -> None:
        """Keeps the guards and the live status, about once a second or when the state has changed."""
        connection.tick()
        shown, now = self._live, time.monotonic()
        self._feed.fill_status(shown)
        self._note_rules()
        # A changed state is shown at once: people and deployments wait for it.
        same = shown.state == connection.state and shown.segment == self._sink.current
        if now < self._due and same and (shown.position or connection.begun is None):
            return
        self._due = now + TICK
        if self._lock is not None and self._failure is None:
            try:
                # Somebody may have removed the file, or the whole state directory: a second process could start then.
                self._lock.check()
            except LockedError as error:
                self._failure = error
        # supervisord was killed: its next one starts another program of this name, and X grants one connection.
        if self._supervision.gone:
            self._signals.stop = "supervisord is gone"
        self._guards.check(connection, self._buffer.count)
        self._keep_messages()
        shown.state, shown.detail, shown.since = connection.state, connection.detail, connection.since
        shown.connected_since = connection.connected_since
        # The journal has the gap that begins with those posts: from here on it vouches for them.
        if connection.gap_told:
            self._left_unwritten = None
        shown.last_byte = connection.last_byte or shown.last_byte
        self._note_position(connection)
        self._write_status()
        if self._rates is not None:
            self._rates.tick(clock.now(), connected=connection.state == "connected")

    def _note_rules(self) -> None:
        """Keeps when the rules at the source first were those of the settings."""
        shown = self._live
        in_force = shown.rules_live != "" and shown.rules_live == shown.rules_wanted
        if self._save and in_force and self._in_force != shown.settings:
            self._in_force = shown.settings
            history.record_in_force(self._state_dir, self._stream.program, shown.settings, shown.rules_checked)

    def _note_position(self, connection: Connection) -> None:
        """Tells how far the stream has come: no further than what a power cut would leave."""
        come = connection.position  # before looking at what is under way: what comes later is later in the sequence
        if isinstance(self._sink, Files):
            durable, self._durable = self._durable, self._sink.durable
            # With nothing under way, all up to there is on the disk; otherwise the last sync says how far.
            if not (self._buffer.size or self._sink.unsynced or self._left_behind):
                self._position = come
            elif self._durable is not durable:
                self._position = self._durable
            self._position = self._position or connection.begun
        if self._position is not None:
            self._live.position, self._live.position_time = self._position
        if new := self._feed.unmatched - self._unmatched_told:
            self._unmatched_told += new
            live.count_unmatched(self._live, new, clock.now())

    def _on_death(self, error: BaseException) -> None:
        """A thread of the feed's died of what no retry can fix."""
        self._failure = error if isinstance(error, SfmError) else SfmError(f"a fault of the program: {error!r}")
        self._signals.wake()

    def _resume(self, feed: Feed) -> Position | None:
        """How far the last run came, after telling the feed what it has kept since."""
        if not self._save:
            return None
        try:
            with self._signals.interruptible():
                self._position = self._position or self._recovery.last_kept()
                if self._position is not None:
                    begin = (self._position.time or clock.now()) - OVERLAP
                    self._recovery.repeats(begin, feed, self._repeats)
        except OSError as error:
            raise _storage_error(error, self._data_dir) from error
        return self._position

    def _write_status(self) -> None:
        """Replaces the status file if anything that a person would look at has changed, and keeps the counters."""
        shown = self._live
        shown.today, shown.this_month = self._meter.spent.today, self._meter.spent.this_month
        shown.dollars = self._meter.dollars_this_month
        shown.segment = self._sink.current
        shown.buffer, shown.buffer_high = self._buffer.size, self._buffer.high_water
        shown.unwritten = self._unwritten()
        # In whole MiB: a status that differs in bytes alone would be written each second.
        shown.free, shown.floor = self._guards.room.free >> 20 << 20, self._guards.room.floor
        content = msgspec.json.encode(shown)
        # An idle stream would otherwise write to the disk each second, for years.
        if content == self._written:
            return
        self._written = content
        if self._save:
            if isinstance(self._sink, Files):
                # Where the counters end: after a kill, the salvaged segment tells how many posts came after them.
                self._meter.spent.segment, self._meter.spent.of_segment = shown.segment or "", self._sink.posts
            try:
                status.write(self._state_dir, shown)
                self._meter.save()
            except OSError as error:
                raise _storage_error(error, self._state_dir) from error
        elif self._stream.budget != Budget():
            # Printed posts cost as much; a user who may not write the counters prints all the same.
            with suppress(OSError):
                self._meter.save()

    def _reread(self) -> None:
        """Takes up what may change while the connection stands: the rules, and the format of the next file."""
        try:
            stream = self._settings()
        except ConfigError as error:
            log.error("settings not taken up: %s", error)
            self._journal.write("settings", fault=str(error))
            return
        if self._lasting(stream) != self._lasting(self._stream):
            log.warning("settings have changed, too, that are taken up at the next start")
        if isinstance(self._sink, Files):
            self._sink.kind = stream.format
        self._record_settings()
        log.info("settings read again")
        self._feed.update(stream)

    def _lasting(self, stream: StreamSettings) -> StreamSettings:
        """The settings that hold for as long as the program runs."""
        lasting: StreamSettings = self._source.without_live_settings(stream.without_format)
        return lasting

    def _drain(self, connection: Connection) -> None:
        """Writes what is still under way, for a bounded time."""
        connection.stop()
        deadline = time.monotonic() + DRAIN * 1.4
        # A connection that is just being made counts, too: X may grant it, and send posts.
        while connection.under_way and connection.is_alive() and time.monotonic() < deadline:
            self._signals.wait(0.02)
            connection.tick()
            self._write_lines()
        connection.tick()
        self._discarding = True
        # Nothing is added any more, so this ends.
        while self._buffer.size:
            self._write_lines()
        self._tell_unread(connection)

    def _tell_unread(self, connection: Connection) -> None:
        """Journals what had come, and the reader, too slow, had not handed over for writing when time was up."""
        if connection.under_way:
            connection.join(COUNT)
        unread, posts = connection.unread(), self._discarded
        if connection.position is None:  # else the source sends them again
            posts += self._buffer.count + connection.in_hand
        if posts or unread:
            log.error("left unread: %d posts, and %d bytes of more", posts, unread)
            self._journal.write("unread", posts=posts, bytes=unread)
        if isinstance(self._sink, Printed) and self._sink.unprinted:
            log.error("not printed: %d posts that nobody read", self._sink.unprinted)

    def _unwritten(self) -> datetime | None:
        """Since when posts arrived that a kill would take, or that a failing disk has not taken.

        Killed again before it connects, the process after it must know what the one before had left, too.
        """
        oldest = min(filter(None, (self._sink.unflushed_since, self._buffer.oldest)), default=None)
        waiting = clock.at(oldest) if oldest else None
        return min(filter(None, (waiting, self._left_unwritten)), default=None)

    def _leave(self, reason: str, *, planned: bool) -> None:
        self._keep_messages(closing=True)
        self._journal.write("stop", reason=reason, planned=planned, unwritten=self._unwritten())
        log.log(logging.INFO if planned else logging.ERROR, "stopped: %s", reason)
        self._live.state, self._live.detail, self._live.since = "stopped", reason, clock.now()
        self._live.connected_since = None
        self._write_status()
        if self._rates is not None:
            with suppress(OSError):
                self._rates.save(clock.now())


def _storage_error(error: OSError, directory: Path) -> StorageError:
    return StorageError(f"{error.filename or directory}: {error.strerror}; what was flushed before stays readable")
