"""That what X can recover of a gap is asked for, where the account has it."""

from __future__ import annotations

from collections.abc import Callable

from tests.fault.compare import compare, kept_ids
from tests.fault.world import World
from tests.support.simulator import Simulator

PRETEND = """
import datetime
from sfm_stream.sources.x import feed
class Later:
    def __getattr__(self, name):
        return getattr(real, name)
    def now(self):
        return real.now() + datetime.timedelta(seconds={seconds})
real, feed.clock = feed.clock, Later()
"""
"""Lets the connection think that it is later, so that a gap seems to have lasted for minutes."""


def test_backfill_is_asked_for_as_large_as_the_gap(
    simulator: Callable[..., Simulator], make_world: Callable[..., World]
) -> None:
    """After a kill the next connection recovers what was missed: every post is in a file, some are there twice."""
    world = make_world(simulator("--rate", "150", "--backfill"), backfill_minutes=5)
    first = world.start()
    world.connected()
    world.sent_more(250)
    first.kill()
    second = world.start()
    world.connected(2)
    world.sent_more(100)
    second.stop()
    opened = [event["backfill"] for event in world.ledger() if event["event"] == "open"]
    assert opened == [0, 1]
    assert world.events("gap")[0]["backfill_minutes"] == 1
    assert world.events("connect")[1]["backfill_minutes"] == 1
    compared = compare(world)
    ids = {event["id"] for event in world.sent()}
    assert set(kept_ids(world)) == ids
    duplicates = compared.kept - len(ids)
    assert duplicates > 0


def test_a_longer_gap_asks_for_more_and_never_for_more_than_the_account_has(
    simulator: Callable[..., Simulator], make_world: Callable[..., World]
) -> None:
    """Two and a half minutes are three; a quarter of an hour is all that the account has."""
    world = make_world(simulator("--rate", "150", "--backfill"), backfill_minutes=4)
    for seconds in (0, 150, 900):
        running = world.start(patch=PRETEND.format(seconds=seconds))
        connects = len(world.events("connect"))
        world.connected(connects + 1)
        world.sent_more(5)
        running.stop()
    assert [event["backfill"] for event in world.ledger() if event["event"] == "open"] == [0, 3, 4]


def test_without_backfill_none_is_asked_for(world: World) -> None:
    """X refuses the parameter to accounts that have not paid for it."""
    world.order({"do": "close", "after": 5})
    running = world.start()
    world.connected(2)
    running.stop()
    assert {event["backfill"] for event in world.ledger() if event["event"] == "open"} == {0}
    assert "backfill_minutes" not in world.events("gap")[0]
