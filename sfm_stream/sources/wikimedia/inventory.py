"""What a filter of an inventory may say of a Wikimedia stream; `WikimediaStream` says what each key means."""

from __future__ import annotations

from sfm_stream.sources.host_matched import HostMatchedInventory
from sfm_stream.sources.wikimedia.settings import WikimediaStream

INVENTORY = HostMatchedInventory(
    WikimediaStream,
    ("streams", "wikis", "namespaces", "titles", "users", "track", "bots", "everything", "url"),
)
