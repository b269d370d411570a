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
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec

from sfm_stream import __version__, clock
from sfm_stream.archive import recorded
from sfm_stream.capture import check, recent_files, salvage
from sfm_stream.capture.budget import Meter
from sfm_stream.capture.buffer import Buffer
from sfm_stream.capture.connection import DRAIN, Connection
from sfm_stream.capture.guards import DISK_CHECK, Guards, too_full
from sfm_stream.capture.messages import Messages
from sfm_stream.capture.recount import recount
from sfm_stream.capture.repeats import Repeats
from sfm_stream.capture.segment import Line
from sfm_stream.capture.signals import Interrupted, Signals
from sfm_stream.capture.sink import SYNC, Files, Printed, Sink
from sfm_stream.errors import STOP_CODES, ConfigError, LockedError, SfmError, StorageError
from sfm_stream.names import PART
from sfm_stream.owner import require_directory
from sfm_stream.reading import UnreadableError
from sfm_stream.record import history, journal, last_run, status
from sfm_stream.record.connects import Connects
from sfm_stream.record.rates import Counter
from sfm_stream.settings.model import Budget, Credential, StreamSettings
from sfm_stream.sources.feed import Context, Feed, Position
from sfm_stream.sources.lines import Classified
from sfm_stream.sources.registry import source
from sfm_stream.supervised import STARTED, Supervision
from sfm_stream.table import printable

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


def run(
    settings: Callable[[], StreamSettings],
    credential: Credential | None,
    *,
    settings_path: Path,
    save: bool,
    verbose: bool,
) -> None:
    """Captures until a signal asks it to stop.

    Args:
        settings: Reads the stream's settings; called again at SIGHUP.
        credential: The secret.
        settings_path: The file that `settings` reads.
        save: Write files and a journal; otherwise print the lines.
        verbose: Log more.

    Raises:
        SfmError: What no retry can fix; the message is for a person.
    """
    logging.Formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%SZ"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("sfm_stream").setLevel(logging.DEBUG if verbose else logging.INFO)
    signals, supervision, begun = Signals(), Supervision(), time.monotonic()
    try:
        recorder = Recorder(settings, settings_path, save=save, signals=signals, supervision=supervision)
        recorder.run(credential)
    except BrokenPipeError:
        # The reader of our output has enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SfmError as error:
        if error.exit_code in STOP_CODES and supervision.active:
            while not signals.stop and time.monotonic() < begun + STARTED:
                signals.wait(begun + STARTED - time.monotonic())
        raise


