"""What a source is, as far as the core knows.

A source is a folder beside this file. The core asks `sfm_stream.sources.registry` for it by name and uses what is
described here; nothing outside `sources/` names one. What its lines are stands in `sfm_stream.sources.lines`, how it
is connected to in `sfm_stream.sources.feed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sfm_stream.record.status import Status
from sfm_stream.settings.faults import Fault
from sfm_stream.sources.feed import Context, Feed
from sfm_stream.sources.lines import Classified, Features

if TYPE_CHECKING:
    from sfm_stream.settings.declared import DeclaredStream, HostDefaults
    from sfm_stream.sources.rows import Rows


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

    def other_streams(self, defaults: HostDefaults) -> Iterator[tuple[str, DeclaredStream, Any]]:
        """Streams that are no filters, each with the variable that declares it, and with what that says."""

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

    def estimate(self, stream: Any, credential: Any, days: float) -> str:  # noqa: ANN401
        """What the source says that a stream will bring and cost in so many days, for a person.

        Raises:
            UsageError: The source counts nothing.
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

    def twarc_rows(self) -> Rows | None:
        """The same with the columns of twarc-csv; None for posts that are none of X's, which that does not know."""

    def features(self, line: bytes) -> Features:
        """What a summary counts of a line; pure, and without an exception for any bytes."""

    def feed(self, stream: Any, credential: Any, context: Context) -> Feed:  # noqa: ANN401 - each source has its own
        """A stream's side of this source."""
