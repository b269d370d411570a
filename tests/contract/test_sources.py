"""What holds for every source of the registry, tried against its own simulator."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfm_stream.sources import registry
from tests.contract.harnesses import HARNESSES, Harness
from tests.contract.relay import Relay
from tests.fault.compare import capture_files, lines_of
from tests.fault.world import World
from tests.support.files import whole_lines
from tests.support.waiting import until


@pytest.fixture
def relay(harness: Harness, service: Any) -> Iterator[Relay]:
    made = Relay(harness.port(service))
    yield made
    made.close()


def _begun(world: World, harness: Harness) -> None:
    """Waits until another process has connected, and receives."""
    connects = len(world.events("connect"))
    world.start(patch=harness.patch)
    world.connected(connects + 1)
    harness.more(world, 5)


def test_each_line_is_kept_byte_for_byte(harness: Harness, service: Any, relay: Relay, tmp_path: Path) -> None:
    world = harness.world(tmp_path / "relayed", service, relay.port)
    try:
        _begun(world, harness)
        harness.more(world, 30)
        world.processes[-1].stop()
    finally:
        world.close()
    lines = lines_of(world)
    altered = [line for line in lines if line not in relay.received]
    assert len(lines) > 30
    assert not altered, altered[:3]


def test_the_journal_names_the_first_and_last_line_of_each_file_as_the_source_does(
    harness: Harness, world: World
) -> None:
    """Both where the capture finished the file and where a salvage did."""
    classify = registry.source(next(name for name, each in HARNESSES.items() if each is harness)).classify
    _begun(world, harness)
    until(lambda: list(world.data.glob("*.part")), "a segment in", world)
    time.sleep(1.5)  # a flush
    world.processes[-1].kill()
    _begun(world, harness)
    world.processes[-1].stop()
    told = {e["file"]: e for event in ("rotate", "salvage") for e in world.events(event) if e.get("file")}
    assert world.events("salvage"), str(world)
    assert world.events("rotate"), str(world)
    for path in capture_files(world):
        lines = whole_lines(path)
        ids = (classify(lines[0]).id, classify(lines[-1]).id)
        assert ids == (told[path.name]["first_id"], told[path.name]["last_id"]), path.name
        assert all(ids), ids


def test_a_stop_finishes_the_file_and_says_so(harness: Harness, world: World) -> None:
    _begun(world, harness)
    world.processes[-1].stop()
    assert (world.journal()[-1]["event"], world.journal()[-1]["planned"]) == ("stop", True), str(world)
    assert world.status()["state"] == "stopped"
    assert harness.check(world) > 0
    assert not [entry for entry in world.journal() if entry["event"] in {"unread", "overflow", "lost", "torn"}]


def test_kills_at_random_moments_lose_nothing_silently(harness: Harness, world: World, kills: int) -> None:
    moments = random.Random(1)
    for round_ in range(1, kills + 1):
        running = world.start(patch=harness.patch)
        until(lambda n=round_: len(world.events("start")) >= n, "start", round_, "in", world)
        time.sleep(moments.choice((moments.uniform(0, 0.4), moments.uniform(0, 2.5))))
        running.kill()
    _begun(world, harness)
    world.processes[-1].stop()
    assert harness.check(world) > 0


def test_faults_of_the_service_lose_nothing_silently(harness: Harness, world: World) -> None:
    """One after the other, on one program that is never restarted."""
    refused = {"refuse", "page", "drop", "content_type"}
    stood = sum(each["do"] not in refused for each in harness.faults)
    world.order(*harness.faults)
    world.start(patch=harness.patch)
    world.connected(stood + 1)
    harness.more(world, 20)
    world.processes[-1].stop()
    assert len(world.events("disconnect")) == stood + 1, str(world)
    assert harness.check(world) > 0


def test_what_is_no_post_does_not_end_a_stream(harness: Harness, world: World) -> None:
    """Each on a connection of its own: it goes into the journal, and not into a file."""
    for step in harness.oddities:
        world.order(step)
        _begun(world, harness)
        harness.more(world, 30)
        world.processes[-1].stop()
    injected = sum(each["do"] == "inject" for each in harness.oddities)
    assert len(world.events("message")) == injected, str(world)
    assert harness.check(world) > 0
