"""What Bluesky's replay promises: after kills, faults and stops, nothing is missing and nothing twice."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from sfm_stream.sources.bluesky.events import read
from tests.contract.harnesses import HARNESSES
from tests.contract.host import Jetstream, is_post
from tests.contract.streams import BlueskyWorld, nothing_missing_and_nothing_twice
from tests.fault.compare import lines_of, seconds
from tests.fault.world import Entry
from tests.support.waiting import until

Hosts = Callable[..., Jetstream]
Worlds = Callable[..., BlueskyWorld]
PATCH = HARNESSES["bluesky"].patch
wires = pytest.mark.parametrize("wire", [1, 2])


def _run(world: BlueskyWorld, lines: int = 5) -> None:
    """Starts it, waits until so many lines have come and what is replayed is over, and stops it."""
    connects = len(world.events("connect"))
    running = world.start(patch=PATCH)
    world.connected(connects + 1)
    world.kept_more(lines)
    world.caught_up()
    running.stop()


def _gaps(world: BlueskyWorld) -> list[Entry]:
    return world.events("gap")


@wires
@pytest.mark.parametrize("everything", [True, False])
def test_kills_and_faults_together_lose_nothing(
    host: Hosts, bluesky: Worlds, kills: int, wire: int, everything: bool
) -> None:
    """Both wires; all posts, and those with a word; faults while it runs, and kills at random moments."""
    world = bluesky(host(rate=400.0), wire=wire, everything=everything)
    faults = list(HARNESSES["bluesky"].faults + HARNESSES["bluesky"].oddities)
    moments = random.Random(wire)
    moments.shuffle(faults)
    for round_ in range(1, kills // 2 + 1):
        world.order(*(faults.pop() for _ in range(min(3, len(faults)))))
        running = world.start(patch=PATCH)
        until(lambda n=round_: len(world.events("start")) >= n, "start", round_, "in", world)
        time.sleep(moments.uniform(0.2, 2.0))
        running.kill()
    _run(world)
    assert nothing_missing_and_nothing_twice(world) > 0
    # Of what was before its first position, a stream cannot ask for a replay.
    positioned = itertools.dropwhile(lambda entry: "cursor" not in entry, world.journal())
    assert {entry["recovered"] for entry in positioned if entry["event"] == "gap"} <= {True}, str(world)


@wires
def test_a_stop_that_the_window_covers_is_journaled_as_recovered(host: Hosts, bluesky: Worlds, wire: int) -> None:
    world = bluesky(host(), wire=wire)
    _run(world)
    time.sleep(2)
    _run(world)
    gap = _gaps(world)[-1]
    assert (gap["recovered"], gap["planned"]) == (True, True)
    assert seconds(gap["start"]) <= seconds(world.events("stop")[0]["time"])
    nothing_missing_and_nothing_twice(world)


def test_a_stop_after_which_the_host_refuses_is_one_gap_and_recovered(host: Hosts, bluesky: Worlds) -> None:
    """It is told when it is over, and not when the first try fails: nothing is lost by it."""
    world = bluesky(host())
    _run(world)
    world.order({"do": "refuse", "status": 503, "times": 3})
    _run(world)
    assert [(gap["recovered"], gap["planned"]) for gap in _gaps(world)] == [(True, False)], str(world)
    assert seconds(_gaps(world)[0]["start"]) <= seconds(world.events("stop")[0]["time"])
    nothing_missing_and_nothing_twice(world)


@wires
def test_what_a_stop_longer_than_the_window_loses_is_journaled_from_the_position_on(
    host: Hosts, bluesky: Worlds, wire: int
) -> None:
    """Lost from the last line to the first that is replayed, to the millisecond; recovered from there on."""
    jetstream = host(window=2.0, rate=400.0)
    world = bluesky(jetstream, wire=wire, everything=True)
    _run(world)
    position = world.status()["position_time"]
    time.sleep(6)
    _run(world)
    lost, recovered = _gaps(world)
    assert (lost["recovered"], recovered["recovered"]) == (False, True), str(world)
    assert seconds(lost["start"]) == pytest.approx(seconds(position), abs=0.002)
    first_line = min(number for number in _sent(world, 1) if number >= jetstream.ledger("open")[-1]["first"])
    assert seconds(lost["end"]) == pytest.approx(jetstream.network.time(first_line).timestamp(), abs=0.002)
    assert recovered["start"] == lost["end"]
    kept = sorted(world.kept())
    assert len(kept) == len(set(kept))
    edges = [seconds(lost["start"]), seconds(lost["end"])]
    wanted = set(world.wanted(kept[0], kept[-1]))
    missing = [jetstream.network.time(number).timestamp() for number in wanted - set(kept)]
    assert missing
    assert all(edges[0] - 0.002 <= each <= edges[1] + 0.002 for each in missing), (missing[:3], edges)


def _sent(world: BlueskyWorld, connection: int) -> list[int]:
    """The events sent on a connection of the first host."""
    opened = world.hosts[0].ledger("open")[connection]["connection"]
    return [int(each["id"]) for each in world.hosts[0].ledger("post") if each["connection"] == opened]


@wires
def test_another_host_goes_on_where_the_first_one_ended(host: Hosts, bluesky: Worlds, wire: int) -> None:
    """It numbers the same events otherwise: nothing is missing and nothing twice, to the other host and back."""
    one = host(rate=400.0)
    other = host(rate=400.0, start=one.start, first_seq=5_000_000)
    world = bluesky(one, other, wire=wire, everything=True)
    one.order({"do": "close", "after": 30, "code": 1011}, {"do": "refuse", "status": 503, "times": 0})
    running = world.start(patch=PATCH)
    until(lambda: other.ledger("post"), "events of the other host in", world)
    world.kept_more(20)
    one.order()
    other.order({"do": "refuse", "status": 503, "times": 0})
    running.kill()
    running = world.start(patch=PATCH)
    until(lambda: len(one.ledger("open")) > 1, "the first host again in", world)
    world.kept_more(20)
    running.stop()
    nothing_missing_and_nothing_twice(world)
    assert {entry["host"] for entry in world.events("connect")} == {one.url, other.url}


def test_a_host_that_was_set_up_anew_under_its_name_is_noticed(host: Hosts, bluesky: Worlds) -> None:
    """It numbers from 1 again: a number that it has yet to reach means the live end, without a word."""
    one = host(first_seq=50_000_000)
    world = bluesky(one, everything=True)
    _run(world)
    one.close()
    anew = host(port=one.port, start=one.start, first_seq=1)
    time.sleep(2)
    world.hosts = (one, anew)
    _run(world)
    assert [gap["recovered"] for gap in _gaps(world)][:1] == [False], str(world)


@wires
def test_deletions_of_what_is_held_are_kept_and_others_are_not(host: Hosts, bluesky: Worlds, wire: int) -> None:
    """Across a stop, a kill and another start, too."""
    jetstream = host(rate=150.0)
    world = bluesky(jetstream, wire=wire, track=(), langs=["en"])
    for end in ("stop", "kill", "stop"):
        running = world.start(patch=PATCH)
        world.kept_more(50)
        getattr(running, end)()
    nothing_missing_and_nothing_twice(world)
    held: set[str] = set()
    deletions = across = 0
    starts = [seconds(entry["time"]) for entry in world.events("start")]
    made: dict[str, float] = {}
    for line in lines_of(world):
        event = read(line)
        assert event is not None
        if event.operation == "delete":
            assert event.uri in held, line
            deletions += 1
            at = event.time.timestamp() if event.time else 0.0
            across += any(made[event.uri] < start < at for start in starts)
        elif event.kind == "commit":
            held.add(event.uri)
            made[event.uri] = event.time.timestamp() if event.time else 0.0
    assert deletions > 0
    last = max(world.kept())
    first = min(world.kept())
    all_of_them = [
        number
        for number in range(first, last)
        if is_post(event := jetstream.network.event(number)) and event.body["operation"] == "delete"
    ]
    assert len(all_of_them) > deletions
    assert across > 0


def test_what_matches_nothing_is_counted(host: Hosts, bluesky: Worlds) -> None:
    """In the status while it runs and afterwards, and in the journal where the connection ends."""
    jetstream = host(rate=400.0)
    world = bluesky(jetstream)
    _run(world, 10)
    kept = world.kept()
    sent = [jetstream.network.event(number) for number in _sent(world, 0)]
    passed = sum(is_post(each) and each.body["operation"] != "delete" for each in sent)
    ended = world.events("disconnect")[-1]
    posts = sum(jetstream.network.event(number).body.get("operation") == "create" for number in kept)
    # What was still in flight when the program left was sent, and is not counted.
    assert 0 < ended["unmatched"] <= passed - posts
    assert world.status()["unmatched_today"] == ended["unmatched"]


def test_a_daily_limit_holds_and_survives_a_kill(host: Hosts, bluesky: Worlds) -> None:
    """What was received and lost with the kill is counted; so the files may hold a second's lines less."""
    world = bluesky(host(), everything=True, budget={"per_day": 150, "price": 0.0})
    running = world.start(patch=PATCH)
    world.kept_more(40)
    running.kill()
    running = world.start(patch=PATCH)
    world.waits("day", state="budget")
    connects = len(world.events("connect"))
    running.stop()
    running = world.start(patch=PATCH)
    world.waits("day", state="budget")
    running.stop()
    assert len(world.events("connect")) == connects
    # What arrives while the limit is looked at is kept, and counted.
    assert 150 <= world.status()["today"] <= 155
    assert 80 <= len(lines_of(world)) <= 155
    nothing_missing_and_nothing_twice(world)


