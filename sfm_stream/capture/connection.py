"""The thread that keeps a stream connected, and goes on after each end.

Lines go to `receive` as they arrive. Every connect, every end and every gap between them is journaled. What the
source has to say to all this, its `Feed` says. What no retry can fix ends the thread and stands in `failure`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sfm_stream import clock
from sfm_stream.capture.repeats import Repeats
from sfm_stream.capture.segment import Line
from sfm_stream.record import entries
from sfm_stream.record.journal import Record
from sfm_stream.record.last_run import Outage
from sfm_stream.sources.feed import Dropped, Feed, Handlers, Position, Refused, Replay, Session
from sfm_stream.sources.lines import Disposition, LineKind

DRAIN = 1.0
"""Seconds for what is under way to arrive, after the service was asked to end the connection."""

log = logging.getLogger(__name__)


class Connection(threading.Thread):
    """Keeps one stream connected until it is told to stop.

    Args:
        feed: The stream's side of its source.
        receive: Gets the lines that are kept, at least one, as they came together. Called in this thread.
        message: Gets each line that speaks of the stream or is not known, likewise.
        journal: Told of what happens.
        tries: Told of each try to connect, before it is made.
        wake: Called when the state has changed.
        outage: The gap that the last run of the program left open.
        position: How far the last run has come.
        repeats: Knows the lines that the last run kept since shortly before `position`.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        receive: Callable[[Sequence[Line]], None],
        message: Callable[[bytes], None],
        journal: Record,
        tries: Callable[[], None],
        wake: Callable[[], None],
        outage: Outage | None,
        position: Position | None,
        repeats: Repeats,
    ) -> None:
        super().__init__(name="connection", daemon=True)
        self.failure: BaseException | None = None
        self.state = "starting"
        self.since = clock.now()
        self.detail = ""
        self.connected_since: datetime | None = None
        self.last_byte: datetime | None = None
        self.left: int | None = None
        """Lines that may still be taken; the connection ends with the last of them."""
        self.position = position
        """How far the stream has come: all lines up to there were received or need not be."""
        self.begun = position
        """From where it would go on if nothing of what was received were kept."""
        self.in_hand = 0
        """Lines that were read and are not handed over yet, at most: some may not be kept."""
        self._feed = feed
        self._receive = receive
        self._message = message
        self._journal = journal
        self._tries = tries
        self._wake = wake
        self._outage = outage
        self.gap_told = False
        """Whether the journal tells of a gap that was open at the start, or of a later one."""
        self._repeats = repeats
        self._awaited: tuple[Outage, Position, datetime] | None = None
        """A gap of which the first line will tell whether it was replayed, from where, and when it ended."""
        self._renewed: datetime | None = None
        self._session: Session | None = None
        self._attempts = 0
        self._posts = 0
        self._passed = 0
        self._told = ""
        self._hold: tuple[str, str] | None = None
        self._finish_by: float | None = None
        self._stopping = False
        self._changed = threading.Event()

    # What other threads may call.

    def stop(self) -> None:
        """Ends the connection, after what is under way has arrived, and the thread with it."""
        self._stopping = True
        self._end_connection()

    def hold(self, state: str, reason: str) -> None:
        """Ends the connection as `stop` does, and makes no other until `release`; `state` is ``budget`` or ``disk``.

        Over a hold, it replaces that.
        """
        # A budget that runs out on a full disk must not end a connection a second time.
        before, self._hold = self._hold, (state, reason)
        if before is None:
            self._end_connection()
        else:
            self._changed.set()

    @property
    def under_way(self) -> bool:
        """Whether there is a connection, or one is being made."""
        return self.connected_since is not None or self.state == "connecting"

    @property
    def held(self) -> str | None:
        """The state that `hold` asked for, until `release`."""
        hold = self._hold
        return hold[0] if hold else None

    def release(self) -> None:
        """Goes on after `hold`."""
        self._hold = None
        self._changed.set()

    def tick(self) -> None:
        """Does what the thread cannot: ends a connection that is silent or does not end, waits for the disk. Often."""
        now = time.monotonic()
        self._feed.tick()
        session = self._session
        if session is not None:
            session.give_up_if_silent(now)
            # Zero until the answer is in: the last byte of the connection before is still the last one then.
            if session.last_byte:
                self.last_byte = clock.at(session.last_byte)
            if self._finish_by is not None and now > self._finish_by:
                # Asked to end, it goes on sending: what came in the time was taken, and the rest is not waited for.
                session.abort()

    def unread(self) -> int:
        """Bytes of the connection that have arrived at this host, were not read, and will not come again."""
        session = self._session
        return session.unread() if session is not None else 0

    # The thread's own.

    def run(self) -> None:
        """Connects, receives, waits; until `stop`, or a failure that no retry can fix."""
        try:
            while not self._stopping:
                if self._hold is not None:
                    self._wait_for_release()
                else:
                    self._sleep(self._once())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the main thread raises it
            self.failure = error
        finally:
            self._enter("stopped")

    def _once(self) -> float:
        """One try to connect, and the connection that comes of it; returns the seconds to wait after it."""
        # A service may refuse more than so many tries in a time, also those of the processes before this one.
        allowed = self._feed.until_allowed(time.monotonic())
        if allowed.seconds:
            return self._waiting(allowed.seconds, allowed.reason)
        self._enter("connecting")
        self._attempts += 1
        opened = None
        try:
            self._feed.prepare("start" if self._attempts == 1 else "reconnect")
            self._finish_by = None
            self._session = self._feed.session(Handlers(self._on_open, self._on_lines), self._outage, self.position)
            # What was asked while the session was prepared could not end it, as there was none yet.
            if self._stopping or self._hold:
                return 0.0
            # Before the try, so that a kill in the middle of it does not make it uncounted.
            self._tries()
            opened = time.monotonic()
            self._session.run()
        except Refused as refused:
            return self._after_refusal(refused)
        except Dropped as dropped:
            return self._after_drop(dropped, opened)
        return self._after_end(opened)

    def _on_open(self, headers: Mapping[str, str]) -> None:
        now = clock.now()
        said = self._feed.opened(headers)
        replay = self._feed.replay()
        if self._outage is not None and (replay is Replay.NONE or self.position is None):
            # Before the connect: killed between the two, a program's next start knows how far the gap was told.
            self._gap(self._outage, now, None if replay is Replay.NONE else False)
        elif self._outage is not None and self.position is not None:
            if replay is Replay.ALL:
                self._gap(self._outage, now, recovered=True)
            else:
                self._awaited = (self._outage, self.position, now)
        awaited = entries.AWAITED if self._awaited is not None else None
        self._journal.write("connect", **said, attempts=self._attempts, replay=awaited)
        self._outage = self._renewed = None
        # From here on a refusal is news again, and the next gap counts its own attempts.
        self._attempts = self._posts = 0
        self._passed = self._feed.unmatched
        self._told = ""
        self.connected_since = self.last_byte = now
        self._enter("connected", self._feed.note)

    def _gap(self, outage: Outage, end: datetime, recovered: bool | None) -> None:
        self.gap_told = True
        self._journal.write(
            "gap",
            start=outage.start,
            end=end,
            seconds=round(max(0.0, (end - outage.start).total_seconds()), 3),
            cause=outage.cause,
            planned=outage.planned,
            attempts=self._attempts,
            **self._feed.gap_fields(),
            recovered=recovered,
        )

    def _on_lines(self, lines: Sequence[bytes]) -> None:
        kept: list[Line] = []
        first = last = None
        now = time.time()
        self.in_hand = len(lines)
        try:
            for line in lines:
                classified, fate = self._feed.take(line)
                if self._awaited is not None and classified.time is not None:
                    self._judge_replay(classified.time)
                position = Position(classified.position, classified.time) if classified.position else None
                if fate is Disposition.KEEP:
                    # After an outage a replay begins before the position, and brings again what is in the files.
                    if not (classified.key and self._repeats.is_known(classified)):
                        kept.append(Line(line, now, classified.id, position))
                        self._posts += classified.kind is LineKind.POST
                elif fate is Disposition.MESSAGE:
                    self._message(line)
                    if self._feed.announced is not None:
                        # What is under way is received all the same.
                        self._end_connection()
                if position is not None:
                    first, last = first or position, position
        finally:
            if kept:
                self._hand_over(kept)
            # After the lines were handed over: what has a position behind it is on its way to the disk.
            self.position = last or self.position
            self.begun = self.begun or first
            self.in_hand = 0

    def _hand_over(self, lines: Sequence[Line]) -> None:
        self._receive(lines)
        # Posts are paid for as they come, so the limit is kept here, and not where they are written.
        if self.left is not None:
            self.left -= len(lines)
            if self.left <= 0:
                self.hold("budget", "the budget is spent")

    def _judge_replay(self, first: datetime) -> None:
        """Journals the gap, now that the first line tells how far back the replay goes."""
        if self._awaited is None:
            return
        (outage, position, end), self._awaited = self._awaited, None
        covered = self._feed.covered_since(position, first)
        if covered is None:
            self._gap(outage, end, recovered=True)
            return
        # What came after the position and before the connection broke was never kept either.
        begun = min(outage.start, position.time or outage.start)
        log.error("lost: what was sent from %s to %s is not replayed any more", clock.text(begun), clock.text(covered))
        self._gap(Outage(start=begun, cause=outage.cause, planned=outage.planned), covered, recovered=False)
        if covered < end:
            self._gap(Outage(start=covered, cause=outage.cause, planned=outage.planned), end, recovered=True)

    def _after_drop(self, dropped: Dropped, opened: float | None) -> float:
        # Nothing was granted, so there is no connection of which the end could be told, and the gap goes on.
        if self.connected_since is None:
            self._refused(str(dropped.end), None, dropped.detail)
            return self._waiting(self._feed.after_drop(dropped, held=None), str(dropped))
        now = time.monotonic()
        self._disconnected(str(dropped), planned=dropped.renewal, renewal=dropped.renewal)
        return self._waiting(self._feed.after_drop(dropped, held=now - (opened or now)), str(dropped))

    def _after_refusal(self, refused: Refused) -> float:
        self._refused(refused.reason, refused.status, refused.detail, changes_cause=refused.changes_cause)
        retry = self._feed.after_refusal(refused)
        return self._waiting(retry.seconds, retry.reason, retry.state)

    def _refused(self, reason: str, status: int | None, detail: str, *, changes_cause: bool = False) -> None:
        """No connection came of a try; the journal says so again only where the reason is another."""
        told = f"{reason} {status} {detail}"
        log.warning("not connected: %s%s: %s", reason, f" (HTTP {status})" if status else "", detail)
        # A service that is down for a day would otherwise fill the journal with one sentence.
        if told != self._told:
            self._told = told
            self._journal.write("refused", reason=reason, http_status=status, detail=detail)
        if self._renewed is not None:
            # The connection was to be renewed, and is not: this is a gap after all.
            self._outage, self._renewed = Outage(start=self._renewed, cause=reason), None
        elif self._outage is not None and (self._outage.planned or (changes_cause and self._outage.cause != reason)):
            # A gap that was planned ends here, since nobody asked for what follows; so does one that changes its cause.
            # Where the source replays, only the connection that ends it tells what became of it: it stays one.
            start = self._outage.start
            if self.position is None:
                start = clock.now()
                self._gap(self._outage, start, None)
            self._outage = Outage(start=start, cause=reason)

    def _disconnected(self, reason: str, *, planned: bool, renewal: bool = False) -> None:
        session, since = self._session, self.connected_since
        self._session = None
        if session is None or since is None:
            return
        # The gap begins with the last byte, not with the notice: a dead connection is noticed half a minute late.
        end = clock.at(session.last_byte)
        if session.torn_bytes:
            self._journal.write("torn", bytes=session.torn_bytes)
        self._journal.write(
            "disconnect",
            reason=reason,
            planned=planned,
            last_byte=end,
            seconds=round((clock.now() - since).total_seconds(), 3),
            posts=self._posts,
            unmatched=self._feed.unmatched - self._passed or None,
        )
        log.log(logging.INFO if planned else logging.WARNING, "disconnected: %s", reason)
        self.last_byte, self.connected_since = end, None
        self._feed.ended()
        if self._awaited is not None:
            # It ended before any line told whether it replays: the gap goes on.
            self._outage, self._awaited = self._awaited[0], None
        elif renewal:
            # Whether that leaves a gap is known when the next connection is granted or refused.
            self._renewed = end
        else:
            self._outage = Outage(start=end, cause=reason, planned=planned)

    def _after_end(self, opened: float) -> float:
        """The connection ended because we ended it: asked to, or since the service said that it would."""
        if self._feed.announced is not None:
            return self._after_drop(Dropped(f"ended by {self._feed.title}, announced", self._feed.announced), opened)
        hold = self._hold
        # A hold that was released meanwhile was as good as none.
        if self._stopping or hold is None:
            self._disconnected("stopped", planned=True)
        else:
            self._disconnected(f"{hold[0]}: {hold[1]}", planned=hold[0] == "budget")
        return 0.0

    def _waiting(self, seconds: float, reason: str, state: str = "waiting") -> float:
        if seconds:
            self._enter(state, f"{reason}; next try in {seconds:.0f} s" if seconds >= 1 else reason)
        return seconds

    def _wait_for_release(self) -> None:
        state, reason = self._hold or ("", "")
        self._enter(state, reason)
        self._changed.wait()
        self._changed.clear()

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        # `_changed` also wakes for changes that have nothing to do with this wait.
        while not self._stopping and self._hold is None and (left := deadline - time.monotonic()) > 0:
            self._changed.wait(left)
            self._changed.clear()

    def _end_connection(self) -> None:
        self._finish_by = time.monotonic() + DRAIN
        if self._session is not None:
            self._session.finish()
        self._changed.set()

    def _enter(self, state: str, detail: str = "") -> None:
        if (state, detail) != (self.state, self.detail):
            self.state, self.detail, self.since = state, detail, clock.now()
            log.info("%s%s", state, f": {detail}" if detail else "")
            self._wake()
