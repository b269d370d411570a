"""The file that a stream is writing."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfm_stream.capture import check
from sfm_stream.capture.segment import MOST, Line, Segment
from sfm_stream.compression.content import Content
from sfm_stream.compression.formats import FORMATS, GZIP
from tests.support.disk import full_after

BEGUN = datetime(2026, 11, 24, 20, 15, 0, 999_999, tzinfo=UTC)
STEM = "twitterfilter-storms-2026-11-24T20-15-00Z.jsonl"


class Segments:
    """Of which format the segments are that `begin` makes."""

    kind = GZIP


@pytest.fixture(params=FORMATS, ids=lambda kind: kind.name, scope="module", autouse=True)
def name(request: pytest.FixtureRequest) -> str:
    """Every test is tried with either format; this is the capture file's name."""
    Segments.kind = request.param
    return f"{STEM}{request.param.suffix}"


def line(raw: bytes, post: str = "1", time: float = 0.0) -> Line:
    return Line(raw, time, post)


def begin(directory: Path) -> Segment:
    return Segment(directory, "twitterfilter-storms", BEGUN, Segments.kind)


def read_by_another(path: Path) -> bytes:
    """What another process can read of a file that is not complete."""
    script = """if True:
        import sys
        from sfm_stream.compression.content import opened
        with opened(sys.argv[1]) as content:
            sys.stdout.buffer.writelines(content)
    """
    return subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True).stdout


def text_of(path: Path) -> bytes:
    """The text of a whole file of the format."""
    content = Content([path.read_bytes()])
    text = b"".join(content)
    assert (content.format, content.ending) == (Segments.kind, "whole")
    return text


def test_a_segment_is_a_part_until_it_is_finished(tmp_path: Path, name: str) -> None:
    """Its name says that it is not complete; the finished file is the only thing left, and read-only."""
    segment = begin(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".{name}.part.check", name + ".part"]
    assert stat.S_IMODE(segment.path.stat().st_mode) & 0o137 == 0
    segment.write([line(b"{}")])
    finished = segment.finish()
    assert [path.name for path in tmp_path.iterdir()] == [name] == [finished.file]
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o440


def test_any_tool_reads_a_capture_file(tmp_path: Path, name: str) -> None:
    """`gzip -t` and `zstd -t` find it whole, `zcat` and `zstdcat` give the lines byte for byte."""
    tool, cat = ("gzip", "zcat") if Segments.kind is GZIP else ("zstd", "zstdcat")
    if shutil.which(tool) is None:
        pytest.skip(f"NOT PROVED HERE: there is no {tool}")
    segment = begin(tmp_path)
    raw = [b'{"data":{"id":"%d"}}' % number for number in range(1000)] + [b"\xff\x00 no UTF-8", "🌪".encode()]
    for one in raw:
        segment.write([line(one)])
    segment.sync()
    segment.finish()
    subprocess.run([tool, "-q", "-t", tmp_path / name], check=True)
    text = subprocess.run([cat, tmp_path / name], check=True, capture_output=True).stdout
    assert text.split(b"\n") == [*raw, b""]


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(["flush", "sync"])
        | st.lists(st.binary(min_size=1, max_size=50).filter(lambda raw: b"\n" not in raw), min_size=1, max_size=4),
        max_size=20,
    )
)
def test_the_lines_come_back_whatever_was_flushed_between(
    tmp_path_factory: pytest.TempPathFactory, course: list[str | list[bytes]]
) -> None:
    """Any course of writes, flushes and syncs: size, sum and lines of the finished file are as told."""
    directory = tmp_path_factory.mktemp("data")
    segment, raw = begin(directory), list[bytes]()
    for step in course:
        if isinstance(step, str):
            getattr(segment, step)()
            assert b"".join(Content([segment.path.read_bytes()])) == b"".join(one + b"\n" for one in raw)
        else:
            segment.write([line(one) for one in step])
            raw += step
    finished = segment.finish()
    content = (directory / finished.file).read_bytes()
    assert finished.bytes == len(content)
    assert finished.sha256 == hashlib.sha256(content).hexdigest()
    assert finished.posts == len(raw)
    assert text_of(directory / finished.file) == b"".join(one + b"\n" for one in raw)


@pytest.mark.parametrize("step", ["flush", "sync"])
def test_what_was_flushed_is_there_for_others_before_the_end(tmp_path: Path, step: str) -> None:
    """Another process reads every line, though the file has no end yet: so a kill -9 cannot take them."""
    segment = begin(tmp_path)
    segment.write([line(b"one"), line(b"two")])
    assert segment.unflushed
    assert segment.unsynced
    getattr(segment, step)()
    assert not segment.unflushed
    assert segment.unsynced is (step == "flush")
    assert read_by_another(segment.path) == b"one\ntwo\n"


