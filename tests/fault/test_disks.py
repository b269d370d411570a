"""What a program does when the disk is full, fails, or is slow."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fault.compare import compare, lines_of, nothing_missing
from tests.fault.world import World
from tests.support.simulator import Simulator
from tests.support.waiting import until

SOON = "from sfm_stream.capture import guards; guards.DISK_CHECK = 0.2"
MIB = 1 << 20


class Mounted:
    """A small filesystem of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "ballast"

    def fill(self, but: int) -> None:
        """Fills it, but for so many bytes."""
        self.clear()
        left = os.statvfs(self.place)
        self._ballast.write_bytes(b"\0" * max(0, left.f_bavail * left.f_frsize - but))

    def clear(self) -> None:
        """Makes room."""
        self._ballast.unlink(missing_ok=True)

    def remount(self, how: str) -> None:
        """Makes it ``ro`` or ``rw``."""
        subprocess.run(["mount", "-o", f"remount,{how}", self.place], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Mounted]:
    """A tmpfs of 6 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "sfm-fault", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"NOT PROVED HERE: full disks need a mount, and this user may make none: {done.stderr.strip()}")
    yield Mounted(place)
    subprocess.run(["umount", "-l", place], check=True)


def test_below_its_floor_a_stream_ends_cleanly_and_goes_on_with_room(
    make_world: Callable[..., World], small_disk: Mounted
) -> None:
    """Before the disk is full no post is paid for that cannot be kept; both the stop and the going on are journaled."""
    world = make_world(min_free="2M", data_dir=str(small_disk.place))
    world.data = small_disk.place
    running = world.start(patch=SOON)
    world.connected()
    world.sent_more(10)
    small_disk.fill(but=MIB)
    status = world.waits("min_free", state="disk")
    assert status["floor"] == 2 * MIB
    until(lambda: not world.connections(), "the end of the connection of", world)
    sent = len(world.sent())
    small_disk.clear()
    world.connected(2)
    assert len(world.sent()) >= sent
    world.sent_more(10)
    running.stop()
    assert [event["action"] for event in world.events("disk")] == ["stops", "goes on"]
    (gap,) = world.events("gap")
    assert "disk" in gap["cause"]
    assert not gap["planned"]
    nothing_missing(world)


def test_a_stream_does_not_begin_on_a_full_disk(make_world: Callable[..., World], small_disk: Mounted) -> None:
    """It waits for room, connects when there is some, and ends at once if asked to."""
    world = make_world(min_free="50%", data_dir=str(small_disk.place))
    world.data = small_disk.place
    small_disk.fill(but=MIB)
    running = world.start(patch=SOON)
    world.waits("min_free", state="disk")
    assert world.answers("GET", "/2/tweets/search/stream") == []
    running.stop()
    running = world.start(patch=SOON)
    world.waits("min_free", state="disk")
    small_disk.clear()
    world.connected()
    world.sent_more(10)
    running.stop()
    nothing_missing(world)


@pytest.mark.parametrize(("where", "compression"), [("data", "gzip"), ("data", "zstd"), ("state", "gzip")])
def test_a_full_disk_ends_the_program_with_73_and_keeps_what_was_flushed(
    make_world: Callable[..., World], small_disk: Mounted, where: str, compression: str
) -> None:
    """Without a floor the disk runs full: the program says so, and the next start salvages what is there."""
    world = make_world(min_free="0", compression=compression, **{f"{where}_dir": str(small_disk.place)})
    setattr(world, where, small_disk.place)
    running = world.start("--interval", "2")
    world.connected()
    world.sent_more(60)
    small_disk.fill(but=0)
    assert running.left() == 73
    lines = [line for line in running.log.splitlines() if line.startswith("sfm-stream: ")]
    assert len(lines) == 1
    assert "No space left" in lines[0]
    assert str(small_disk.place) in lines[0]
    assert "Traceback" not in running.log
    again = world.start()
    assert again.left() == 73
    small_disk.clear()
    last = world.start()
    until(lambda: len(world.events("connect")) >= 2, "a connect after there is room in", world)
    world.sent_more(10)
    last.stop()
    compare(world, slack=4)


def test_a_read_only_disk_ends_the_program_with_73(make_world: Callable[..., World], small_disk: Mounted) -> None:
    """As a kernel makes it after errors; when it is writable again, the segment is salvaged."""
    world = make_world(min_free="0", data_dir=str(small_disk.place))
    world.data = small_disk.place
    running = world.start("--interval", "1")
    world.connected()
    world.sent_more(60)
    until(lambda: _remounted(small_disk), "a moment without an open segment in", world)
    assert running.left() == 73
    assert "Read-only" in running.log
    again = world.start()
    assert again.left() == 73
    small_disk.remount("rw")
    last = world.start()
    world.connected(2)
    world.sent_more(10)
    last.stop()
    compare(world, slack=4)


def _remounted(disk: Mounted) -> bool:
    """A filesystem with a file that is open for writing cannot be made read-only: between two segments it can."""
    try:
        disk.remount("ro")
    except subprocess.CalledProcessError:
        return False
    return True


FAILING = """
import errno, os, sys
from pathlib import Path
real = os.{call}
def failing(descriptor, *rest):
    if Path({flag!r}).exists() and os.readlink(f"/proc/self/fd/{{descriptor}}").endswith(".part"):
        raise OSError(errno.{error}, os.strerror(errno.{error}))
    return real(descriptor, *rest)
