"""What a source is, as far as the core knows.

A source is a folder beside this file. The core asks `sfm_stream.sources.registry` for it by name and uses what is
described here; nothing outside `sources/` names one.

- `classify` tells from a line's bytes what it is; the capture and the salvage share it.
- A `Feed` is a stream's side of its source for the life of a program: what must be right before a connect, how long
  to wait after an end, which lines are kept.
- A `Session` is one connection, which yields raw lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sfm_stream.record.journal import Record
from sfm_stream.record.last_run import LastRun, Outage
from sfm_stream.record.status import Status
from sfm_stream.settings.faults import Fault

if TYPE_CHECKING:
    from sfm_stream.settings.declared import HostDefaults
    from sfm_stream.sources.rows import Rows


class LineKind(StrEnum):
    """What a line of a stream is."""

    POST = "post"
    DELETE = "delete"
    """A post, or all posts of an account, must go."""
    NOTICE = "notice"
    """The service speaks of the stream itself: a limit, an announced end."""
    OTHER = "other"
    """Nothing that this version knows."""


class Classified(NamedTuple):
    """What a source's `classify` tells of a line, from its bytes alone.

    Attributes:
        kind: What it is.
        id: The identity of the post that it carries or that goes; "" where it names none.
        position: Where it is in the source's own sequence; "" for sources without one.
        time: When the service sent it, by the service's clock; None where it does not say.
        key: Two lines with one key are the same event, delivered twice; "" where only `id` tells.
    """

    kind: LineKind
    id: str = ""
    position: str = ""
    time: datetime | None = None
    key: str = ""


class Features(NamedTuple):
    """What a summary of many lines counts of one; a source leaves empty what a line does not have.

    Attributes:
        kind: What it is, as `classify` has it.
        time: When the service says that it was posted, or sent.
        account: Whose it is, by what never changes: an id where the source has one.
        name: How people call that account; "" where the line does not say, or where `account` is it.
        langs: Languages as BCP 47 tags, in small letters: those that the service found, or that the author claims.
        tags: Hashtags without #, folded.
        links: The addresses that it links to, whole.
        partial: Whether parts of it are not as the source describes them, and were left out.
    """

    kind: LineKind
    time: datetime | None = None
    account: str = ""
    name: str = ""
    langs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    partial: bool = False


Classify = Callable[[bytes], Classified]
"""What a line is; of any bytes, without an exception."""


class Disposition(Enum):
    """What becomes of a line."""

    KEEP = "into the file"
    UNMATCHED = "counted"
    MESSAGE = "into the journal"


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
        reason: Why not now, in words.
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
        on_line: With each line; what it raises ends the connection and propagates.
    """

    on_open: Callable[[Mapping[str, str]], None]
    on_line: Callable[[bytes], None]


class Feed(Protocol):
    """A stream's side of its source. The methods are called in the connection's thread, but for `update`."""

    title: str
    """The source, as people call it."""

    @property
    def note(self) -> str:
        """What a person should know of the connection that stands, in words."""

    @property
    def announced(self) -> str | None:
        """The words with which the service said that it ends this connection."""

    @property
    def unmatched(self) -> int:
        """Lines that arrived and were not kept, since they match nothing."""

    def until_allowed(self, now: float) -> Retry:
        """How long to wait for the limits of connects; `now` is `time.monotonic`'s."""

    def prepare(self, by: str) -> None:
        """Sees to what must be right before a connect; `by` is ``start`` or ``reconnect``.

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
        """The connection stands; what the journal shall say of it."""

    def gap_fields(self) -> dict[str, object]:
        """What the journal shall say besides of the gap that this connection ends."""

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
        fail: Called with what no retry cures, from a thread of the feed's own.
    """

    state_dir: Path | None
    journal: Record
    last_run: LastRun
    fail: Callable[[BaseException], None]


