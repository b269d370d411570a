"""That a program never takes more posts than it may, and says so."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.fault.compare import compare, nothing_missing
from tests.fault.world import World
from tests.support.simulator import Simulator
from tests.support.waiting import until

IN_FLIGHT = 60
"""Posts that X may have sent before it learned that the connection ends; they are paid for, and kept."""
SECOND_DAY = """
import datetime, time
from pathlib import Path
from sfm_stream import clock
def later():
    return clock.milliseconds(datetime.datetime.now(datetime.UTC)) + datetime.timedelta(days=Path({flag!r}).exists())
clock.now = later
"""


AN_HOUR = """
import datetime
from sfm_stream import clock
clock.end_of_hour = lambda time: time + datetime.timedelta(hours=1)
"""
"""So that no full hour comes in the middle of a test."""


def _counted(world: World) -> int:
    """The posts of all days."""
    return sum(json.loads((world.state / "budget" / "lab.json").read_bytes())["days"].values())


def test_a_spent_day_ends_the_connection_until_the_next(make_world: Callable[..., World]) -> None:
    """With the last post of the day the stream ends, a restart does not begin again, and the next day goes on."""
    world = make_world(budget={"per_day": 100, "price": 0.01})
    flag = world.folder / "next-day"
    running = world.start(patch=SECOND_DAY.format(flag=str(flag)))
    status = world.waits("a day", state="budget")
    assert 100 <= len(world.sent()) <= 100 + IN_FLIGHT
    assert status["per_day"] == 100
    until(lambda: world.status()["today"] == len(world.sent()), "all counted in", world)
    assert not world.connections()
    running.stop()
    again = world.start(patch=SECOND_DAY.format(flag=str(flag)))
    world.waits("a day", state="budget")
    flag.touch()
    world.connected(2)
    world.sent_more(5)
    again.stop()
    reasons = [event["reason"] for event in world.events("budget")]
    assert any("consumed" in reason for reason in reasons)
    assert "until" in next(event for event in world.events("budget") if event["reason"].endswith("posts a day"))
    assert len(world.sent()) == sum(event["posts"] for event in world.events("rotate"))


def test_a_spent_month_ends_the_connection(make_world: Callable[..., World]) -> None:
    """The month's budget counts over restarts, and its price is shown."""
    world = make_world(budget={"per_month": 120, "price": 0.01})
    for _ in range(2):
        running = world.start()
        connects = len(world.events("connect"))
        until(lambda n=connects: len(world.events("connect")) > n, "a connect in", world)
        world.sent_more(20)
        running.stop()
    running = world.start()
    world.waits("a month", state="budget")
    until(lambda: world.status()["this_month"] == len(world.sent()), "all counted in", world)
    assert 120 <= len(world.sent()) <= 120 + IN_FLIGHT
    assert world.status()["dollars"] == round(len(world.sent()) * 0.01, 2)
    running.stop()
    nothing_missing(world)


def test_a_warning_comes_at_80_percent(make_world: Callable[..., World]) -> None:
    """Once, before the budget is spent."""
    world = make_world(budget={"per_day": 200})
    running = world.start()
    world.waits("a day", state="budget")
    running.stop()
    reasons = [event["reason"] for event in world.events("budget")]
    assert len([reason for reason in reasons if "consumed" in reason]) == 1
    nothing_missing(world)


def test_a_burst_stops_the_stream(simulator: Callable[..., Simulator], make_world: Callable[..., World]) -> None:
    """More posts a minute than allowed end the connection until the hour is over, also over a restart."""
    world = make_world(simulator("--rate", "200"), budget={"per_minute": 300})
    running = world.start(patch=AN_HOUR)
    world.waits("in a minute", state="budget")
    running.kill()
    again = world.start(patch=AN_HOUR)
    world.waits("in a minute", state="budget")
    again.stop()
    assert len(world.sent()) < 300 + 500
    assert len(world.events("connect")) == 1
    compare(world)


def test_counters_survive_kills(simulator: Callable[..., Simulator], make_world: Callable[..., World]) -> None:
    """Killed again and again, a program does not take its budget anew: what is in the files has been counted."""
    world = make_world(simulator("--rate", "250"), budget={"per_day": 600})
    for _ in range(4):
        running = world.start()
        connects = len(world.events("connect"))
        until(lambda n=connects: len(world.events("connect")) > n, "a connect in", world)
        world.sent_more(50)
        running.kill()
    running = world.start()
    world.waits("a day", state="budget")
    running.stop()
    compared = compare(world)
    assert _counted(world) >= compared.kept
    assert compared.kept <= 600 + IN_FLIGHT