@wires
def test_files_that_were_sorted_into_the_tree_are_known_at_the_next_start(
    host: Hosts, bluesky: Worlds, wire: int
) -> None:
    """What a replay brings again is told by lines that organizedata has moved, also to an archive elsewhere."""
    world = bluesky(host(rate=400.0), wire=wire, everything=True)
    _run(world, 50)
    archive = world.folder / "archive"
    archive.mkdir()
    moved = [*(sys.executable, "-m", "sfm_stream", "organizedata"), "--dir", str(world.data)]
    subprocess.run([*moved, "--state-dir", str(world.state), "--archive-dir", str(archive)], check=True)
    files = sorted(archive.rglob("*.jsonl.*"))
    assert files
    _run(world, 50)
    for path in files:
        path.rename(world.data / path.name)
    nothing_missing_and_nothing_twice(world)


def test_a_lost_status_costs_nothing(host: Hosts, bluesky: Worlds) -> None:
    """The position is taken from the last line that was kept."""
    world = bluesky(host(rate=400.0), everything=True)
    _run(world, 20)
    (world.state / "status" / f"{world.program}.json").write_bytes(b"\0" * 100)
    time.sleep(1)
    _run(world, 20)
    nothing_missing_and_nothing_twice(world)
    assert _gaps(world)[-1]["recovered"] is True


