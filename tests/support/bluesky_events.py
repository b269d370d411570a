"""Events of Bluesky as either wire sends them, made up for tests."""

from __future__ import annotations

import json
from typing import Any

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
OTHER = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"
POSTS = "app.bsky.feed.post"
NAMESPACE = "network.bsky.jetstream.subscribeEvents"
TIME_US = 1_790_000_000_123_456
TIME = "2026-09-21T14:13:20.123456Z"


def line(wire: int, kind: str, body: dict[str, Any], *, did: str = DID, seq: int = 77) -> bytes:
    """An event, as one line."""
    if wire == 1:
        return json.dumps({"did": did, "time_us": TIME_US, "kind": kind, kind: body}).encode()
    payload = {"$type": f"{NAMESPACE}#{kind}", "seq": seq, "did": did, "time": TIME}
    payload |= body if kind == "commit" else {kind: body}
    return json.dumps({"$type": "message", "payload": payload}).encode()


def commit(
    record: Any = None, *, wire: int = 2, operation: str = "create", collection: str = POSTS, did: str = DID
) -> bytes:
    """A record is created, changed or (without one) deleted."""
    body = {"rev": "3krev", "operation": operation, "collection": collection, "rkey": "3krkey"}
    if record is not None:
        body |= {"record": record, "cid": "bafycid"}
    return line(wire, "commit", body, did=did)


def post(text: str = "", *, wire: int = 2, did: str = DID, **parts: Any) -> bytes:
    """A post of that text, and whatever else its record shall hold."""
    return commit({"$type": POSTS, "text": text, "createdAt": TIME, **parts}, wire=wire, did=did)


def facet(text: str, covered: str, kind: str, **values: str) -> dict[str, Any]:
    """A part of the text that is a ``tag``, ``link`` or ``mention``; positions count UTF-8 bytes."""
    start = text.encode().index(covered.encode())
    index = {"byteStart": start, "byteEnd": start + len(covered.encode())}
    return {"index": index, "features": [{"$type": f"app.bsky.richtext.facet#{kind}", **values}]}
