"""What a program does when its connection ends, in every way that one can."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.fault.compare import compare, nothing_missing, seconds
from tests.fault.world import World
from tests.support.simulator import Simulator
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ({"do": "close"}, "closed by X"),
        ({"do": "close", "finish": False}, "connection broken"),
        ({"do": "reset"}, "connection broken"),
        ({"do": "disconnect_message"}, "announced"),
        ({"do": "disconnect_message", "kind": "UpstreamOperationalDisconnect"}, "announced"),
    ],
    ids=["close", "close-unfinished", "reset", "operational-disconnect", "upstream-disconnect"],
)
def test_a_connection_that_ends_is_made_again_at_once(world: World, action: dict[str, object], reason: str) -> None:
    """Nothing that was sent is lost; the end is journaled with its reason, and the time without as a gap."""
    world.order({"after": 40, **action})
    running = world.start()
    world.connected(2)
    world.sent_more(30)
    running.stop()
    compared = nothing_missing(world)
    assert compared.gaps == 1
    assert compared.gap_seconds < 3
    end = world.events("disconnect")[0]
    assert reason in end["reason"]
    assert not end["planned"]
    assert end["posts"] == 40


@pytest.mark.parametrize("kind", ["OperationalDisconnect", "UpstreamOperationalDisconnect"])
def test_an_announced_end_is_believed_though_the_connection_stays(world: World, kind: str) -> None:
    """The program leaves a connection that X has declared ended, and keeps X's own words."""
    world.order({"do": "disconnect_message", "kind": kind, "close": False, "after": 20})
    running = world.start()
    world.connected(2)
    running.stop()
    compare(world)
    assert kind in world.events("message")[0]["text"]
    assert "operational reasons" in world.events("disconnect")[0]["reason"]


def test_a_torn_last_line_is_counted_and_not_kept(world: World) -> None:
    """A line cut off by the end of the connection is no post; the journal counts it."""
    world.order({"do": "close_mid_line", "after": 25})
    running = world.start()
    world.connected(2)
    world.sent_more(10)
    running.stop()
    nothing_missing(world)
    assert world.events("torn")[0]["bytes"] > 10
    assert world.events("disconnect")[0]["posts"] == 25


def test_keep_alives_alone_are_a_connection(world: World) -> None:
    """A filter that matches nothing stays connected, leaves no empty file, and its last byte stays fresh."""
    world.order({"do": "keep_alives_only"})
    running = world.start()
    world.connected()
    first = until(lambda: world.status().get("last_byte"), "a last byte in", world)
    until(lambda: world.status()["last_byte"] > first, "a keep-alive in", world)
    assert world.status()["state"] == "connected"
    running.stop()
    assert world.events("disconnect")[0]["planned"]
    assert list(world.data.iterdir()) == []


def test_connects_before_a_restart_count_as_well(world: World) -> None:
    """X counts over our restarts, and so does the program: one that is started again and again does not exceed 50."""
    journal = world.state / "journal" / f"{world.program}.jsonl"
    journal.parent.mkdir(parents=True)
    ago = [datetime.now(UTC) - timedelta(seconds=893 - each) for each in range(45)]
    journal.write_text("".join(f'{{"time":"{each.isoformat()}","event":"connect"}}\n' for each in ago))
    running = world.start()
    world.waits("no more connects")
    assert world.answers("GET", "/2/tweets/search/stream") == []
    world.connected(46)
    running.stop()


CLOSES = {"do": "close", "times": 5}
STALL = {"do": "stall", "after": 20}
DRIBBLE = {"do": "dribble", "every": 2.0, "after": 20}


@pytest.fixture(scope="module")
def slow_ends(tmp_path_factory: pytest.TempPathFactory, shared: Simulator) -> Iterator[list[World]]:
    """What takes its time, side by side: connections that keep being closed, fall silent, and dribble."""
    worlds = [World(tmp_path_factory.mktemp("slow") / "world", shared) for _ in range(4)]
    for world, step in zip(worlds, (CLOSES, STALL, DRIBBLE, {**DRIBBLE, "bytes": 4}), strict=True):
        world.order(step)
        world.start()
    yield worlds
    for world in worlds:
        world.close()


@pytest.fixture(autouse=True)
def _begun(slow_ends: list[World]) -> None:
    """Begins them with the first test of this module: they are done by the time the last one asks."""


@pytest.mark.timeout(200)
def test_connections_that_keep_ending_are_made_ever_more_slowly(slow_ends: list[World]) -> None:
    """The first reconnect is immediate, the ones after it are not: a server that closes is not hammered."""
    world = slow_ends[0]
    world.connected(6)
    world.sent_more(5)
    world.processes[0].stop()
    opened = [seconds(event["time"]) for event in world.ledger() if event["event"] == "open"]
    waits = [after - before for before, after in pairwise(opened)]
    assert waits[0] < 1
    assert waits[4] > waits[2] > waits[1] > 0.5
    assert sum(waits) > 10
    compare(world)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("which", [1, 2, 3], ids=["stall", "dribble", "dribble-then-stall"])
def test_silence_and_single_bytes_are_given_up_after_20_to_25_seconds(slow_ends: list[World], which: int) -> None:
    """Whatever the read timeout thinks: no complete line for 21 s is the end of a connection."""
    world = slow_ends[which]
    until(lambda: len(world.events("connect")) >= 2, "a new connection in", world, patience=60)
    world.sent_more(10)
    world.processes[0].stop()
    nothing_missing(world, slack=26)
    began = next(seconds(e["time"]) for e in world.ledger() if e["event"] == "fault")
    ended = world.events("disconnect")[0]
    assert 20 <= seconds(ended["time"]) - began <= 25
    assert "no complete line" in ended["reason"]


@pytest.mark.timeout(1100)
@pytest.mark.full
def test_never_more_than_50_connects_in_15_minutes(world: World, figures: list[str]) -> None:
    """Against an X that closes every connection at once, for 15 minutes and more."""
    world.order({"do": "close", "times": 0})
    running = world.start()
    begun = time.monotonic()
    until(lambda: time.monotonic() > begun + 910, "a quarter of an hour", patience=1000)
    running.stop()
    opened = [seconds(event["time"]) for event in world.ledger() if event["event"] == "open"]
    most = max(sum(1 for each in opened if start <= each < start + 900) for start in opened)
    figures.append(f"{most} connects in 15 minutes to an X that closes each at once")
    assert most <= 50
    assert json.dumps(world.ledger()).count('"status": 429') == 0
