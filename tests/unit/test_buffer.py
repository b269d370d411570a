"""The bounded buffer between the reader and the writer."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.capture.buffer import CROWDED, STALLED, Buffer
from sfm_stream.capture.segment import Line


def line(text: bytes, arrived: float = 0.0) -> Line:
    return Line(text, arrived, "1")


_batches = st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=4)


@given(st.lists(st.one_of(_batches, st.integers(1, 60)), max_size=60), st.integers(1, 80))
def test_every_line_comes_out_in_order_or_is_counted_as_dropped(course: list[list[bytes] | int], limit: int) -> None:
    """Whatever is put and taken in whatever order, nothing is lost without being told, and the bound is kept."""
    buffer = Buffer(lambda: None, limit)
    put: list[bytes] = []
    taken: list[bytes] = []
    dropped = dropped_bytes = 0
    for step in course:
        if isinstance(step, list):
            put += step
            buffer.put([line(text) for text in step])
            assert buffer.size <= max([limit, *map(len, put)])
        else:
            taken += [each.raw for each in buffer.take(step)]
            if lost := buffer.overflow():
                dropped += lost.posts
                dropped_bytes += lost.bytes
    taken += [each.raw for each in buffer.take(1 << 30)]
    if lost := buffer.overflow():
        dropped += lost.posts
        dropped_bytes += lost.bytes
    assert len(taken) + dropped == len(put)
    assert sum(map(len, taken)) + dropped_bytes == sum(map(len, put))
    rest = iter(put)
    assert all(each in rest for each in taken), "the order of arrival"
    assert buffer.size == buffer.count == 0


def test_a_line_that_is_larger_than_the_buffer_passes_when_it_is_alone() -> None:
    """Not even a huge post is lost while the writer keeps up."""
    buffer = Buffer(lambda: None, limit=10)
    buffer.put([line(b"x" * 100)])
    assert [len(each.raw) for each in buffer.take(1)] == [100]
    assert buffer.overflow() is None


def test_what_was_dropped_is_told_once_with_its_times() -> None:
    """The journal says how much, and from when to when."""
    buffer = Buffer(lambda: None, limit=10)
    for second in range(4):
        buffer.put([line(b"12345678", 1_000_000_000 + second)])
    lost = buffer.overflow()
    assert lost is not None
    assert (lost.posts, lost.bytes) == (3, 24)
    assert lost.first_time == datetime.fromtimestamp(1_000_000_001, UTC)
    assert lost.last_time == datetime.fromtimestamp(1_000_000_003, UTC)
    assert buffer.overflow() is None


def test_a_take_ends_at_about_the_bytes_asked_for() -> None:
    """A batch has at least one line, and stops with the one that fills it."""
    buffer = Buffer(lambda: None)
    for _ in range(5):
        buffer.put([line(b"1234")])
    assert [len(buffer.take(most)) for most in (1, 5, 100, 100)] == [1, 2, 2, 0]


def test_the_writer_is_woken_by_the_first_line_only() -> None:
    """A wake for every line would cost a system call for every post."""
    woken: list[int] = []
    buffer = Buffer(lambda: woken.append(1))
    for _ in range(3):
        buffer.put([line(b"x")])
    buffer.take(100)
    buffer.put([line(b"x")])
    assert len(woken) == 2


def test_the_high_water_mark_stays() -> None:
    """It is the most that ever waited."""
    buffer = Buffer(lambda: None)
    for _ in range(3):
        buffer.put([line(b"1234")])
    buffer.take(100)
    assert (buffer.size, buffer.high_water) == (0, 12)


def test_a_reader_and_a_writer_do_not_disturb_each_other() -> None:
    """One thread puts while another takes; all lines come through in order."""
    filled = threading.Event()
    buffer = Buffer(filled.set)
    count = 20_000
    reader = threading.Thread(target=lambda: [buffer.put([line(b"%d" % number)]) for number in range(count)])
    taken: list[Line] = []
    reader.start()
    while len(taken) < count:
        filled.wait(5)
        filled.clear()
        while lines := buffer.take(1000):
            taken += lines
    reader.join()
    assert [each.raw for each in taken] == [b"%d" % number for number in range(count)]


def test_the_oldest_line_tells_since_when_posts_are_not_written() -> None:
    """None where none waits."""
    buffer = Buffer(lambda: None)
    assert buffer.oldest is None
    for second in (5, 6):
        buffer.put([line(b"x", second)])
    assert buffer.oldest == 5
    buffer.take(1)
    assert buffer.oldest == 6
    buffer.take(1)
    assert buffer.oldest is None


def test_a_reader_waits_for_a_writer_that_is_at_work_and_not_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lags for want of time is not made faster by more that waits; a slow disk must not stall the reader."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    buffer = Buffer(lambda: None)
    while buffer.size <= CROWDED:
        buffer.put([line(b"x" * 100_000)])
    assert not buffer.crowded, "nobody has taken anything yet"
    buffer.take(1)
    buffer.put([line(b"x" * 100_000)])
    assert buffer.crowded
    now[0] += STALLED
    assert not buffer.crowded
    buffer.take(CROWDED)
    assert not buffer.crowded
