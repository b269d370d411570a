"""A stream's side of X, for the life of its program: token, rules, the slot, and what each refusal means."""

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
from sfm_stream.errors import ConfigError, CredentialError, StorageError
from sfm_stream.record.journal import Record
from sfm_stream.record.last_run import LastRun, Outage
from sfm_stream.record.status import Status
from sfm_stream.settings.faults import Secret
from sfm_stream.sources.feed import Dropped, Handlers, Position, Refused, Replay, Retry
from sfm_stream.sources.lines import Classified, Disposition, LineKind
from sfm_stream.sources.x import api, fields
from sfm_stream.sources.x.accounts import AccountWatch, Sighting
from sfm_stream.sources.x.backoff import Backoff
from sfm_stream.sources.x.client import Client, XRefused
from sfm_stream.sources.x.envelope import look
from sfm_stream.sources.x.refusals import MONEY, Refusal, RefusalKind, seconds_until
from sfm_stream.sources.x.rule_keeper import RuleKeeper
from sfm_stream.sources.x.settings import SAMPLE, XCredential, XStream
from sfm_stream.sources.x.slot import Slot

IDENTIFY_AFTER = (0.0, 5.0, 60.0)
"""Seconds after a connect, and between them, at which X is asked which connection is ours."""
_SANE = timedelta(days=1)
"""A server whose clock differs by more could not be reached over TLS."""
CREDENTIAL_PATIENCE = 6 * 3600.0
"""Seconds for which a credential that has worked is tried again: X has refused good ones for a while before."""
RELEASED_WAIT = 1.0
"""Seconds after our own dead connection was ended."""

log = logging.getLogger(__name__)