class Inventory(Protocol):
    """A source's part of an inventory. It is used on the controller alone, and no capture loads it."""

    filter: type[Any]
    """The type of an entry of ``sfm_filters``; a `sfm_stream.settings.declared.DeclaredFilter`."""
    variables: type[Any]
    """The source's own variables of a host; each key is ``sfm_`` and the attribute's name."""

    @property
    def credential(self) -> type[Any] | None:
        """The type of a value of ``sfm_credentials``, a `DeclaredCredential`; None for a source that needs none."""

    exclusive: str
    """Why no two active streams may share a credential, and what to do; "" where they may."""

    def faults(self, declared: Any, where: str) -> Iterator[Fault]:  # noqa: ANN401
        """What is wrong with an entry besides what `Source.faults` finds in the settings that come of it."""

    def stream(self, declared: Any, defaults: HostDefaults) -> Any:  # noqa: ANN401
        """The settings of an entry's stream."""

    def other_streams(self, defaults: HostDefaults) -> Iterator[tuple[str, Any]]:
        """Streams that are no filters, each with the variable that declares it."""

    def warnings(self, stream: Any, where: str) -> Iterator[Fault]:  # noqa: ANN401
        """What may not be as it was meant, though it can be deployed."""

    def service_refusals(self, stream: Any, secret: Any) -> list[str]:  # noqa: ANN401
        """What the service itself has against the stream, which it is asked for; a line each."""


class Traits(NamedTuple):
    """What a person should know of a source before choosing it, each in a few words.

    Attributes:
        needs: What to have before the first post comes.
        gaps: What becomes of posts sent while no connection stood.
        deletions: Whether it tells that a post was deleted.
        costs: What a post costs.
    """

    needs: str
    gaps: str
    deletions: str
    costs: str


class Source(Protocol):
    """A live service that posts come from."""

    name: str
    """As the inventory and the settings name it."""
    title: str
    """As people call it."""
    silence: float
    """Seconds after which a connection from which nothing came is in trouble."""
    settings: type[Any]
    """The type of a stream's settings; a `sfm_stream.settings.model.StreamSettings`."""
    traits: Traits
    """What ``sfm-stream sources`` shows."""

    @property
    def credential(self) -> type[Any] | None:
        """The type of a credential file, a `settings.model.Credential`; None for a source that needs none."""

    def inventory(self) -> Inventory:
        """Its part of an inventory."""

    def faults(self, stream: Any, where: str, *, whole: bool = True) -> Iterator[Fault]:  # noqa: ANN401
        """All that would keep a stream from running.

        Args:
            stream: Its settings.
            where: How a fault names it.
            whole: False where parts were at fault and left out: that it says nothing to match is no fault of its own.
        """

    def credential_faults(self, credential: Any, where: str) -> Iterator[Fault]:  # noqa: ANN401
        """What is wrong with a secret, without showing it."""

    def rules(self, stream: Any) -> list[tuple[str, str]]:  # noqa: ANN401
        """What a stream matches, each part with a name; none where it takes everything."""

    charges_lookups: bool
    """Whether asking for the ids of accounts costs money."""

    def account_names(self, stream: Any) -> list[str]:  # noqa: ANN401
        """The accounts that a stream follows by name, as `StreamSettings.accounts` has them."""

    def look_up_accounts(
        self,
        stream: Any,  # noqa: ANN401
        credential: Any,  # noqa: ANN401
        names: Sequence[str],
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The ids of accounts by their names, and of the others why they have none.

        Raises:
            SfmError, Refused, Dropped: The source could not be asked.
        """

    def check_rules(self, stream: Any, credential: Any) -> str:  # noqa: ANN401
        """Has the source judge what a stream asks of it, without taking it; says how much that is.

        Raises:
            UsageError: The source judges nothing: all is matched on this host.
            SfmError: It refuses, or could not be asked.
        """

    def in_force_fault(self, stream: Any, live: Status, now: datetime) -> str:  # noqa: ANN401
        """What is wrong with what is in force at the source, while a stream is connected; "" where nothing is."""

    def test_rules(self, stream: Any, posts: Iterable[bytes]) -> str:  # noqa: ANN401
        """What a stream would have kept of recorded lines, for a person."""

    def without_live_settings(self, stream: Any) -> Any:  # noqa: ANN401
        """The settings without what `Feed.update` takes up: where two differ in these, a program must restart."""

    def with_account_ids(self, stream: Any) -> Any:  # noqa: ANN401
        """The settings with the ids of accounts in the place of their names, as far as these are resolved."""

    def classify(self, line: bytes) -> Classified:
        """What a line is; pure, and without an exception for any bytes."""

    def matcher(self, query: str) -> Callable[[bytes], bool]:
        """Whether a line is a post that matches a query in the source's own language.

        Raises:
            UsageError: It is no such query.
        """

    def rows(self) -> Rows:
        """Its table: a post as a row, for reading, exports and reports."""

    def features(self, line: bytes) -> Features:
        """What a summary counts of a line; pure, and without an exception for any bytes."""

    def feed(self, stream: Any, credential: Any, context: Context) -> Feed:  # noqa: ANN401 - each source has its own
        """A stream's side of this source."""
