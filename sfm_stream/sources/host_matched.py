"""What sources have in common that stream everything, or more than was asked for, and are matched on this host.

Their services charge nothing, need no secret, hold no rules of ours, and replay from a position. Each class leaves to
the source what is its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, get_type_hints

import msgspec

from sfm_stream.errors import UsageError
from sfm_stream.record.status import Status
from sfm_stream.settings.declared import DeclaredFilter, HostDefaults
from sfm_stream.settings.faults import Fault
from sfm_stream.settings.model import Budget, Positive, StreamSettings
from sfm_stream.sources.feed import Retry


class VolumeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a filter may keep; None sets no limit. The posts cost nothing, but disks fill.

    Attributes:
        per_minute: Posts in any 60 seconds; more of them stop the stream until the next full hour.
        per_day: Posts a day of UTC.
    """

    per_minute: Positive | None = None
    per_day: Positive | None = None

    @property
    def budget(self) -> Budget:
        """The same as the settings have it."""
        return Budget(per_minute=self.per_minute, per_day=self.per_day, price=0.0)


class NoVariables(msgspec.Struct, frozen=True, kw_only=True):
    """Of a source that no variable of a host concerns alone."""


class HostMatchedSource:
    """See `sfm_stream.sources.base.Source`."""

    title: str
    credential = None
    charges_lookups = False

    def credential_faults(self, credential: Any, where: str) -> Iterator[Fault]:  # noqa: ANN401, ARG002
        """None: there is no secret."""
        return iter(())

    def account_names(self, stream: Any) -> list[str]:  # noqa: ANN401, ARG002
        """None, unless the source resolves names to ids."""
        return []

    def look_up_accounts(
        self,
        stream: Any,  # noqa: ANN401, ARG002
        credential: Any,  # noqa: ANN401, ARG002
        names: Sequence[str],  # noqa: ARG002
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Finds none, unless the source resolves names to ids."""
        return {}, {}

    def check_rules(self, stream: Any, credential: Any) -> str:  # noqa: ANN401, ARG002
        """Is refused: the service is asked for nothing but the stream."""
        raise UsageError(f"{self.title} checks no filters: what {stream.name!r} asks for is matched on this host")

    def estimate(self, stream: Any, credential: Any, days: float) -> str:  # noqa: ANN401, ARG002
        """Is refused: the service counts nothing, and charges nothing."""
        raise UsageError(
            f"{self.title} counts no posts, and charges for none: give recorded ones with --posts to see how many "
            f"{stream.name!r} keeps"
        )

    def in_force_fault(self, stream: Any, live: Status, now: datetime) -> str:  # noqa: ANN401, ARG002
        """None: the service holds nothing of ours."""
        return ""

    def with_account_ids(self, stream: Any) -> Any:  # noqa: ANN401
        """The settings as they are: ids stand beside the names, where there are any."""
        return stream


class HostMatchedInventory:
    """See `sfm_stream.sources.base.Inventory`.

    Args:
        settings: The type of the source's settings. Types and defaults of what a filter may say are declared there.
        keys: Those of its attributes that an entry of ``sfm_filters`` may give.
        variables: The source's own variables of a host, with the attributes of `settings` that they set.
    """

    credential = None
    exclusive = ""

    def __init__(
        self,
        settings: type[StreamSettings],
        keys: Sequence[str],
        variables: type[msgspec.Struct] = NoVariables,
        **of_variables: str,
    ) -> None:
        self.filter: type[Any] = _filter(settings, keys)
        self.variables: type[Any] = variables
        self._settings, self._keys, self._of_variables = settings, tuple(keys), of_variables

    def stream(self, declared: Any, defaults: HostDefaults) -> Any:  # noqa: ANN401 - as typed by `settings`
        """The settings of an entry's stream."""
        own = {key: getattr(declared, key) for key in self._keys}
        own |= {key: getattr(defaults.own, variable) for key, variable in self._of_variables.items()}
        own["contact"] = defaults.host.contact
        return self._settings(**defaults.common(declared), name=declared.name, budget=declared.budget.budget, **own)

    def faults(self, declared: Any, where: str) -> Iterator[Fault]:  # noqa: ANN401, ARG002
        """None besides those of the settings."""
        return iter(())

    def other_streams(self, defaults: HostDefaults) -> Iterator[tuple[str, Any, Any]]:  # noqa: ARG002
        """None: all streams are filters."""
        return iter(())

    def warnings(self, stream: Any, where: str) -> Iterator[Fault]:  # noqa: ANN401, ARG002
        """None."""
        return iter(())

    def service_refusals(self, stream: Any, secret: Any) -> list[str]:  # noqa: ANN401, ARG002
        """None: the service holds nothing that it could refuse."""
        return []


def _filter(settings: type[StreamSettings], keys: Sequence[str]) -> type[Any]:
    """The type of an entry of ``sfm_filters``: what every filter may say, and `keys` as they are declared."""
    hints, known = get_type_hints(settings, include_extras=True), {f.name: f for f in msgspec.structs.fields(settings)}
    own: list[Any] = [
        (key, hints[key]) if known[key].required else (key, hints[key], known[key].default) for key in keys
    ]
    return msgspec.defstruct(
        "Filter",
        [("source", hints["source"]), *own, ("budget", VolumeLimits, VolumeLimits())],
        bases=(DeclaredFilter,),
        frozen=True,
        kw_only=True,
    )


class HostMatchedFeed:
    """See `sfm_stream.sources.feed.Feed`."""

    def __init__(self) -> None:
        self.announced: str | None = None
        self.unmatched = 0

    def until_allowed(self, now: float) -> Retry:  # noqa: ARG002
        """At once: the service documents no limit of connects."""
        return Retry(0.0, "")

    def prepare(self, by: str) -> None:
        """Does nothing: there are no rules to bring about before a connect."""

    def gap_fields(self) -> dict[str, object]:
        """None."""
        return {}

    def restore(self, line: bytes) -> None:
        """Does nothing, unless the feed keeps an index of what was kept."""

    def ended(self) -> None:
        """Does nothing."""

    def tick(self) -> None:
        """Does nothing, unless the feed keeps an index."""

    def fill_status(self, live: Status) -> None:
        """Adds nothing."""