class XFeed:
    """See `sfm_stream.sources.feed.Feed`.

    Args:
        stream: What to capture.
        credential: The secret.
        journal: Told of what happens.
        last_run: Of the program.
        fail: Called with what no retry can fix and no method raises: the death of the thread that watches the rules.
    """

    def __init__(
        self,
        stream: XStream,
        credential: XCredential,
        *,
        journal: Record,
        last_run: LastRun,
        fail: Callable[[BaseException], None],
    ) -> None:
        self.title = "X"
        self.announced: str | None = None
        self.unmatched = 0
        self._stream = stream
        self._credential = credential
        self._journal = journal
        self._fail = fail
        self._accounts = AccountWatch(stream.accounts) if stream.accounts else None
        self._sighting = ""
        self._sightings: deque[tuple[str, Sighting]] = deque()
        self._slot = Slot("sample_stream" if stream.kind == SAMPLE else "filtered_stream", journal, last_run)
        self._backoff = Backoff()
        for at in last_run.connects:
            # X counts on over our restarts. A connect that seems to lie ahead is from before a clock was set right.
            age = max(0.0, (clock.now() - at).total_seconds())
            self._backoff.connecting(time.monotonic() - age)
        missing = last_run.rules_missing
        self._rules = RuleKeeper(stream, self._requests, journal, missing) if stream.kind != SAMPLE else None
        self._rules_watch = threading.Thread(target=self._watch_rules, name="rules", daemon=True)
        self._token: Secret | None = None
        self._tokens_tried = 0
        # Of an entry that says nothing of the credential, it was most likely this one.
        self._worked = last_run.connected_at is not None and last_run.credential in (None, credential.fingerprint)
        self._refused_since: float | None = None
        self._asked: dict[str, object] = {}
        self._left_out: set[tuple[str, str]] = set()
        self._minutes: int | None = None
        self._connection = 0

    @property
    def note(self) -> str:
        """The fields that are left out."""
        return f"without {_listed(self._left_out)}, which X refuses" if self._left_out else ""

    def until_allowed(self, now: float) -> Retry:
        """X's limit of connects in a quarter of an hour."""
        wait = self._backoff.until_allowed(now)
        return Retry(wait, "X allows no more connects in this quarter of an hour")

    def prepare(self, by: str) -> None:
        """The rules, as far as they must be right before a connect."""
        if self._rules is not None:
            self._rules.prepare(by)

    def session(self, handlers: Handlers, outage: Outage | None, position: Position | None) -> _Session:  # noqa: ARG002
        """The next connection; it counts against the limit of connects."""
        self.announced = None
        self._minutes = self._backfill(outage) or None
        asked: dict[str, object] = dict(fields.parameters(self._stream.fields))
        if self._minutes:
            asked["backfill_minutes"] = self._minutes
        self._asked = fields.without(asked, self._left_out)
        client = Client(self._bearer(), self._stream.api_url, handlers.on_lines, handlers.on_open)
        # Counted before it is tried: X counts refused connects as well.
        self._backoff.connecting(time.monotonic())
        return _Session(client, sample=self._stream.kind == SAMPLE, asked=self._asked)

    def opened(self, headers: Mapping[str, str]) -> dict[str, object]:
        """Takes the slot, and has the rules watched."""
        server_time = _server_time(headers)
        self._slot.took(server_time or clock.now())
        self._worked, self._refused_since = True, None
        self._tokens_tried = 0
        self._connection += 1
        # Beside the stream, which must be read from its first byte on: X drops a client that lags.
        threading.Thread(target=self._identify, args=(self._connection,), name="slot", daemon=True).start()
        if self._rules is not None and not self._rules_watch.is_alive():
            self._rules_watch.start()
        return {
            "endpoint": self._slot.endpoint,
            "server_time": server_time,
            "backfill_minutes": self._minutes,
            "credential": self._credential.fingerprint,
        }

    def gap_fields(self) -> dict[str, object]:
        """What the journal is to say of a gap that ends: what X was asked to recover of it."""
        return {"backfill_minutes": self._minutes}

    def replay(self) -> Replay:
        """X replays nothing from a position; what it recovers by minutes is not known to be all."""
        return Replay.NONE

    def covered_since(self, position: Position, first: datetime) -> datetime | None:  # noqa: ARG002
        """Is never asked."""
        return None

    def restore(self, line: bytes) -> None:
        """Has no use for what the last run kept."""

    def take(self, line: bytes) -> tuple[Classified, Disposition]:
        """Keeps every post: X matches by itself."""
        found = look(line)
        if post := found.data.id:
            if self._accounts is not None:
                # Only noted here: a journal entry waits for the disk, and the reader must not.
                self._sightings.extend((post, sighting) for sighting in self._accounts.look(line))
            return Classified(LineKind.POST, post), Disposition.KEEP
        if problem := found.disconnect:
            self.announced = problem.detail or problem.title
        return Classified(LineKind.NOTICE if found.errors else LineKind.OTHER), Disposition.MESSAGE

    def ended(self) -> None:
        """The connection is no more."""
        self._connection += 1

    def after_drop(self, dropped: Dropped, *, held: float | None) -> float:  # noqa: ARG002
        """X's table of waits."""
        if held is not None:
            self._backoff.held(held)
        return self._backoff.after_drop(time.monotonic(), established=held is not None)

    def after_refusal(self, refused: Refused) -> Retry:
        """What each kind of refusal asks for."""
        assert isinstance(refused, XRefused)  # noqa: S101 - nothing else comes of a client of X
        refusal = refused.refusal
        kind = refusal.kind
        if kind is RefusalKind.CREDENTIAL:
            return self._after_wrong_credential(refusal)
        if kind is RefusalKind.INVALID:
            return self._after_invalid(refusal)
        # X says that it holds no rule, whatever we saw last: somebody deleted them all.
        if kind is RefusalKind.NO_RULES and self._rules is not None:
            self._rules.doubt()
        if kind is RefusalKind.CONNECTIONS:
            return self._after_slot_taken(refusal)
        wait = self._backoff.after_refusal(time.monotonic(), refusal, seconds_until(refusal.reset))
        return Retry(wait, str(refusal), str(kind) if kind in MONEY else "waiting")

    def update(self, stream: XStream) -> None:
        """Other rules, and other ids of accounts."""
        self._accounts, self._sighting = AccountWatch(stream.accounts) if stream.accounts else None, ""
        if self._rules is not None:
            self._rules.ask_for(stream)

    def tick(self) -> None:
        """Journals accounts that lost their names, which the connection's thread must not wait for."""
        while self._sightings:
            post, sighting = self._sightings.popleft()
            self._sighting = str(sighting)
            log.warning("%s", sighting)
            self._journal.write("account", post=post, **msgspec.structs.asdict(sighting))

    def fill_status(self, live: Status) -> None:
        """The rules that are wanted and those at X, and accounts that lost their names."""
        live.account = self._sighting
        if self._rules is not None:
            rules = self._rules.state
            live.rules_wanted, live.rules_live, live.rules_checked = rules.wanted, rules.live, rules.checked
            live.rules_missing, live.rules_fault = rules.missing, rules.fault

    def _backfill(self, outage: Outage | None) -> int:
        """As many minutes as the gap needs, of those that the account may ask for."""
        if outage is None or "backfill_minutes" in dict(self._left_out):
            return 0
        # Rounded up: what comes twice is counted as a duplicate, what is not asked for is lost.
        minutes = math.ceil((clock.now() - outage.start).total_seconds() / 60)
        return max(0, min(minutes, self._stream.backfill_minutes))

    def _identify(self, connection: int) -> None:
        """Learns how X knows this connection, to know it again when it is dead. X may list it a little late."""
        for wait in IDENTIFY_AFTER:
            time.sleep(wait)
            if self._connection != connection:
                return
            try:
                if self._slot.identify(self._requests()):
                    return
            except (Refused, Dropped, StorageError) as error:
                log.info("X did not say which connection is ours: %s", error)

    def _after_wrong_credential(self, refusal: Refusal) -> Retry:
        """One that has worked may work again; one that never did is wrong."""
        if self._credential.bearer_token is None and self._token is not None:
            self._token = None  # X may have ended a token that it gave; it is asked for another once.
            self._tokens_tried += 1
            if self._tokens_tried < 2:
                return Retry(0.0, "")
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
        return Retry(self._backoff.after_refusal(now, refusal, 0.0), str(refusal), "credential")

    def _after_invalid(self, refusal: Refusal) -> Retry:
        """Goes on without the fields that X names, rather than not at all."""
        left_out = fields.named(self._asked, refusal.parameters) - self._left_out
        if not left_out:
            raise ConfigError(
                f"X does not take the request (HTTP {refusal.status}: {refusal.detail}); correct the stream's settings"
            )
        self._left_out |= left_out
        log.error("X does not take %s: it is left out (%s)", _listed(left_out), refusal.detail)
        self._journal.write("fields", left_out=sorted(map("=".join, left_out)), detail=refusal.detail)
        return Retry(0.0, "")

    def _after_slot_taken(self, refusal: Refusal) -> Retry:
        try:
            holder = self._slot.release(self._requests())
        except (Refused, Dropped) as error:
            holder = f"the slot is taken; X did not say by whom: {error}"
        if holder is None:
            return Retry(RELEASED_WAIT, "own dead connection ended")
        return Retry(self._backoff.after_refusal(time.monotonic(), refusal, 0.0), holder)

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
            self._fail(error)


class _Session:
    """One connection, through tweepy's client."""

    def __init__(self, client: Client, *, sample: bool, asked: Mapping[str, object]) -> None:
        self._client = client
        self._sample = sample
        self._asked = asked
        self.finish, self.abort = client.finish, client.abort
        self.give_up_if_silent, self.unread = client.give_up_if_silent, client.unread

    @property
    def last_byte(self) -> float:
        """See `sfm_stream.sources.feed.Session`."""
        return self._client.last_byte

    @property
    def torn_bytes(self) -> int:
        """See `sfm_stream.sources.feed.Session`."""
        return self._client.torn_bytes

    def run(self) -> None:
        """See `sfm_stream.sources.feed.Session`."""
        (self._client.sample if self._sample else self._client.filter)(**self._asked)


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
