"""The thread that keeps a stream connected, and decides after each end what to do next.

Lines go to `receive` as they arrive. Every connect, every end and every gap between them is journaled.
What a retry cannot cure ends the thread and stands in `failure`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec

from sfm_stream import clock
from sfm_stream.sources.x import api
from sfm_stream.sources.x.accounts import AccountWatch, Sighting
from sfm_stream.sources.x.refusals import MONEY, Kind, Refusal, seconds_until
from sfm_stream.capture.backoff import Backoff
from sfm_stream.sources.x.client import Client, Dropped, End, Refused
from sfm_stream.sources.x.envelope import Envelope, look
from sfm_stream.sources.x.rule_keeper import RuleKeeper, RuleState
from sfm_stream.sources.x.slot import Slot
from sfm_stream.errors import ConfigError, CredentialError, StorageError
from sfm_stream.record.journal import Record
from sfm_stream.record.last_run import LastRun, Outage
from sfm_stream.sources.x import fields
from sfm_stream.settings.faults import Secret
from sfm_stream.settings.model import SAMPLE, Credential, Stream

DRAIN = 1.0
"""Seconds for what is under way to arrive, after X was asked to end the connection."""
IDENTIFY_AFTER = (0.0, 5.0, 60.0)
"""Seconds after a connect, and between them, at which X is asked which connection is ours."""
_SANE = timedelta(days=1)
"""A server whose clock differs by more could not be reached over TLS."""
CREDENTIAL_PATIENCE = 6 * 3600.0
"""Seconds for which a credential that has worked is tried again: X has refused good ones for a while before."""
RELEASED_WAIT = 1.0
"""Seconds after our own dead connection was ended."""

log = logging.getLogger(__name__)


class Connection(threading.Thread):
    """Keeps one stream connected until it is told to stop.

    Args:
        stream: What to capture.
        credential: The secret.
        receive: Gets each post: the line and its id. Called in this thread; must be quick.
        message: Gets each line that is no post, likewise.
        journal: Told of what happens.
        tries: Told of each try to connect, before it is made.
        wake: Called when the state has changed.
        past: Of the program's last run.
    """

    def __init__(
        self,
        stream: Stream,
        credential: Credential,
        *,
        receive: Callable[[bytes, str], None],
        message: Callable[[bytes], None],
        journal: Record,
        tries: Callable[[], None],
        wake: Callable[[], None],
        past: LastRun,
    ) -> None:
        super().__init__(name="connection", daemon=True)
        self.failure: BaseException | None = None
        self.state = "starting"
        self.since = clock.now()
        self.detail = ""
        self.connected_since: datetime | None = None
        self.last_byte: datetime | None = None
        self.sighting = ""
        self._sightings: deque[tuple[str, Sighting]] = deque()
        """What was last seen of accounts that have lost the names under which they are followed."""
        self.left: int | None = None
        """Posts that may still be taken; the connection ends with the last of them."""
        self._stream = stream
        self._accounts = AccountWatch(stream.accounts)
        self._credential = credential
        self._receive = receive
        self._message = message
        self._journal = journal
        self._tries = tries
        self._wake = wake
        self._outage = past.outage
        self._slot = Slot("sample_stream" if stream.kind == SAMPLE else "filtered_stream", journal, past)
        self._backoff = Backoff()
        for at in past.connects:
            # X counts on over our restarts. A connect that seems to lie ahead is from before a clock was set right.
            age = max(0.0, (clock.now() - at).total_seconds())
            self._backoff.connecting(time.monotonic() - age)
        self._rules = RuleKeeper(stream, self._requests, journal, past.rules_missing) if stream.kind != SAMPLE else None
        self._client: Client | None = None
        self._token: Secret | None = None
        self._tokens_tried = 0
        # Of an entry that says nothing of the credential, it was most likely this one.
        self._worked = past.connected_at is not None and past.credential in (None, credential.fingerprint)
        self._refused_since: float | None = None
        self._asked: dict[str, object] = {}
        self._left_out: set[tuple[str, str]] = set()
        self._minutes: int | None = None
        self._announced: str | None = None
        self._attempts = 0
        self._posts = 0
        self._told = ""
        self._hold: tuple[str, str] | None = None
        self._finish_by: float | None = None
        self._stopping = False
        self._changed = threading.Event()
        self._rules_watch = threading.Thread(target=self._watch_rules, name="rules", daemon=True)

    # What other threads may call.

    def stop(self) -> None:
        """Ends the connection, after what is under way has arrived, and the thread with it."""
        self._stopping = True
        self._end_connection()

    def hold(self, state: str, reason: str) -> None:
        """Ends the connection as `stop` does, and makes no other until `release`; `state` is ``budget`` or ``disk``.

        Over a hold, it replaces that.
        """
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
    def rules(self) -> RuleState | None:
        """The rules that are wanted and those at X; None for a stream that has none."""
        return self._rules.state if self._rules is not None else None

    @property
    def held(self) -> str | None:
        """The state that `hold` asked for, until `release`."""
        hold = self._hold
        return hold[0] if hold else None

    def release(self) -> None:
        """Goes on after `hold`."""
        self._hold = None
        self._changed.set()

    def update(self, stream: Stream) -> None:
        """Takes up other rules, without dropping the connection."""
        self._accounts, self.sighting = AccountWatch(stream.accounts), ""
        if self._rules is not None:
            self._rules.ask_for(stream)

    def tick(self) -> None:
        """Does what the thread cannot: ends a connection that is silent or does not end, waits for the disk. Often."""
        now = time.monotonic()
        while self._sightings:
            post, sighting = self._sightings.popleft()
            self.sighting = str(sighting)
            log.warning("%s", sighting)
            self._journal.write("account", post=post, **msgspec.structs.asdict(sighting))
        client = self._client
        if client is not None:
            client.give_up_if_silent(now)
            if client.last_byte:
                self.last_byte = clock.at(client.last_byte)
            if self._finish_by is not None and now > self._finish_by:
                client.abort()

    def unread(self) -> int:
        """Bytes of the connection that have arrived at this host and were not read."""
        client = self._client
        return client.unread() if client is not None else 0

    # The thread's own.

    def run(self) -> None:
        """Connects, receives, waits; until `stop`, or a failure that no retry cures."""
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
        if wait := self._backoff.until_allowed(time.monotonic()):
            return self._waiting(wait, "X allows no more connects in this quarter of an hour")
        self._enter("connecting")
        self._attempts += 1
        opened = None
        try:
            if self._rules is not None:
                self._rules.prepare("start" if self._attempts == 1 else "reconnect")
            self._finish_by, self._announced = None, None
            self._client = Client(self._bearer(), self._stream.api_url, self._on_line, self._on_open)
            if self._stopping or self._hold:
                return 0.0
            self._tries()
            self._backoff.connecting(time.monotonic())
            opened = time.monotonic()
            self._connect(self._client)
        except Refused as refused:
            return self._after_refusal(refused.refusal)
        except Dropped as dropped:
            return self._after_drop(dropped, opened)
        return self._after_end(opened)

    def _connect(self, client: Client) -> None:
        asked: dict[str, object] = dict(fields.parameters(self._stream.fields))
        self._minutes = self._backfill() or None
        if self._minutes:
            asked["backfill_minutes"] = self._minutes
        self._asked = fields.without(asked, self._left_out)
        if self._stream.kind == SAMPLE:
            client.sample(**self._asked)
        else:
            client.filter(**self._asked)

    def _backfill(self) -> int:
        """As many minutes as the gap needs, of those that the account may ask for."""
        if self._outage is None or "backfill_minutes" in dict(self._left_out):
            return 0
        minutes = math.ceil((clock.now() - self._outage.start).total_seconds() / 60)
        return max(0, min(minutes, self._stream.backfill_minutes))

    def _on_open(self, headers: Mapping[str, str]) -> None:
        now = clock.now()
        server_time = _server_time(headers)
        self._slot.took(server_time or now)
        if self._outage is not None:
            # Before the connect: killed between the two, a program's next start knows how far the gap was told.
            self._gap(self._outage, now)
        self._journal.write(
            "connect",
            endpoint=self._slot.endpoint,
            server_time=server_time,
            attempts=self._attempts,
            backfill_minutes=self._minutes,
            credential=self._credential.fingerprint,
        )
        self._outage = None
        self._worked, self._refused_since = True, None
        self._attempts = self._posts = self._tokens_tried = 0
        self._told = ""
        self.connected_since = self.last_byte = now
        self._enter("connected", f"without {_listed(self._left_out)}, which X refuses" if self._left_out else "")
        threading.Thread(target=self._identify, name="slot", daemon=True).start()
        if self._rules is not None and not self._rules_watch.is_alive():
            self._rules_watch.start()

    def _identify(self) -> None:
        """Learns how X knows this connection, to know it again when it is dead. X may list it a little late."""
        since = self.connected_since
        for wait in IDENTIFY_AFTER:
            time.sleep(wait)
            if self.connected_since != since:
                return
            try:
                if self._slot.identify(self._requests()):
                    return
            except (Refused, Dropped, StorageError) as error:
                log.info("X did not say which connection is ours: %s", error)

    def _gap(self, outage: Outage, end: datetime) -> None:
        self._journal.write(
            "gap",
            start=outage.start,
            end=end,
            seconds=round(max(0.0, (end - outage.start).total_seconds()), 3),
            cause=outage.cause,
            planned=outage.planned,
            attempts=self._attempts,
            backfill_minutes=self._minutes,
        )

    def _on_line(self, line: bytes) -> None:
        found = look(line)
        if found.data.id:
            self._take(line, found.data.id)
        else:
            self._on_message(line, found)

    def _take(self, line: bytes, post: str) -> None:
        self._posts += 1
        self._receive(line, post)
        self._sightings.extend((post, sighting) for sighting in self._accounts.look(line))
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.hold("budget", "the budget is spent")

    def _on_message(self, line: bytes, found: Envelope) -> None:
        self._message(line)
        if problem := found.disconnect:
            # What is under way is received all the same.
            self._announced = problem.detail or problem.title
            self._end_connection()

    def _after_drop(self, dropped: Dropped, opened: float | None) -> float:
        now = time.monotonic()
        if self.connected_since is None:
            self._refused(str(dropped.end), None, dropped.detail)
            return self._waiting(self._backoff.after_drop(now, established=False), str(dropped))
        self._backoff.held(now - (opened or now))
        self._disconnected(str(dropped), planned=False)
        return self._waiting(self._backoff.after_drop(now, established=True), str(dropped))

    def _after_refusal(self, refusal: Refusal) -> float:
        kind = refusal.kind
        self._refused(str(kind), refusal.status, refusal.detail, money=kind in MONEY)
        if kind is Kind.CREDENTIAL:
            return self._after_wrong_credential(refusal)
        if kind is Kind.INVALID:
            return self._after_invalid(refusal)
        if kind is Kind.NO_RULES and self._rules is not None:
            self._rules.doubt()
        if kind is Kind.CONNECTIONS:
            return self._after_slot_taken(refusal)
        wait = self._backoff.after_refusal(time.monotonic(), refusal, seconds_until(refusal.reset))
        return self._waiting(wait, str(refusal), str(kind) if kind in MONEY else "waiting")

    def _after_wrong_credential(self, refusal: Refusal) -> float:
        """One that has worked may work again; one that never did is wrong."""
        if self._credential.bearer_token is None and self._token is not None:
            self._token = None  # X may have ended a token that it gave; it is asked for another once.
            self._tokens_tried += 1
            if self._tokens_tried < 2:
                return 0.0
        now = time.monotonic()
        since = self._refused_since = now if self._refused_since is None else self._refused_since
        left = since + CREDENTIAL_PATIENCE - now
        if not self._worked or left <= 0:
            raise CredentialError(
                f"X refused the credential {self._stream.credential!r} (HTTP {refusal.status}: {refusal.detail}); "
                "put the right secret into the inventory and deploy, or have X entitle the app to this stream"
            )
        log.error(
            "X refuses the credential %r, which has worked before; it is tried for %.1f hours, then the program ends",
            self._stream.credential,
            left / 3600,
        )
        return self._waiting(self._backoff.after_refusal(now, refusal, 0.0), str(refusal), "credential")

    def _after_invalid(self, refusal: Refusal) -> float:
        """Goes on without the fields that X names, rather than not at all."""
        left_out = fields.named(self._asked, refusal.parameters) - self._left_out
        if not left_out:
            raise ConfigError(
                f"X does not take the request (HTTP {refusal.status}: {refusal.detail}); correct the stream's settings"
            )
        self._left_out |= left_out
        log.error("X does not take %s: it is left out (%s)", _listed(left_out), refusal.detail)
        self._journal.write("fields", left_out=sorted(map("=".join, left_out)), detail=refusal.detail)
        return 0.0

    def _after_slot_taken(self, refusal: Refusal) -> float:
        try:
            holder = self._slot.release(self._requests())
        except (Refused, Dropped) as error:
            holder = f"the slot is taken; X did not say by whom: {error}"
        if holder is None:
            return self._waiting(RELEASED_WAIT, "own dead connection ended")
        return self._waiting(self._backoff.after_refusal(time.monotonic(), refusal, 0.0), holder)

    def _refused(self, reason: str, status: int | None, detail: str, *, money: bool = False) -> None:
        """No connection came of a try; the journal says so again only where the reason is another."""
        told = f"{reason} {status} {detail}"
        log.warning("not connected: %s%s: %s", reason, f" (HTTP {status})" if status else "", detail)
        if told != self._told:
            self._told = told
            self._journal.write("refused", reason=reason, http_status=status, detail=detail)
        if self._outage is not None and (self._outage.planned or (money and self._outage.cause != reason)):
            # A gap that was planned ends here, since nobody asked for what follows; and one for money begins here.
            now = clock.now()
            self._gap(self._outage, now)
            self._outage = Outage(start=now, cause=reason)

    def _disconnected(self, reason: str, *, planned: bool) -> None:
        client, since = self._client, self.connected_since
        self._client = None
        if client is None or since is None:
            return
        end = clock.at(client.last_byte)
        if client.torn_bytes:
            self._journal.write("torn", bytes=client.torn_bytes)
        self._journal.write(
            "disconnect",
            reason=reason,
            planned=planned,
            last_byte=end,
            seconds=round((clock.now() - since).total_seconds(), 3),
            posts=self._posts,
        )
        log.log(logging.INFO if planned else logging.WARNING, "disconnected: %s", reason)
        self.last_byte, self.connected_since = end, None
        self._outage = Outage(start=end, cause=reason, planned=planned)

    def _after_end(self, opened: float) -> float:
        """The connection ended because we ended it: asked to, or since X said that it would."""
        if self._announced is not None:
            return self._after_drop(Dropped(End.ANNOUNCED, self._announced), opened)
        hold = self._hold
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
        while not self._stopping and self._hold is None and (left := deadline - time.monotonic()) > 0:
            self._changed.wait(left)
            self._changed.clear()

    def _end_connection(self) -> None:
        self._finish_by = time.monotonic() + DRAIN
        if self._client is not None:
            self._client.finish()
        self._changed.set()

    def _enter(self, state: str, detail: str = "") -> None:
        if (state, detail) != (self.state, self.detail):
            self.state, self.detail, self.since = state, detail, clock.now()
            log.info("%s%s", state, f": {detail}" if detail else "")
            self._wake()

    def _bearer(self) -> Secret:
        if self._token is None:
            self._token = api.bearer_token(self._credential, self._stream.api_url)
        return self._token

    def _requests(self) -> Client:
        return Client(self._bearer(), self._stream.api_url)

    def _watch_rules(self) -> None:
        """The rules' own thread; its end is the program's, for nobody would look at the rules any more."""
        try:
            if self._rules is not None:
                self._rules.watch()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the main thread raises it
            self.failure = error
            self._wake()


def _listed(left_out: set[tuple[str, str]]) -> str:
    return ", ".join(sorted(f"{value} ({parameter})" for parameter, value in left_out))


def _server_time(headers: Mapping[str, str]) -> datetime | None:
    """X's clock; None where its answer names no time, or one so far from ours that it can only be an odd byte."""
    try:
        # In UTC whatever zone it names: "-0000" names none.
        found = parsedate_to_datetime(headers.get("date", "")).replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if abs(found - clock.now()) < _SANE else None
