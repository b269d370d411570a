"""What is left when a program ends at any moment, and what the next one makes of it."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sfm_stream.clock import now
from sfm_stream.compression.content import Content
from sfm_stream.record import gaps, last_run
from sfm_stream.record.journal import read
from tests.fault.compare import Compared, capture_files, compare, kept_ids, nothing_missing, seconds
from tests.fault.world import COMPRESSIONS, World, in_both_formats
from tests.support.simulator import Simulator
from tests.support.waiting import until

FREELY = "from sfm_stream.sources.x import backoff; backoff.CONNECTS = 1_000_000"
STREAMS = 4
"""Worlds at a time in the long runs."""


def _end_at_random(world: World, number: signal.Signals, rounds: int, seed: int, *options: str) -> list[float]:
    """Starts the program and ends it after up to two seconds, again and again, and once more in peace."""
    moments = random.Random(seed)
    took: list[float] = []
    for round_ in range(1, rounds + 1):
        running = world.start(*options, patch=FREELY)
        until(lambda n=round_: len(world.events("start")) >= n, "start", round_, "in", world)
        time.sleep(moments.choice((moments.uniform(0, 0.3), moments.uniform(0, 2))))
        if number is signal.SIGKILL:
            running.kill()
        else:
            took.append(running.stop())
    running = world.start(*options, patch=FREELY)
    connects = len(world.events("connect"))
    until(lambda: len(world.events("connect")) > connects, "the last connect in", world)
    world.sent_more(20)
    running.stop()
    return took


def _all(make_world: Callable[..., World], simulated: Simulator, run: Callable[[World, int], object]) -> list[World]:
    worlds = [make_world(simulated, compression=COMPRESSIONS[number % 2]) for number in range(STREAMS)]
    with ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(run, worlds, range(STREAMS)))
    return worlds


def _sum(compared: list[Compared]) -> str:
    total = Compared(*(round(sum(each), 2) for each in zip(*compared, strict=True)))
    return str(total._replace(oldest=max(each.oldest for each in compared)))


@pytest.mark.timeout(1500)
def test_kill_9_at_any_moment_loses_no_more_than_a_journaled_gap(
    full: bool,
    simulator: Callable[..., Simulator],
    make_world: Callable[..., World],
    figures: list[str],
) -> None:
    """200 times in the full form: no unreadable file, nothing missing outside the gaps, and the gaps add up."""
    rounds = 50 if full else 3
    simulated = simulator("--rate", "100", "--connects", "100000")
    worlds = _all(make_world, simulated, lambda world, seed: _end_at_random(world, signal.SIGKILL, rounds, seed))
    compared = [compare(world) for world in worlds]
    figures.append(f"{rounds * STREAMS} kill -9: {_sum(compared)}")
    assert max(each.oldest for each in compared) <= 5
    assert all(each.sent > 0 for each in compared)


@pytest.mark.timeout(1500)
def test_sigterm_at_any_moment_loses_nothing_at_all(
    full: bool, simulator: Callable[..., Simulator], make_world: Callable[..., World], figures: list[str]
) -> None:
    """200 times in the full form: all that X sent is in the files, and every end takes less than two seconds or so."""
    rounds = 50 if full else 3
    simulated = simulator("--rate", "100", "--connects", "100000")
    took: list[float] = []
    worlds = _all(
        make_world, simulated, lambda world, seed: took.extend(_end_at_random(world, signal.SIGTERM, rounds, seed))
    )
    compared = [nothing_missing(world) for world in worlds]
    figures.append(
        f"{rounds * STREAMS} SIGTERM: {_sum(compared)}; slowest {max(took):.2f} s, mean {sum(took) / len(took):.2f} s"
    )
    assert all(each.in_gaps == each.overflowed == 0 for each in compared)


def test_kill_9_while_files_rotate_leaves_only_whole_files(
    simulator: Callable[..., Simulator], make_world: Callable[..., World]
) -> None:
    """Five files a second, and a kill amid them: each is whole, and the journal knows each."""
    simulated = simulator("--rate", "100", "--connects", "100000")
    worlds = [make_world(simulated, compression=each) for each in COMPRESSIONS]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda world: _end_at_random(world, signal.SIGKILL, 5, 7, "--interval", "0.2"), worlds))
    for world in worlds:
        compare(world)


def test_sigterm_while_files_rotate_loses_nothing(world: World) -> None:
    """Five files a second, and a stop amid them."""
    _end_at_random(world, signal.SIGTERM, 8, 8, "--interval", "0.2")
    nothing_missing(world)
    assert len(capture_files(world)) > 4


def test_a_second_process_of_the_same_name_ends_with_75(world: World) -> None:
    """The first one is not disturbed, and none of its files is touched."""
    first = world.start()
    world.connected()
    world.sent_more(10)
    second = world.start()
    assert second.left() == 75
    assert f"pid {first.process.pid}" in second.log
    world.sent_more(10)
    first.stop()
    assert len(world.events("start")) == 1
    nothing_missing(world)


def test_starts_within_one_second_do_not_collide(world: World) -> None:
    """Files begun in the same second get names of their own."""
    _end_at_random(world, signal.SIGTERM, 2, 1, "--interval", "0.15")
    nothing_missing(world)
    names = [path.name for path in capture_files(world)]
    assert [name for name in names if re.search(r"Z[-_]\d+\.jsonl\.gz$", name)]


STEP = """
import datetime, os, time
from sfm_stream import clock
real = time.time
def stepped():
    return real() - (3600 if os.path.exists({flag!r}) else 0)
