"""What an inventory says of Bluesky's streams, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from sfm_stream.settings.declared import DeclaredFilter, HostDefaults
from sfm_stream.settings.faults import Fault
from sfm_stream.settings.model import Budget, Credential, Positive
from sfm_stream.sources.bluesky.events import POSTS
from sfm_stream.sources.bluesky.settings import HOSTS, BlueskyStream


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a filter may keep; None sets no limit. Bluesky charges nothing, but disks fill.

    Attributes:
        per_minute: Posts in any 60 seconds; more of them stop the stream until the next full hour.
        per_day: Posts a day of UTC.
    """

    per_minute: Positive | None = None
    per_day: Positive | None = None


class Filter(DeclaredFilter, frozen=True, kw_only=True):
    """An entry of ``sfm_filters``; see `BlueskyStream` for what its keys mean."""

    source: Literal["bluesky"]
    track: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    query: str | None = None
    langs: tuple[str, ...] = ()
    collections: tuple[str, ...] = (POSTS,)
    everything: bool = False
    budget: Limits = Limits()


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """The variables of a host that concern Bluesky alone; each key is ``sfm_`` and the attribute's name."""

    bluesky_hosts: tuple[str, ...] = HOSTS
    bluesky_wire: Literal[1, 2] = 2


class _Inventory:
    filter = Filter
    variables = Variables
    credential = None
    exclusive = ""

    def faults(self, declared: Filter, where: str) -> Iterator[Fault]:  # noqa: ARG002
        """See `sfm_stream.sources.base.Inventory`: none."""
        return iter(())

    def stream(self, declared: Filter, defaults: HostDefaults) -> BlueskyStream:
        """See `sfm_stream.sources.base.Inventory`."""
        limits = declared.budget
        return BlueskyStream(
            **defaults.common(declared),
            name=declared.name,
            track=declared.track,
            tags=declared.tags,
            follow=declared.follow,
            query=declared.query,
            langs=declared.langs,
            collections=declared.collections,
            everything=declared.everything,
            budget=Budget(per_minute=limits.per_minute, per_day=limits.per_day, price=0.0),
            hosts=defaults.own.bluesky_hosts,
            wire=defaults.own.bluesky_wire,
            contact=defaults.host.contact,
        )

    def other_streams(self, defaults: HostDefaults) -> Iterator[tuple[str, BlueskyStream]]:  # noqa: ARG002
        """See `sfm_stream.sources.base.Inventory`: none."""
        return iter(())

    def warnings(self, stream: BlueskyStream, where: str) -> Iterator[Fault]:  # noqa: ARG002
        """See `sfm_stream.sources.base.Inventory`: none."""
        return iter(())

    def service_refusals(self, stream: BlueskyStream, secret: Credential) -> list[str]:  # noqa: ARG002
        """See `sfm_stream.sources.base.Inventory`: Bluesky holds nothing that it could refuse."""
        return []


INVENTORY = _Inventory()
