"""A stream's side of EventStreams: positions, renewals, what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sfm_stream.errors import ConfigError
from sfm_stream.record.last_run import Outage
from sfm_stream.sources.feed import Dropped, Handlers, Position, Refused, Replay, Retry
from sfm_stream.sources.host_matched import HostMatchedFeed
from sfm_stream.sources.lines import Classified, Disposition, LineKind
from sfm_stream.sources.reconnect import ReconnectBackoff
from sfm_stream.sources.wikimedia.events import classified, read
from sfm_stream.sources.wikimedia.selection import Selection
from sfm_stream.sources.wikimedia.session import Request, Session
from sfm_stream.sources.wikimedia.settings import WikimediaStream

MARGIN = timedelta(seconds=120)
"""A first event so much later than the position means that the service has forgotten it; it says nothing of that."""
LIMITED = 60.0
"""Seconds after an answer of 429: too many connections from one address."""


class WikimediaFeed(HostMatchedFeed):
    """See `sfm_stream.sources.feed.Feed`."""

    def __init__(self, stream: WikimediaStream) -> None:
        super().__init__()
        self.title = "Wikimedia"
        self.note = ""
        self._stream = stream
        self._selection = Selection(stream)
        self._backoff = ReconnectBackoff()
        self._session: Session | None = None

    def session(self, handlers: Handlers, outage: Outage | None, position: Position | None) -> Session:  # noqa: ARG002
        """The next connection."""
        stream = self._stream
        request = Request(
            url=stream.url,
            streams=stream.streams,
            contact=stream.contact,
            position=position.text if position is not None else "",
        )
        self._session = Session(request, handlers)
        return self._session

    def opened(self, headers: Mapping[str, str]) -> dict[str, object]:  # noqa: ARG002
        """Which streams."""
        return {"endpoint": ",".join(self._stream.streams)}

    def replay(self) -> Replay:
        """The first event tells."""
        return Replay.UNKNOWN

    def covered_since(self, position: Position, first: datetime) -> datetime | None:
        """A position that is gone is ignored without a word."""
        return first if position.time is None or first - position.time > MARGIN else None

    def take(self, line: bytes) -> tuple[Classified, Disposition]:
        """Keeps what matches; a canary is a sign of life."""
        event = read(line)
        if event is None:
            return Classified(LineKind.OTHER), Disposition.MESSAGE
        found = classified(event)
        if self._session is not None:
            found = found._replace(position=self._session.position)
        if event.is_canary:
            return found, Disposition.UNMATCHED
        if self._selection.matches(event):
            return found, Disposition.KEEP
        self.unmatched += 1
        return found, Disposition.UNMATCHED

    def after_drop(self, dropped: Dropped, *, held: float | None) -> float:
        """At once where the connection is renewed."""
        wait = self._backoff.after_end(held)
        return 0.0 if dropped.renewal else wait

    def after_refusal(self, refused: Refused) -> Retry:
        """A client that is not wanted will not be; anything else passes."""
        if refused.status == 403 and "user-agent" in refused.detail.lower():
            raise ConfigError(f"Wikimedia refuses this client; see that sfm_contact reaches you: {refused.detail}")
        if refused.status in (400, 404):
            raise ConfigError(f"Wikimedia has no such stream: {refused.detail}")
        asked = max(refused.retry_after, LIMITED if refused.status == 429 else 0.0)
        return Retry(self._backoff.after_end(None, asked), str(refused))

    def update(self, stream: WikimediaStream) -> None:
        """Matches by other settings from now on."""
        self._stream, self._selection = stream, Selection(stream)