time.time = stepped
clock.now = lambda: clock.milliseconds(datetime.datetime.fromtimestamp(stepped(), datetime.UTC))
"""


def test_a_clock_that_steps_back_loses_nothing(world: World) -> None:
    """An hour back while it runs, with files that rotate, and back again at the next start."""
    flag = world.folder / "step"
    running = world.start("--interval", "0.4", patch=STEP.format(flag=str(flag)))
    world.connected()
    until(lambda: world.events("rotate"), "a file before the step in", world)
    flag.touch()
    until(lambda: (e := world.events("rotate")) and e[-1]["time"] < e[0]["time"], "files after the step in", world)
    world.sent_more(30)
    running.stop()
    again = world.start("--interval", "0.4", patch=STEP.format(flag=str(flag)))
    world.connected(2)
    world.sent_more(30)
    again.stop()
    sent = [event["id"] for event in world.sent()]
    assert sorted(kept_ids(world)) == sorted(sent)
    assert not list(world.data.glob("*.part"))
    covered = gaps.coverage("x", read(world.state / "journal" / f"{world.program}.jsonl"), None, now())
    assert covered.connected is not None
    assert 0 <= covered.connected <= 1
    assert all(gap.seconds >= 0 for gap in covered.gaps)


def test_a_clock_that_was_ahead_at_the_kill_gives_no_gap_that_ends_before_it_begins(world: World) -> None:
    """Killed by a clock an hour ahead of the next start's: the gap is not negative, and what is left is salvaged."""
    ahead = STEP.replace("- (3600", "+ (3600")
    first = world.start(patch=ahead.format(flag="/"))
    world.connected()
    world.sent_more(20)
    until(lambda: world.status().get("posts_today"), "a status in", world)
    first.kill()
    second = world.start()
    world.connected(2)
    world.sent_more(20)
    second.stop()
    (gap,) = world.events("gap")
    assert gap["start"] <= gap["end"]
    assert gap["seconds"] >= 0


SYNCS = """
import os
real = os.fdatasync
def noted(descriptor):
    real(descriptor)
    name = os.readlink(f"/proc/self/fd/{{descriptor}}")
    if name.endswith(".part"):
        with open({path!r}, "a") as file:
            file.write(f"{{name}} {{os.fstat(descriptor).st_size}}\\n")
os.fdatasync = noted
"""
REBOOTED = "from pathlib import Path; from sfm_stream.record import last_run; last_run.BOOT = Path({path!r})"


def test_a_power_cut_keeps_all_up_to_the_last_sync(make_world: Callable[..., World]) -> None:
    """The segment as the disk has it: cut at the last sync, or with anything after it; the gap begins no later."""
    beyond = (b"", b"\0" * 300, b"garbage" * 4)  # less than a flush has
    worlds = [make_world(compression=each) for each in COMPRESSIONS for _ in beyond]
    with ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(_cut_the_power, worlds, beyond * len(COMPRESSIONS)))
    for world in worlds:
        compare(world, slack=12)


