"""A client of Jetstream that knows nothing of the project's own, for tests of the simulator."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from websockets.sync.client import ClientConnection, connect

from tests.support.waiting import PATIENCE

PATHS = {1: "/subscribe", 2: "/xrpc/network.bsky.jetstream.subscribeEvents"}

Parameters = dict[str, "str | list[str]"]


def address(url: str, wire: int, parameters: Parameters | None = None) -> str:
    """Where a wire is read, with its parameters."""
    query = urlencode(parameters or {}, doseq=True)
    return f"{url}{PATHS[wire]}{'?' if query else ''}{query}"


@contextlib.contextmanager
def opened(url: str, wire: int, parameters: Parameters | None = None, **options: Any) -> Iterator[ClientConnection]:
    """A connection that stands."""
    target = address(url.replace("http:", "ws:"), wire, parameters)
    with connect(target, compression=None, open_timeout=PATIENCE, close_timeout=1, **options) as connection:
        yield connection


def received(connection: ClientConnection, count: int) -> list[Any]:
    """The next frames, read as JSON."""
    return [json.loads(connection.recv(timeout=PATIENCE)) for _ in range(count)]


def events(url: str, wire: int, count: int, **parameters: str | list[str]) -> list[Any]:
    """The first frames of a new connection."""
    with opened(url, wire, parameters) as connection:
        return received(connection, count)


def as_v1(message: Any) -> Any:
    """An event of v2 in the shape of v1, without its time."""
    payload = dict(message["payload"])
    kind = payload.pop("$type").partition("#")[2]
    did = payload.pop("did")
    del payload["seq"], payload["time"]
    return {"did": did, "kind": kind, kind: payload if kind == "commit" else payload[kind]}
