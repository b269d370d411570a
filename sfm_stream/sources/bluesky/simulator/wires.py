"""How an event looks on either wire of Jetstream, and what a request selects."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from sfm_stream.sources.bluesky.events import microseconds
from sfm_stream.sources.bluesky.simulator.events import Happening

_NAMESPACE = "network.bsky.jetstream.subscribeEvents"
_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]+")
_NSID = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*(\.[a-zA-Z0-9-]+)+(\.\*)?")
COLLECTIONS, DIDS = 100, 10_000
"""The most that one request may name."""
KINDS = frozenset({"commit", "identity", "account", "sync"})


class BadRequestError(ValueError):
    """A parameter that Jetstream refuses."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asked for; an empty part selects all."""

    collections: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    dids: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()

    def takes(self, event: Happening) -> bool:
        """Whether the event is sent. Collections constrain commits alone."""
        if self.kinds and event.kind not in self.kinds:
            return False
        if self.dids and event.did not in self.dids:
            return False
        if event.kind != "commit" or not (self.collections or self.prefixes):
            return True
        collection = event.body["collection"]
        return collection in self.collections or collection.startswith(self.prefixes)


def select(collections: Iterable[str], dids: Iterable[str], kinds: Iterable[str] = ()) -> Subscription:
    """The selection of a request.

    Raises:
        BadRequestError: As Jetstream refuses it before the upgrade.
    """
    collections, dids, kinds = list(collections), list(dids), frozenset(kinds)
    if len(collections) > COLLECTIONS:
        raise BadRequestError(f"too many wanted collections: {len(collections)} > {COLLECTIONS}")
    if len(dids) > DIDS:
        raise BadRequestError(f"too many wanted DIDs: {len(dids)} > {DIDS}")
    for collection in collections:
        if not _NSID.fullmatch(collection):
            raise BadRequestError(f"invalid collection: {collection}")
    for did in dids:
        if not _DID.fullmatch(did):
            raise BadRequestError(f"invalid DID: {did}")
    if unknown := kinds - KINDS:
        raise BadRequestError(f"unknown kinds: {', '.join(sorted(unknown))}")
    return Subscription(
        collections=frozenset(each for each in collections if not each.endswith(".*")),
        prefixes=tuple(each.removesuffix("*") for each in collections if each.endswith(".*")),
        dids=frozenset(dids),
        kinds=kinds,
    )


def encode(event: Happening, wire: int, seq: int) -> bytes:
    """The event as one JSON text.

    Args:
        event: The event.
        wire: 1 or 2.
        seq: Its number in the host's own sequence (wire 2).
    """
    if wire == 1:
        older = {"did": event.did, "time_us": microseconds(event.time), "kind": event.kind, event.kind: event.body}
        return msgspec.json.encode(older)
    payload = {
        "$type": f"{_NAMESPACE}#{event.kind}",
        "seq": seq,
        "did": event.did,
        "time": event.time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
    payload |= event.body if event.kind == "commit" else {event.kind: event.body}
    return msgspec.json.encode({"$type": "message", "payload": payload})


def info(name: str, message: str) -> bytes:
    """A notice that carries no event (wire 2)."""
    payload = {"$type": f"{_NAMESPACE}#info", "name": name, "message": message}
    return msgspec.json.encode({"$type": "message", "payload": payload})


def error(name: str, message: str) -> bytes:
    """The last text of a connection that the host ends (wire 2)."""
    return msgspec.json.encode({"$type": "error", "error": name, "message": message})
