"""What an inventory says of Wikimedia's streams, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from sfm_stream.settings.declared import DeclaredFilter, HostDefaults
from sfm_stream.settings.faults import Fault
from sfm_stream.settings.model import Budget, Credential, Positive
from sfm_stream.sources.wikimedia.settings import URL, WikimediaStream


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a filter may keep; None sets no limit. Wikimedia charges nothing, but disks fill.

    Attributes:
        per_minute: Events in any 60 seconds; more of them stop the stream until the next full hour.
        per_day: Events a day of UTC.
    """

    per_minute: Positive | None = None
    per_day: Positive | None = None


class Filter(DeclaredFilter, frozen=True, kw_only=True):
    """An entry of ``sfm_filters``; see `WikimediaStream` for what its keys mean."""

    source: Literal["wikimedia"]
    streams: tuple[str, ...] = ("recentchange",)
    wikis: tuple[str, ...] = ()
    namespaces: tuple[int, ...] = ()
    titles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    track: tuple[str, ...] = ()
    bots: bool | None = None
    everything: bool = False
    budget: Limits = Limits()
    url: str = URL


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """No variables of a host concern Wikimedia alone."""


class _Inventory:
    filter = Filter
    variables = Variables
    credential = None
    exclusive = ""

    def faults(self, declared: Filter, where: str) -> Iterator[Fault]:  # noqa: ARG002
        """See `sfm_stream.sources.base.Inventory`: none."""
        return iter(())

    def stream(self, declared: Filter, defaults: HostDefaults) -> WikimediaStream:
        """See `sfm_stream.sources.base.Inventory`."""
        limits = declared.budget
        return WikimediaStream(
            **defaults.common(declared),
            name=declared.name,
            streams=declared.streams,
            wikis=declared.wikis,
            namespaces=declared.namespaces,
            titles=declared.titles,
            users=declared.users,
            track=declared.track,
            bots=declared.bots,
            everything=declared.everything,
            budget=Budget(per_minute=limits.per_minute, per_day=limits.per_day, price=0.0),
            url=declared.url,
            contact=defaults.host.contact,
        )

    def other_streams(self, defaults: HostDefaults) -> Iterator[tuple[str, WikimediaStream]]:  # noqa: ARG002
        """See `sfm_stream.sources.base.Inventory`: none."""
        return iter(())

    def warnings(self, stream: WikimediaStream, where: str) -> Iterator[Fault]:  # noqa: ARG002
        """See `sfm_stream.sources.base.Inventory`: none."""
        return iter(())

    def service_refusals(self, stream: WikimediaStream, secret: Credential) -> list[str]:  # noqa: ARG002
        """See `sfm_stream.sources.base.Inventory`: the service holds nothing that it could refuse."""
        return []


INVENTORY = _Inventory()
