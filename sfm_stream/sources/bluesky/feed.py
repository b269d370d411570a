"""A stream's side of Bluesky: hosts in turn, cursors, what is kept, and the deletions of what was."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from sfm_stream import clock
from sfm_stream.errors import ConfigError
from sfm_stream.record.last_run import Outage
from sfm_stream.sources.bluesky.events import TIME_CURSOR, Event, classified, microseconds, read
from sfm_stream.sources.bluesky.held_posts import HeldPosts, NoHeldPosts
from sfm_stream.sources.bluesky.selection import Selection, dids
from sfm_stream.sources.bluesky.session import CursorTooOldError, Request, Session
from sfm_stream.sources.bluesky.settings import BlueskyStream
from sfm_stream.sources.feed import Context, Dropped, Handlers, Position, Refused, Replay, Retry
from sfm_stream.sources.host_matched import HostMatchedFeed
from sfm_stream.sources.lines import Classified, Disposition, LineKind
from sfm_stream.sources.reconnect import ReconnectBackoff
from sfm_stream.sources.tls import tls_context

OVERLAP = timedelta(seconds=5)
"""How far a time cursor goes back before the position: two hosts do not agree to the microsecond."""
WINDOW = timedelta(hours=35)
"""Hosts replay 36 hours by default."""
MARGIN = timedelta(seconds=1)
"""A host that has what was asked for begins before the position, or with it. One whose first event is so much later
has moved the cursor up: account events of the whole network come with every stream, and the network never pauses."""
HELD = 5.0
"""Seconds that a connection must have stood for the next to follow without a wait, where the host asks for that."""
REBUILD_GLANCE = 0.5
"""Seconds between two looks at whether the index of held posts is complete."""
ATTEMPTS = 3
"""Failures in a row after which the next host is tried."""

log = logging.getLogger(__name__)


class BlueskyFeed(HostMatchedFeed):
    """See `sfm_stream.sources.feed.Feed`."""

    def __init__(self, stream: BlueskyStream, context: Context) -> None:
        super().__init__()
        self.title = "Bluesky"
        self._stream = stream
        self._context = context
        self._selection = Selection(stream)
        self._held: HeldPosts | NoHeldPosts = NoHeldPosts()
        if context.state_dir is not None:
            self._held = HeldPosts(context.state_dir / "held" / f"{stream.program}.sqlite")
        self._rebuild: threading.Thread | None = None
        if stream.everything:
            self._held.set_complete(complete=False)  # all deletions are kept, and no post is entered
        elif not self._held.is_complete:
            self._rebuild = threading.Thread(target=self._rebuild_index, name="held posts", daemon=True)
            self._rebuild.start()
        self._backoff = ReconnectBackoff()
        self._host = 0
        self._session: _Session | None = None
        self._tls = tls_context()

    @property
    def note(self) -> str:
        """The host."""
        return self._session.request.host if self._session is not None else ""

    def until_allowed(self, now: float) -> Retry:  # noqa: ARG002 - no limit of connects is documented
        """At once, unless the index is being made again: without it, deletions would pass by unrecognized.

        Waiting loses nothing while it takes less than the hosts' window: they replay what was sent meanwhile.
        """
        if self._rebuild is not None:
            self._rebuild.join(REBUILD_GLANCE)
            if self._rebuild.is_alive():
                return Retry(REBUILD_GLANCE, "reading the files of this stream again, to know deletions of its posts")
            self._rebuild = None
        return Retry(0.0, "")

    def session(self, handlers: Handlers, outage: Outage | None, position: Position | None) -> _Session:  # noqa: ARG002
        """The next connection, to the host whose turn it is."""
        self.announced = None
        stream = self._stream
        # Each host numbers its events by itself: a cursor of one means nothing to the next, so a time stands in for it.
        host = stream.hosts[self._host % len(stream.hosts)]
        cursor, exact = _cursor(position, host, stream.wire)
        request = Request(
            host=host,
            wire=stream.wire,
            collections=stream.collections,
            dids=dids(stream) if stream.follows_alone else (),
            cursor=cursor,
            contact=stream.contact,
        )
        self._session = _Session(request, handlers, self._tls, exact=exact)
        return self._session

    def opened(self, headers: Mapping[str, str]) -> dict[str, object]:  # noqa: ARG002
        """Which host, and from where."""
        request = self._request
        return {"endpoint": "jetstream", "host": request.host, "cursor": request.cursor}

    def replay(self) -> Replay:
        """The first event tells: a host that was set up again under its name accepts numbers it has not reached."""
        if self._session is not None and self._session.exact and self._request.accounts_on_host:
            return Replay.ALL  # a few accounts may say nothing for hours
        return Replay.UNKNOWN

    def covered_since(self, position: Position, first: datetime) -> datetime | None:
        """An old cursor is moved up, without a word on the older wire."""
        if position.time is None:
            return first
        if self._request.accounts_on_host and clock.now() - position.time < WINDOW and not self._moved:
            return None  # a few accounts may say nothing for hours
        return first if first - position.time > MARGIN else None

    def take(self, line: bytes) -> tuple[Classified, Disposition]:
        """Keeps what matches, and deletions of what is held."""
        event = read(line)
        # What cannot be read is kept in the journal: it may be a kind of event that is newer than this program.
        if event is None or b"\n" in line:  # a file's line cannot hold one
            return Classified(LineKind.OTHER), Disposition.MESSAGE
        found = classified(event)
        if event.seq:
            found = found._replace(position=f"{event.seq} {self._request.host}")
        if found.kind is LineKind.NOTICE:
            if event.kind == "error":
                self.announced = f"{event.status}: {event.message}"
            return found, Disposition.MESSAGE
        # After the position is known: what is not kept moves it on as well.
        if self._is_wanted(event, found.kind):
            return found, Disposition.KEEP
        return found, Disposition.UNMATCHED

    def restore(self, line: bytes) -> None:
        """The index of what is held may lack what was kept just before a kill."""
        event = read(line)
        if event is not None and classified(event).kind is LineKind.POST:
            self._held.add(event.did, f"{event.collection}/{event.rkey}")

    def _rebuild_index(self) -> None:
        """Enters all posts that the program has kept; in a thread of its own."""
        unreadable: list[str] = []
        try:
            for line in self._context.kept(unreadable.append):
                self.restore(line)
            self._held.set_complete(complete=True)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the main thread raises it
            self._context.fail(error)
        for each in unreadable:
            log.error("%s; deletions of posts in it are not recognized", each)

    def after_drop(self, dropped: Dropped, *, held: float | None) -> float:
        """At once where the host restarts; otherwise with backoff, and to the next host after some failures."""
        wait = self._backoff.after_end(held)
        # A host that accepts and restarts again and again would be asked in a tight loop.
        if dropped.at_once and (held or 0.0) >= HELD:
            return 0.0
        self._turn()
        return wait

    def after_refusal(self, refused: Refused) -> Retry:
        """A request that is wrong stays wrong; anything else passes."""
        if refused.status == 400 and refused.reason == "InvalidRequest":
            raise ConfigError(f"{self._request.host} does not take the request: {refused.detail}")
        wait = self._backoff.after_end(None, refused.retry_after)
        self._turn()
        return Retry(wait, str(refused))

    def update(self, stream: BlueskyStream) -> None:
        """Matches by other settings from now on; collections and accounts on the host wait for the next connection."""
        self._stream, self._selection = stream, Selection(stream)

    def tick(self) -> None:
        """Keeps the index."""
        self._held.commit()

    @property
    def _request(self) -> Request:
        assert self._session is not None, "asked before the first connection"  # noqa: S101
        return self._session.request

    @property
    def _moved(self) -> bool:
        return self._session is not None and self._session.moved

    def _is_wanted(self, event: Event, kind: LineKind) -> bool:
        if event.kind == "account":
            return self._stream.everything or self._held.holds(event.did)
        if not self._selection.has_collection(event):
            return False
        if kind is LineKind.DELETE:
            return self._stream.everything or self._held.holds(event.did, f"{event.collection}/{event.rkey}")
        if self._stream.everything:
            return True
        if self._selection.matches(event):
            self._held.add(event.did, f"{event.collection}/{event.rkey}")
            return True
        # A post that was edited and no longer matches is still the post that is held.
        if event.operation == "update" and self._held.holds(event.did, f"{event.collection}/{event.rkey}"):
            return True
        self.unmatched += 1
        return False

    def _turn(self) -> None:
        # Not at the first failure: a host that restarts is back sooner than another one has its cursor found.
        if self._backoff.failures % ATTEMPTS == 0:
            self._host += 1


class _Session(Session):
    """A session that goes on from the oldest event where the host has none older."""

    def __init__(self, request: Request, handlers: Handlers, tls: ssl.SSLContext, *, exact: bool) -> None:
        super().__init__(request, handlers.on_open, handlers.on_lines, tls)
        self.exact = exact
        self.moved = False
        """Whether the host had nothing from the cursor on, so that another was asked for."""

    def run(self) -> None:
        """See `sfm_stream.sources.feed.Session`."""
        try:
            super().run()
        except CursorTooOldError as error:
            log.error("%s has nothing left from the cursor %s on: %s", self.request.host, self.request.cursor, error)
            self.moved, self.exact = True, False
            # A time so old is moved up to the oldest event; the oldest number could be too old again a moment later.
            self.request = msgspec.structs.replace(self.request, cursor=str(TIME_CURSOR))
            super().run()

    def unread(self) -> int:
        """Nothing that would not come again."""
        return 0


def _cursor(position: Position | None, host: str, wire: int) -> tuple[str | None, bool]:
    """The cursor for a position, and whether it is one of the host's own sequence."""
    if position is None:
        return None, False
    number, _, origin = position.text.partition(" ")
    if wire == 2 and origin == host:
        return number, True
    if position.time is None:
        return None, False
    return str(microseconds(position.time - OVERLAP)), False