def test_first_and_last_post_are_told(tmp_path: Path) -> None:
    """With the times of their arrival, in UTC."""
    segment = begin(tmp_path)
    segment.write([line(b"a", "11", 1_000_000_000.25)])
    segment.write([line(b"b", "22", 1_000_000_001), line(b"c", "33", 1_000_000_002)])
    finished = segment.finish()
    assert (finished.first_id, finished.last_id) == ("11", "33")
    assert finished.first_time == datetime.fromtimestamp(1_000_000_000.25, UTC)
    assert finished.last_time == datetime.fromtimestamp(1_000_000_002, UTC)


def test_a_segment_without_lines_is_a_whole_file_of_nothing(tmp_path: Path) -> None:
    """A segment that turned out not to be needed leaves no broken file."""
    finished = begin(tmp_path).finish()
    assert text_of(tmp_path / finished.file) == b""
    assert (finished.posts, finished.first_id, finished.first_time) == (0, None, None)


def test_a_second_segment_of_the_same_second_gets_a_number(tmp_path: Path) -> None:
    """Be the first still a segment or a capture file already; none is ever written over."""
    first, second = begin(tmp_path), begin(tmp_path)
    first.write([line(b"first")])
    second.write([line(b"second")])
    kept = first.finish()
    third = begin(tmp_path)
    third.write([line(b"third")])
    names = [kept.file, second.finish().file, third.finish().file]
    assert len(set(names)) == 3
    assert [text_of(tmp_path / name) for name in names] == [b"first\n", b"second\n", b"third\n"]


def test_a_name_is_not_given_twice_in_two_formats(tmp_path: Path, name: str) -> None:
    """Unpacked, they would be one name."""
    other = next(each for each in FORMATS if each is not Segments.kind)
    (tmp_path / f"{STEM}{other.suffix}").touch()
    assert begin(tmp_path).finish().file == name.replace("00Z.", "00Z_2.")


def _race(directory: Path, start: Event) -> None:
    start.wait()
    for _ in range(20):
        segment = begin(directory)
        segment.write([line(str(os.getpid()).encode())])
        segment.finish()


def test_two_processes_never_write_one_file(tmp_path: Path) -> None:
    """Names are taken exclusively: each of two racing processes has all its files, with its own line alone."""
    context = multiprocessing.get_context("fork")
    start = context.Event()
    racers = [context.Process(target=_race, args=(tmp_path, start)) for _ in range(2)]
    for racer in racers:
        racer.start()
    start.set()
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    lines = [text_of(path) for path in tmp_path.iterdir()]
    assert sorted(lines) == sorted(f"{racer.pid}\n".encode() for racer in racers for _ in range(20))


def test_what_was_flushed_before_the_disk_is_full_stays_readable(tmp_path: Path) -> None:
    """The write fails, and says so; the lines before it can be read."""
    segment = begin(tmp_path)
    segment.write([line(b"kept")])
    segment.sync()
    segment.write([line(os.urandom(1000).replace(b"\n", b""))])
    with full_after(segment.size + 100), pytest.raises(OSError, match="File too large"):
        segment.flush()
    assert read_by_another(segment.path).startswith(b"kept\n")


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    """It is not made silently: it may be a disk that is not mounted."""
    with pytest.raises(FileNotFoundError):
        begin(tmp_path / "gone")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: path.unlink(), "was removed"),
        (lambda path: path.rename(path.with_name("elsewhere")), "was removed"),
        (lambda path: shutil.rmtree(path.parent), "was removed"),
        (lambda path: (path.unlink(), path.write_bytes(b"")), "another file"),
        (lambda path: (path.unlink(), path.symlink_to("/dev/null")), "another file"),
        (lambda path: os.truncate(path, 3), "has 3 bytes"),
        (lambda path: path.open("ab").write(b"more"), "bytes"),
    ],
)
def test_what_is_done_to_a_segment_by_others_is_noticed(
    tmp_path: Path, harm: Callable[[Path], object], told: str
) -> None:
    """Removed, moved, replaced, cut or written to; and nothing is made of its own writes."""
    (tmp_path / "data").mkdir()
    segment = begin(tmp_path / "data")
    segment.write([line(b"{}")])
    assert segment.missing() is None
    segment.flush()
    assert segment.missing() is None
    harm(segment.path)
    assert told in (segment.missing() or "")


def test_each_flush_is_vouched_for(tmp_path: Path) -> None:
    """How far it reaches, its bytes' sum and when its first line arrived; at most so much waits for one."""
    segment = begin(tmp_path)
    for number in range(3):
        segment.write([line(b"%d" % number, time=number + 1), line(b"x", time=99)])
        segment.flush()
    raw, end = segment.path.read_bytes(), 0
    flushes = list(check.read(segment.path) or ())
    for flush in flushes:
        assert flush.crc == zlib.crc32(raw[end : flush.end])
        end = flush.end
    assert end == len(raw)
    assert [flush.since for flush in flushes] == [1, 2, 3]
    segment.write([line(os.urandom(MOST).hex().encode())])
    assert len(list(check.read(segment.path) or ())) == 4
