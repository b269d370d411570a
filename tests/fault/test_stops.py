"""What signals do at odd moments, and what a program remembers over restarts."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from sfm_stream.compression.formats import BY_NAME
from tests.fault.compare import kept_ids, lines_of, seconds
from tests.fault.world import World, in_both_formats
from tests.support.waiting import until

STREAM = "/2/tweets/search/stream"
AT_IMPORT = """
import os, signal, sys

class Finder:
    def find_spec(name, *_):
        if name == "click" and Finder.first:
            Finder.first = False
            os.kill(os.getpid(), signal.SIGHUP)
    first = True

sys.meta_path.insert(0, Finder)
"""
"""A SIGHUP as soon as the program begins to import what it needs, long before it has a handler."""


def test_a_hangup_before_there_is_a_handler_is_kept_for_it(world: World) -> None:
    """A deployment changes the rules of a program that has just been started: it does not die, and reads them again."""
    running = world.start(patch=AT_IMPORT)
    world.connected()
    until(lambda: "settings read again" in running.log, "the settings read again by", world)
    running.stop()


def _leave_a_segment(world: World, megabytes: int) -> list[bytes]:
    draw = random.Random(1)
    lines = [
        json.dumps({"data": {"id": str(number), "text": draw.randbytes(500).hex()}}).encode()
        for number in range(megabytes * 1000)
    ]
    world.data.mkdir(parents=True, exist_ok=True)
    kind = BY_NAME[str(world.settings["compression"])]
    compressor = kind.at(1).compressor()
    segment = world.data / f"{world.program}-2026-11-24T20-15-00Z.jsonl{kind.suffix}.part"
    segment.write_bytes(compressor.compress(b"".join(line + b"\n" for line in lines)) + compressor.flush())
    return lines


SLOWLY = """
import time
from sfm_stream.capture import salvage
write = salvage.write_all

def slowly(descriptor, content):
    time.sleep(0.5)
    write(descriptor, content)

salvage.write_all = slowly
"""


@in_both_formats
def test_a_stop_during_a_salvage_is_prompt_and_the_next_start_goes_on(world: World) -> None:
    """The salvage of a large segment takes as long as it takes, but a stop does not."""
    lines = _leave_a_segment(world, 8)
    running = world.start(patch=SLOWLY)
    until(lambda: list(world.data.glob(".*.salvage")), "a salvage in", world)
    time.sleep(1)
    assert running.stop() < 2
    assert world.events("stop")[0]["planned"]
    assert world.events("salvage") == []
    again = world.start()
    world.connected()
    again.stop()
    kept = lines_of(world)
    assert [line for line in kept if line in set(lines)] == lines
    assert list(world.data.glob(".*")) == []


def test_a_stop_does_not_wait_for_whoever_does_not_read_what_is_printed(world: World) -> None:
    """Without ``--save``, into a pipe that is full."""
    command = [sys.executable, "-m", "sfm_stream", *world.arguments, "--config-dir", str(world.folder / "config")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            until(lambda: len(world.sent()) > 150, "150 posts sent to", world)
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
            assert b"posts that nobody read" in process.stderr.read()
        finally:
            process.kill()


SLOW_READER = """
import time
from sfm_stream.capture import buffer
put = buffer.Buffer.put

def slowly(self, lines):
    for line in lines:
        time.sleep(0.1)
        put(self, [line])

buffer.Buffer.put = slowly
"""


def test_a_stop_with_a_backlog_names_what_stayed_unread(world: World) -> None:
    """X has sent more than the reader could take: how much is in the journal, and `gaps` tells it as a loss."""
    running = world.start(patch=SLOW_READER)
    world.connected()
    until(lambda: len(world.sent()) > 300, "300 posts sent to", world)
    running.stop()
    unread = world.events("unread")[0]
    assert unread["posts"] > 5
    # The rest of what X has sent had not reached this host: its kernel has no more room for so slow a reader.
    assert len(kept_ids(world)) + unread["posts"] <= len(world.sent())
    command = [sys.executable, "-m", "sfm_stream", "gaps", "--config-dir", str(world.folder / "config")]
    gaps = subprocess.run(command, capture_output=True, text=True)
    assert gaps.returncode == 3
    assert f"{unread['posts']} posts" in gaps.stdout
    assert "left unread by a stop" in gaps.stdout


def test_refused_connects_count_over_restarts(world: World) -> None:
    """X counts every try, granted or not; a program that is killed and started again does not begin anew."""
    world.order({"do": "refuse", "status": 503, "times": 0})
    few = "from sfm_stream.sources.x import backoff as b; b.SERVER_FIRST = b.SERVER_MAX = 0.05; b.CONNECTS = 6"
    for tries in (2, 4):
        running = world.start(patch=few)
        until(lambda least=tries: len(world.answers("GET", STREAM)) >= least, "tries of", world)
        running.kill()
    running = world.start(patch=few)
    assert re.search(r"next try in [789]\d\d s", world.waits("next try in")["detail"])
    running.stop()
    assert 5 <= len(world.answers("GET", STREAM)) <= 6, "one of the six may have been killed before it was made"


def test_somebody_elses_connection_of_the_same_second_is_left_alone(world: World) -> None:
    """Neither the time nor the address makes it ours: X has said which one ours was."""
    running = world.start()
    connected = world.connected()
    world.happened("slot", action="ours")
    running.kill()
    until(lambda: not world.connections(), "no connection of", world)
    headers = {"Authorization": f"Bearer {world.token}"}
    with urllib.request.urlopen(urllib.request.Request(world.simulated.url + STREAM, headers=headers), timeout=60):
        (theirs,) = until(world.connections, "the other connection")
        # So quick that by its time alone it would be ours; else the test has nothing to say.
        if abs(seconds(theirs["connected_at"]) - seconds(connected["time"])) > 3:
            pytest.skip("the machine is too slow")
        again = world.start(patch="from sfm_stream.sources.x import backoff as b; b.LIMIT_FIRST = 0.5")
        world.waits("another program holds the slot")
        assert [each["id"] for each in world.connections()] == [theirs["id"]]
        assert world.answers("DELETE", "/2/connections") == []
        again.stop()