def test_a_kill_before_the_first_line_does_not_take_the_gap_with_it(host: Hosts, bluesky: Worlds) -> None:
    """Connected, and killed before it is known whether the gap is replayed: the next start tells of all of it."""
    jetstream = host(rate=400.0)
    world = bluesky(jetstream, everything=True)
    _run(world)
    jetstream.order({"do": "quiet", "seconds": 30.0})
    running = world.start(patch=PATCH)
    world.connected(2)
    running.kill()
    _run(world)
    gap = _gaps(world)[0]
    assert gap["recovered"] is True
    assert seconds(gap["start"]) <= seconds(world.events("stop")[0]["time"])
    nothing_missing_and_nothing_twice(world)


def test_a_slow_disk_holds_the_reader_back_and_loses_nothing(host: Hosts, bluesky: Worlds) -> None:
    """A buffer that is full is no reason to drop what would be replayed."""
    jetstream = host(rate=1000.0, write_limit=0.5)
    world = bluesky(jetstream, everything=True)
    small = "from sfm_stream.capture import buffer; import functools, time\n"
    small += "from sfm_stream.capture import recorder, segment\n"
    small += "recorder.Buffer = functools.partial(buffer.Buffer, limit=20_000)\n"
    small += "write = segment.Segment.write\n"
    small += "def slowly(*a):\n    time.sleep(0.05); write(*a)\n"
    small += "segment.Segment.write = slowly"
    running = world.start(patch=f"{PATCH}\n{small}")
    world.connected()
    time.sleep(3)
    running.stop()
    assert not world.events("overflow")
    assert not world.events("unread")
    _run(world, 200)
    nothing_missing_and_nothing_twice(world)