os.{call} = failing
"""


@pytest.mark.parametrize(
    ("call", "error", "world"),
    [("write", "EIO", "gzip"), ("write", "EIO", "zstd"), ("fdatasync", "EIO", "gzip"), ("fsync", "EIO", "zstd")],
    indirect=["world"],
)
def test_a_failing_disk_ends_the_program_with_73(world: World, call: str, error: str) -> None:
    """EIO from any call: the process says so, and what was flushed before is salvaged."""
    flag = world.folder / "broken"
    patch = "from sfm_stream.capture import sink; sink.SYNC = 0.5\n" + FAILING.format(
        call=call, error=error, flag=str(flag)
    )
    running = world.start("--interval", "3", patch=patch)
    world.connected()
    world.sent_more(90)
    flag.touch()
    assert running.left() == 73
    assert "Input/output error" in running.log
    assert "Traceback" not in running.log
    last = world.start()
    world.connected(2)
    world.sent_more(5)
    last.stop()
    compare(world, slack=4)


SLOW = """
import os, time
for name in ("write", "fdatasync", "fsync"):
    def slow(descriptor, *rest, real=getattr(os, name)):
        if os.readlink(f"/proc/self/fd/{{descriptor}}").endswith(".part"):
            time.sleep({seconds})
        return real(descriptor, *rest)
    setattr(os, name, slow)
"""


def test_a_slow_disk_stalls_no_socket_and_loses_nothing(
    simulator: Callable[..., Simulator], make_world: Callable[..., World]
) -> None:
    """While a write takes seconds the buffer fills, its high-water mark is in the status, and X never waits."""
    world = make_world(simulator("--rate", "250", "--buffer", "200"), kind="streamsample")
    running = world.start(patch=SLOW.format(seconds=1.2))
    world.connected()
    world.sent_more(500)
    until(lambda: world.status().get("buffer_high", 0) > 100_000, "a high-water mark in", world)
    running.send_term_and_wait(20)
    nothing_missing(world)
    assert len(world.events("connect")) == 1
    assert world.events("overflow") == []


@pytest.mark.parametrize("end", ["kill", "error"])
def test_what_waited_for_a_slow_disk_at_the_end_is_in_the_gap(
    simulator: Callable[..., Simulator], make_world: Callable[..., World], end: str
) -> None:
    """Killed, or ended by EIO, with posts of seconds unwritten: the gap begins with the first of them."""
    world = make_world(simulator("--rate", "250"), kind="streamsample", compression="zstd")
    flag = world.folder / "broken"
    running = world.start(patch=FAILING.format(call="write", error="EIO", flag=str(flag)) + SLOW.format(seconds=2.5))
    world.connected()
    until(lambda: world.status().get("buffer", 0) > 500_000, "posts that wait in", world)
    if end == "kill":
        running.kill()
    else:
        flag.touch()
        assert running.left() == 73
    again = world.start()
    world.connected(2)
    world.sent_more(20)
    again.stop()
    assert compare(world, slack=12).oldest > 1


def test_an_overflow_is_journaled_to_the_post(
    simulator: Callable[..., Simulator], make_world: Callable[..., World]
) -> None:
    """When even the buffer is full, what is dropped is counted: files and journal add up to what was sent."""
    world = make_world(simulator("--rate", "250"), kind="streamsample")
    tiny = "from sfm_stream.capture.buffer import Buffer; Buffer.__init__.__defaults__ = (60_000,)\n"
    running = world.start(patch=tiny + SLOW.format(seconds=0.7))
    world.connected()
    world.sent_more(500)
    world.happened("overflow", times=2)
    running.send_term_and_wait(20)
    compared = compare(world)
    dropped = sum(event["posts"] for event in world.events("overflow"))
    assert dropped > 0
    assert compared.kept + dropped == compared.sent
    assert compared.in_gaps == 0
    assert len(lines_of(world)) == compared.kept


def test_a_state_disk_that_is_full_at_start_is_73_and_one_line(world: World, small_disk: Mounted) -> None:
    """Nothing can be locked or journaled there: no traceback, no connection, no post paid for."""
    world.write_settings(state_dir=str(small_disk.place / "state"))
    (small_disk.place / "state").mkdir(exist_ok=True)
    small_disk.fill(but=0)
    running = world.start()
    assert running.left() == 73
    assert running.log.count("\n") == 1, running.log
    assert "No space left on device" in running.log
    assert world.sent() == []