class _OneLine(logging.Formatter):
    """Shows control characters as escapes: what a server says must not speak to the reader's terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = printable(record.message)
        return super().formatMessage(record)


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
        self._live = status.Status(
            program=stream.program,
            pid=os.getpid(),
            since=clock.now(),
            credential=stream.credential,
            per_day=stream.budget.per_day,
            per_month=stream.budget.per_month,
        )
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
        before = self._take_name() if self._save else last_run.LastRun()
        connection: Connection | None = None
        try:
            self._guards = Guards(
                self._meter, self._data_dir if self._save else None, self._stream.min_free, self._journal
            )
            if self._save:
                before = self._prepare_files(before)
            state_dir = self._state_dir if self._save else None
            kept = partial(recent_files.lines, self._data_dir, self._state_dir, self._stream.program)
            context = Context(state_dir, self._journal, before, self._on_death, kept)
            feed = self._feed = self._source.feed(self._stream, credential, context)
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
            connection.start()
            while not (self._signals.stop or self._failure or connection.failure):
                self._turn(connection)
            self._drain(connection)
            self._sink.close()
        except BrokenPipeError:
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
        self._lock = status.Lock(self._state_dir, program)
        self._journal = journal.Journal(journal.journal_path(self._state_dir, program))
        before = last_run.read(self._state_dir, program)
        self._rates = Counter(self._state_dir, program)
        self._carry_on()
        self._record_settings()
        if before.skipped > before.told:
            self._note(f"{before.skipped} unreadable entries of the journal skipped")
            self._journal.write("journal", skipped=before.skipped)
        self._journal.write(
            "start", pid=os.getpid(), version=__version__, boot=last_run.boot(), settings=self._live.settings
        )
        return before

    def _carry_on(self) -> None:
        """Takes over from the last process's status what the next ones must know."""
        try:
            last = status.read(self._state_dir, self._stream.program)
        except UnreadableError as error:
            self._note(f"the last live status was lost: {error}")
            return
        if last is not None:
            self._live.last_post = last.last_post
            # Killed again before it connects, the next start must know since when posts are lost.
            self._live.last_byte = min(filter(None, (last.last_byte, last.unwritten)), default=None)
            self._live.posts_today, self._live.bytes_today = last.posts_today, last.bytes_today
            self._live.messages_today, self._live.last_message = last.messages_today, last.last_message
            self._live.last_message_at = last.last_message_at
            self._live.unmatched_on, self._live.unmatched_today = last.unmatched_on, last.unmatched_today
            if last.position:
                self._position = Position(last.position, last.position_time)

    def _note(self, what: str) -> None:
        """Tells of damage where a person looks."""
        log.warning("%s", what)
        self._live.notes += (what,)

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
                self._adopt()
                for segment in check.orphans(self._data_dir, stream.program):
                    check.forget(segment)
                flushed = [self._salvage(path, reach) for path in salvage.leftovers(self._data_dir, stream.program)]
            probe = self._data_dir / f".{stream.program}.probe"
            probe.touch(mode=0o640)
            probe.unlink()
        except OSError as error:
            raise _storage_error(error, self._data_dir) from error
        self._recount()
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
        if flushed and outage is not None and max(flushed) < outage.start:
            # What arrived after the last flush of a killed process is lost with it: the gap begins there.
            return msgspec.structs.replace(before, outage=msgspec.structs.replace(outage, start=max(flushed)))
        return before

    def _recount(self) -> None:
        """Restores counters that were lost from the journals, which have by now what a crash left, too."""
        if self._meter.lost is None:
            return
        stream, now, lost = self._stream, clock.now(), self._meter.lost
        found = recount(self._state_dir, stream.program, stream.credential, now)
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

    def _adopt(self) -> None:
        """Journals the files that a kill kept from being journaled: between its new name and the entry there is one."""
        files = salvage.finished(self._data_dir, self._stream.program)
        known = recorded.look_up(self._state_dir, self._stream.program, set(files)) if files else {}
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

    def _receive(self, line: bytes, classified: Classified) -> None:
        position = Position(classified.position, classified.time) if classified.position else None
        while position is not None and not (self._discarding or self._buffer.has_room(line)):
            time.sleep(GATHER)  # where the service gives up, it sends this again to the next connection
        while self._buffer.crowded and not self._discarding:
            time.sleep(YIELD)
        if self._discarding:
            self._left_behind = True
            self._discarded += position is None
            return
        self._buffer.put(Line(line, time.time(), classified.id, position))

    def _turn(self, connection: Connection) -> None:
        """One round of the main thread's work, and the wait for the next."""
        due = min(self._sink.tick(), TICK)
        if not self._buffer.size:
            self._signals.wait(due)
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
            self._count(lines)
        if lost := self._buffer.overflow():
            log.error("%d posts dropped: they came faster than they could be written", lost.posts)
            self._journal.write("overflow", **msgspec.structs.asdict(lost))
            self._meter.add(lost.posts, lost.last_time)

    def _count(self, lines: list[Line]) -> None:
        now, live = clock.now(), self._live
        if live.last_post is None or live.last_post.date() != now.date():
            live.posts_today = live.bytes_today = 0
        live.last_post = now
        live.posts_today += len(lines)
        live.bytes_today += sum(len(line.raw) for line in lines)
        self._meter.add(len(lines), now)
        if self._rates is not None:
            self._rates.add(len(lines), now)

    def _keep_messages(self, *, closing: bool = False) -> None:
        """Journals and counts the lines that are no posts."""
        self._messages.journal(self._journal, closing=closing)
        if new := self._messages.count - self._messages_told:
            now, live = clock.now(), self._live
            if live.last_message_at is None or live.last_message_at.date() != now.date():
                live.messages_today = 0
            self._messages_told += new
            live.messages_today += new
            live.last_message, live.last_message_at = self._messages.last, now

    def _look_after(self, connection: Connection) -> None:
        """Keeps the guards and the live status, about once a second or when the state has changed."""
        connection.tick()
        live, now = self._live, time.monotonic()
        self._feed.fill_status(live)
        self._note_rules()
        same = live.state == connection.state and live.segment == self._sink.current
        if now < self._due and same and (live.position or connection.begun is None):
            return
        self._due = now + TICK
        if self._lock is not None and self._failure is None:
            try:
                self._lock.check()
            except LockedError as error:
                self._failure = error
        if self._supervision.gone:
            self._signals.stop = "supervisord is gone"
        self._guards.check(connection, self._buffer.count)
        self._keep_messages()
        live.state, live.detail, live.since = connection.state, connection.detail, connection.since
        live.connected_since = connection.connected_since
        live.last_byte = connection.last_byte or live.last_byte
        self._note_position(connection)
        self._write_status()
        if self._rates is not None:
            self._rates.tick(clock.now(), connected=connection.state == "connected")

    def _note_rules(self) -> None:
        """Keeps when the rules at the source first were those of the settings."""
        live = self._live
        in_force = live.rules_live != "" and live.rules_live == live.rules_wanted
        if self._save and in_force and self._in_force != live.settings:
            self._in_force = live.settings
            history.record_in_force(self._state_dir, self._stream.program, live.settings, live.rules_checked)

    def _note_position(self, connection: Connection) -> None:
        """Tells how far the stream has come: no further than what a power cut would leave."""
        come = connection.position  # before looking at what is under way: what comes later is later in the sequence
        if isinstance(self._sink, Files):
            durable, self._durable = self._durable, self._sink.durable
            if not (self._buffer.size or self._sink.unsynced or self._left_behind):
                self._position = come
            elif self._durable is not durable:
                self._position = self._durable
            self._position = self._position or connection.begun
        live = self._live
        if self._position is not None:
            live.position, live.position_time = self._position
        if new := self._feed.unmatched - self._unmatched_told:
            today = clock.now().date()
            if live.unmatched_on != today:
                live.unmatched_on, live.unmatched_today = today, 0
            self._unmatched_told += new
            live.unmatched_today += new

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
                self._position = self._position or self._last_kept()
                if self._position is not None:
                    self._recover(feed, (self._position.time or clock.now()) - OVERLAP)
        except OSError as error:
            raise _storage_error(error, self._data_dir) from error
        return self._position

    def _recover(self, feed: Feed, begin: datetime) -> None:
        for path in recent_files.since(begin, self._data_dir, self._state_dir, self._stream.program):
            for line in salvage.lines(path):
                classified = self._source.classify(line)
                if classified.time is None or classified.time >= begin:
                    self._repeats.is_known(classified)
                    feed.restore(line)

    def _last_kept(self) -> Position | None:
        """The position of the last line in the files: of a process that was killed early, or whose status is lost."""
        begin = clock.now() - recent_files.LONGEST
        for path in reversed(recent_files.since(begin, self._data_dir, self._state_dir, self._stream.program)):
            lines = salvage.lines(path)
            if (last := next(lines, None)) is not None and self._source.classify(last).position:
                for last in lines:  # noqa: B007 - the last is wanted
                    pass
                found = self._source.classify(last)
                return Position(found.position, found.time)
        return None

    def _write_status(self) -> None:
        """Replaces the status file if anything that a person would look at has changed, and keeps the counters."""
        live = self._live
        live.today, live.this_month = self._meter.spent.today, self._meter.spent.this_month
        live.dollars = self._meter.dollars_this_month
        live.segment = self._sink.current
        live.buffer, live.buffer_high = self._buffer.size, self._buffer.high_water
        live.unwritten = self._unwritten()
        live.free, live.floor = self._guards.room.free >> 20 << 20, self._guards.room.floor
        content = msgspec.json.encode(live)
        if content == self._written:
            return
        self._written = content
        if self._save:
            if isinstance(self._sink, Files):
                self._meter.spent.segment, self._meter.spent.of_segment = live.segment or "", self._sink.posts
            try:
                status.write(self._state_dir, live)
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
        while self._buffer.size:
            self._write_lines()
        self._tell_unread(connection)

    def _tell_unread(self, connection: Connection) -> None:
        """Journals what X had sent and the reader, too slow, had not taken from the socket when time was up."""
        if connection.under_way:
            connection.join(COUNT)
        unread = connection.unread()
        if self._discarded or unread:
            log.error("left unread: %d posts, and %d bytes of more", self._discarded, unread)
            self._journal.write("unread", posts=self._discarded, bytes=unread)
        if isinstance(self._sink, Printed) and self._sink.unprinted:
            log.error("not printed: %d posts that nobody read", self._sink.unprinted)

    def _unwritten(self) -> datetime | None:
        """Since when posts arrived that a kill would take, or that a failing disk has not taken."""
        oldest = min(filter(None, (self._sink.unflushed_since, self._buffer.oldest)), default=None)
        return clock.at(oldest) if oldest else None

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
