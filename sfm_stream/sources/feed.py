"""How a stream is connected to its source: the feed of a program, and the session of each connection.

- A `Feed` lives as long as its program: what must be right before a connect, how long to wait after an end, which
  lines are kept. It holds whatever outlives a connection.
- A `Session` is one connection, which yields raw lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sfm_stream.record.journal import Record
from sfm_stream.record.last_run import LastRun, Outage
from sfm_stream.record.status import Status
from sfm_stream.sources.lines import Classified, Disposition


class Position(NamedTuple):
    """How far a stream has come in a source's sequence.

    Attributes:
        text: As the source wants it back.
        time: When the service sent what is there; None where it did not say.
    """

    text: str
    time: datetime | None


class Replay(Enum):
    """What a connection brings of the time before it."""

    NONE = "nothing"
    ALL = "all since the position"
    UNKNOWN = "the first line tells"


class Retry(NamedTuple):
    """When to try again.

    Attributes:
        seconds: After which time.
        reason: Why not now.
        state: What the live status says meanwhile.
    """

    seconds: float
    reason: str
    state: str = "waiting"


class Dropped(Exception):  # noqa: N818 - nothing is at fault here
    """A connection ended, or could not be made.

    Attributes:
        end: How, in the words of the journal.
        detail: What the system or the service said of it, in at most `REASON` characters.
        at_once: Whether the service asked for another connection without a wait, as where it restarts.
        renewal: Whether the service ends every connection after a while: no failure, and no gap where it replays.
    """

    REASON = 300

    def __init__(self, end: str, detail: str = "", *, at_once: bool = False, renewal: bool = False) -> None:
        detail = " ".join(detail.split())[: self.REASON]
        super().__init__(f"{end}: {detail}" if detail else str(end))
        self.end = end
        self.detail = detail
        self.at_once = at_once
        self.renewal = renewal


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The service answered, and did not grant the request.

    Attributes:
        reason: In the words of the journal.
        status: The HTTP status; None where it was not refused by one.
        detail: The service's own words, up to 300 characters.
        retry_after: Seconds that it asks to wait; 0 where it does not.
        changes_cause: Whether the gap has another cause from now on, as where somebody must pay first.
    """

    def __init__(
        self,
        reason: str,
        status: int | None = None,
        detail: str = "",
        retry_after: float = 0.0,
        *,
        changes_cause: bool = False,
    ) -> None:
        super().__init__(f"{reason}{f' (HTTP {status})' if status else ''}{f': {detail}' if detail else ''}")
        self.reason = reason
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.changes_cause = changes_cause


class Session(Protocol):
    """One connection. `run` belongs to one thread; the other methods may be called from any."""

    @property
    def last_byte(self) -> float:
        """When anything last arrived, in seconds since 1970; 0 before the connection stands."""

    @property
    def torn_bytes(self) -> int:
        """Bytes of an incomplete last line, once the connection has ended, that will not come again."""

    def run(self) -> None:
        """Connects and receives; returns when `finish` or `abort` asked for the end, and raises whatever else ended it.

        Raises:
            Refused: The service did not grant the connection.
            Dropped: It ended, or could not be made.
        """

    def finish(self) -> None:
        """Asks for the end; what is under way, and would not be replayed, is still received."""

    def abort(self) -> None:
        """Ends at once."""

    def give_up_if_silent(self, now: float) -> None:
        """Ends a dead connection; `now` is `time.monotonic`'s. Called often."""

    def unread(self) -> int:
        """Bytes that have arrived at this host, were not read, and will not come again."""


class Handlers(NamedTuple):
    """What a session calls.

    Attributes:
        on_open: When the connection stands, with the headers of the answer.
        on_lines: With lines that came together, at least one, in their order; what it raises ends the connection and
            propagates. What a line costs on its way to the disk is less where many go together.
    """

    on_open: Callable[[Mapping[str, str]], None]
    on_lines: Callable[[Sequence[bytes]], None]


class Feed(Protocol):
    """A stream's side of its source. The methods are called in the connection's thread, but for `update`."""

    title: str
    """The source, as people call it."""

    @property
    def note(self) -> str:
        """What a person should know of the connection that stands."""

    @property
    def announced(self) -> str | None:
        """The words with which the service said that it ends this connection."""

    @property
    def unmatched(self) -> int:
        """Lines that arrived and were not kept, since they match nothing."""

    def until_allowed(self, now: float) -> Retry:
        """How long to wait for the limits of connects; `now` is `time.monotonic`'s."""

    def prepare(self, by: str) -> None:
        """Prepares what must be right before a connect; `by` is ``start`` or ``reconnect``.

        Raises:
            Refused, Dropped: It is not, for now.
            SfmError: It never will be.
        """

    def session(self, handlers: Handlers, outage: Outage | None, position: Position | None) -> Session:
        """The next connection.

        Args:
            handlers: What it calls.
            outage: The gap that it ends.
            position: From where to go on.
        """

    def opened(self, headers: Mapping[str, str]) -> dict[str, object]:
        """The connection stands; what the journal is to say of it."""

    def gap_fields(self) -> dict[str, object]:
        """What the journal is to say besides of the gap that this connection ends."""

    def replay(self) -> Replay:
        """What the connection that has just been made brings of the time before it."""

    def covered_since(self, position: Position, first: datetime) -> datetime | None:
        """After `Replay.UNKNOWN`: since when the replay covers, by the time of the first line; None for all of it."""

    def take(self, line: bytes) -> tuple[Classified, Disposition]:
        """What a line is, and what becomes of it."""

    def restore(self, line: bytes) -> None:
        """A line that the last run had kept, told before the first connect; of those sent after the position."""

    def ended(self) -> None:
        """The connection is no more."""

    def after_drop(self, dropped: Dropped, *, held: float | None) -> float:
        """Seconds to wait; `held` is how long the connection stood, None where it was not made."""

    def after_refusal(self, refused: Refused) -> Retry:
        """What to do.

        Raises:
            SfmError: No retry can help.
        """

    def update(self, stream: Any) -> None:  # noqa: ANN401 - each source has its own
        """Takes up other rules, without dropping the connection. From another thread."""

    def tick(self) -> None:
        """Does what may wait for the disk; in the writer's thread, often."""

    def fill_status(self, live: Status) -> None:
        """Puts what it knows into the live status."""


class Context(NamedTuple):
    """What a feed is given of the program.

    Attributes:
        state_dir: Where it may keep records of its own; None where nothing is to be kept.
        journal: Told of what happens.
        last_run: What the last run of the program left.
        fail: Called with what no retry can fix, from a thread of the feed's own.
        kept: Gives all lines that the program has kept, oldest first, for a feed that has lost what it knew of them; it
            gets a function that gets each file or directory that cannot be read.
    """

    state_dir: Path | None
    journal: Record
    last_run: LastRun
    fail: Callable[[BaseException], None]
    kept: Callable[[Callable[[str], None]], Iterator[bytes]] = lambda _report: iter(())
