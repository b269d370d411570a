"""What a filter and a host of an inventory may say of Bluesky streams; `BlueskyStream` says what each key means."""

from __future__ import annotations

import msgspec

from sfm_stream.sources.bluesky.settings import HOSTS, WIRE, BlueskyStream, Wire
from sfm_stream.sources.host_matched import HostMatchedInventory


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """The variables of a host that concern Bluesky alone; each key is ``sfm_`` and the attribute's name."""

    bluesky_hosts: tuple[str, ...] = HOSTS
    bluesky_wire: Wire = WIRE


INVENTORY = HostMatchedInventory(
    BlueskyStream,
    ("track", "tags", "follow", "query", "langs", "collections", "everything"),
    Variables,
    hosts="bluesky_hosts",
    wire="bluesky_wire",
)
