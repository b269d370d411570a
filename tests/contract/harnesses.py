"""How the contract suite runs each source: its simulator, a stream of it, the faults that it knows, and the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from tests.contract import wikimedia
from tests.contract.host import Jetstream
from tests.contract.streams import BlueskyWorld, nothing_missing_and_nothing_twice
from tests.contract.wikimedia import RATE, WikimediaWorld
from tests.fault.compare import compare
from tests.fault.world import Entry, World
from tests.support.simulator import Simulator


class Harness(Protocol):
    """One source. A service is what `serve` returns; `close` ends it."""

    faults: tuple[Entry, ...]
    """Steps of its simulator's plans: each makes a connection end or fail."""
    oddities: tuple[Entry, ...]
    """Steps that do neither."""
    patch: str
    """What shortens the program's waits, which are minutes long."""

    def serve(self, folder: Path) -> Any:
        """Starts its simulated service."""

    def port(self, service: Any) -> int:
        """Where the service listens."""

    def world(self, folder: Path, service: Any, port: int | None = None) -> World:
        """A stream of it, by way of another `port` where one is given."""

    def more(self, world: World, posts: int) -> None:
        """Waits until so many more posts have been sent."""

    def check(self, world: World) -> int:
        """Asserts that nothing is missing but what the journal names, or nothing; returns the lines kept."""


class XHarness:
    """X replays nothing: what is missing must lie in a gap."""

    patch = (
        "from sfm_stream.sources.x import backoff; backoff.CONNECTS = 1_000_000\n"
        "backoff.SERVER_FIRST = backoff.CLOSED_FIRST = 0.1; backoff.SERVER_MAX = backoff.CLOSED_MAX = 0.3"
    )
    faults: tuple[Entry, ...] = (
        {"do": "refuse", "status": 503},
        {"do": "content_type", "value": "text/html", "body": "<html>Blocked</html>"},
        {"do": "drop"},
        {"do": "close", "after": 10},
        {"do": "close_mid_line", "after": 10},
        {"do": "reset", "after": 10},
        {"do": "disconnect_message", "kind": "OperationalDisconnect", "after": 10},
    )
    oddities: tuple[Entry, ...] = (
        {"do": "inject", "what": "not-json", "after": 10},
        {"do": "inject", "what": "errors", "after": 10},
    )

    def serve(self, folder: Path) -> Simulator:
        """See `Harness`."""
        return Simulator(folder, "--rate", "100", "--connects", "100000", "--keep-alive", "2")

    def port(self, service: Simulator) -> int:
        """See `Harness`."""
        return service.port

    def world(self, folder: Path, service: Simulator, port: int | None = None) -> World:
        """See `Harness`."""
        return World(folder, service, **({"api_url": f"http://127.0.0.1:{port}"} if port else {}))

    def more(self, world: World, posts: int) -> None:
        """See `Harness`."""
        world.sent_more(posts)

    def check(self, world: World) -> int:
        """See `Harness`."""
        return compare(world).kept


class BlueskyHarness:
    """Bluesky replays: nothing may be missing, and nothing be there twice."""

    patch = "from sfm_stream.sources import reconnect; reconnect.FIRST, reconnect.MOST = 0.1, 0.3"
    faults: tuple[Entry, ...] = (
        {"do": "refuse", "status": 503, "error": "StartingUp", "headers": {"Retry-After": "1"}},
        {"do": "refuse", "status": 502},
        {"do": "refuse", "status": 429, "headers": {"Retry-After": "1"}},
        {"do": "page"},
        {"do": "drop"},
        {"do": "close", "after": 10, "code": 1000},
        {"do": "close", "after": 10, "code": 1001, "reason": "server shutting down"},
        {"do": "close", "after": 10, "code": 1008, "reason": "policy"},
        {"do": "close", "after": 10, "code": 1011, "reason": "internal error"},
        {"do": "close", "after": 0, "code": 1012},
        {"do": "error", "after": 10},
        {"do": "error", "after": 0, "error": "SomethingNew", "message": "of a later version"},
        {"do": "reset", "after": 0},
        {"do": "reset", "after": 10},
        {"do": "cut", "after": 10},
    )
    oddities: tuple[Entry, ...] = (
        {"do": "repeat", "after": 20, "events": 15},
        {"do": "inject", "after": 5, "text": "no JSON"},
        {"do": "inject", "after": 5, "text": '{"$type":"later"}', "binary": True},
        {"do": "inject", "after": 5, "text": '{"kind":"commit",\n"did":"did:plc:a"}'},
        {"do": "quiet", "after": 5, "seconds": 0.5},
    )

    def serve(self, folder: Path) -> Jetstream:
        """See `Harness`."""
        return Jetstream(folder, rate=600.0)

    def port(self, service: Jetstream) -> int:
        """See `Harness`."""
        return service.port

    def world(self, folder: Path, service: Jetstream, port: int | None = None) -> BlueskyWorld:
        """See `Harness`."""
        return BlueskyWorld(folder, service, **({"hosts": [f"ws://127.0.0.1:{port}"]} if port else {}))

    def more(self, world: World, posts: int) -> None:
        """See `Harness`."""
        assert isinstance(world, BlueskyWorld)
        world.kept_more(posts)

    def check(self, world: World) -> int:
        """See `Harness`."""
        assert isinstance(world, BlueskyWorld)
        return nothing_missing_and_nothing_twice(world)


class WikimediaHarness:
    """Wikimedia replays: nothing may be missing, and nothing be there twice."""

    patch = BlueskyHarness.patch
    faults: tuple[Entry, ...] = (
        {"do": "refuse", "status": 503, "headers": {"Retry-After": "1"}},
        {"do": "refuse", "status": 502, "body": "<html>Bad gateway</html>"},
        {"do": "page"},
        {"do": "close", "after": 10},
        {"do": "close", "after": 10, "torn": True},
        {"do": "reset", "after": 10},
    )
    oddities: tuple[Entry, ...] = ({"do": "repeat", "after": 20, "events": 15},)

    def serve(self, folder: Path) -> Simulator:
        """See `Harness`."""
        return Simulator(folder, "--rate", str(RATE), source="wikimedia")

    def port(self, service: Simulator) -> int:
        """See `Harness`."""
        return service.port

    def world(self, folder: Path, service: Simulator, port: int | None = None) -> WikimediaWorld:
        """See `Harness`."""
        return WikimediaWorld(folder, service, **({"url": f"http://127.0.0.1:{port}"} if port else {}))

    def more(self, world: World, posts: int) -> None:
        """See `Harness`."""
        assert isinstance(world, WikimediaWorld)
        world.kept_more(posts)

    def check(self, world: World) -> int:
        """See `Harness`."""
        assert isinstance(world, WikimediaWorld)
        return wikimedia.nothing_missing_and_nothing_twice(world)


HARNESSES: dict[str, Harness] = {"bluesky": BlueskyHarness(), "wikimedia": WikimediaHarness(), "x": XHarness()}