def _cut_the_power(world: World, beyond: bytes) -> None:
    syncs, boot = world.folder / "syncs", world.folder / "boot"
    boot.write_text("another run of the machine")
    running = world.start(patch=SYNCS.format(path=str(syncs)))
    world.connected()
    until(lambda: syncs.exists() and syncs.read_text().count("\n") >= 1, "a sync in", world)
    path, size = syncs.read_text().splitlines()[-1].split()
    segment = Path(path)
    # Flushed since, so that the check knows of more bytes than those that take the place of lost ones.
    until(lambda: segment.stat().st_size > int(size) + 300, "a flush after the sync in", world)
    running.kill()
    path, size = syncs.read_text().splitlines()[-1].split()
    stamp = segment.stat()
    synced = segment.read_bytes()[: int(size)]
    kept = len(list(Content([synced]).lines()))
    segment.write_bytes(synced + beyond)
    os.utime(segment, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    again = world.start(patch=REBOOTED.format(path=str(boot)))
    world.connected(2)
    world.sent_more(10)
    again.stop()
    assert world.events("salvage")[0]["posts"] == kept
    assert kept > 0


def test_a_torn_journal_is_healed(world: World) -> None:
    """An incomplete last line is taken off, and that is journaled; the gap is there all the same."""
    first = world.start()
    world.connected()
    world.sent_more(10)
    first.kill()
    journal = world.state / "journal" / f"{world.program}.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"time":"2026-')
    second = world.start()
    world.connected(2)
    second.stop()
    assert world.events("journal")[0]["torn_bytes"] == 14
    compare(world)


def test_a_dead_process_is_a_gap(world: World) -> None:
    """The time in which no process ran is in the journal: planned after a stop, a failure after a kill."""
    world.start()
    world.connected()
    world.sent_more(5)
    world.processes[0].stop()
    world.start()
    world.connected(2)
    world.sent_more(5)
    world.processes[1].kill()
    world.start()
    world.connected(3)
    world.processes[2].stop()
    assert [gap["planned"] for gap in world.events("gap")] == [True, False]
    compare(world)
    assert last_run.read(world.state, world.program).outage is not None


def test_the_gap_of_a_kill_begins_at_its_last_sign_of_life(world: World) -> None:
    """A program that was killed again before it could connect does not shorten the gap."""
    first = world.start()
    world.connected()
    world.sent_more(40)
    first.kill()
    killed = seconds(world.sent()[-1]["time"])
    world.order({"do": "refuse", "status": 503, "times": 2})
    for attempt in (1, 2):
        running = world.start()
        world.waits("server error")
        until(lambda n=attempt: len(world.events("refused")) >= n, "refused", attempt, "in", world)
        running.kill()
    last = world.start()
    world.connected(2)
    last.stop()
    (gap,) = world.events("gap")
    assert seconds(gap["start"]) <= killed + 1
    compare(world)


@in_both_formats
def test_a_half_salvaged_segment_is_salvaged_again(world: World) -> None:
    """Killed amid a salvage, the next start begins it anew and leaves no trace of the first."""
    first = world.start()
    world.connected()
    world.sent_more(30)
    until(lambda: list(world.data.glob("*.part")), "a segment in", world)
    first.kill()
    (segment,) = world.data.glob("*.part")
    (world.data / f".{segment.name}.salvage").write_bytes(segment.read_bytes()[:15])
    second = world.start()
    world.connected(2)
    second.stop()
    compare(world)


DIES = """
import os, signal
from sfm_stream.record import journal
from sfm_stream.capture import segment
from pathlib import Path
sync, write = segment.sync_directory, journal.Journal.write
def die_after_rename(path):
    sync(path)
    if {step!r} == "rename" and any(each.suffix in (".gz", ".zst") for each in Path(path).iterdir()):
        os.kill(os.getpid(), signal.SIGKILL)
def die_after_entry(self, event, /, **fields):
    write(self, event, **fields)
    if event == {step!r}:
        os.kill(os.getpid(), signal.SIGKILL)
segment.sync_directory, journal.Journal.write = die_after_rename, die_after_entry
"""


STEPS = ("start", "salvage", "rules", "gap", "connect", "rename", "rotate", "disconnect", "stop")
OF_FILES = ("salvage", "rename", "rotate")


def test_a_kill_after_any_one_step_is_made_good(make_world: Callable[..., World]) -> None:
    """Killed right after each entry of the journal, or after a rename and before its entry: the accounts agree."""
    worlds = [make_world(compression="gzip") for _ in STEPS] + [make_world(compression="zstd") for _ in OF_FILES]
    with ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(_die_and_go_on, worlds, STEPS + OF_FILES))
    for world in worlds:
        compare(world)


def _die_and_go_on(world: World, step: str) -> None:
    first = world.start()
    world.connected()
    world.sent_more(40)
    first.kill()
    world.write_settings(rules=[{"name": "main", "track": ["the", "in", "for", "election", "flood", "a"]}])
    dying = world.start("--interval", "0.5", patch=DIES.format(step=step))
    if step in {"disconnect", "stop"}:
        world.connected(2)
        world.sent_more(10)
        dying.send(signal.SIGTERM)
    assert dying.left() == -signal.SIGKILL
    connects = len(world.events("connect"))
    last = world.start()
    world.connected(connects + 1)
    world.sent_more(20)
    last.stop()
