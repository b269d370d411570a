"""Proper capture files of what a crash has left behind."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sfm_stream.capture import check
from sfm_stream.capture.salvage import examine, finished, leftovers, salvage
from sfm_stream.capture.segment import Line, Segment
from sfm_stream.compression.content import Content
from sfm_stream.compression.formats import FORMATS, GZIP, Format
from sfm_stream.sources.x.envelope import classify
from tests.support.passable import passable

PROGRAM = "twitterfilter-storms"
BEGUN = datetime(2026, 11, 24, 20, 15, tzinfo=UTC)
LONG_AGO = 1_000_000_000.0
SYNCED, ALL = 12, 30
LAST = "2026-11-24T20-15-00Z.jsonl"
WORDS = ["hail", "rain", "snow", "wind", "天气", "🌪", "storm", "\t", "\N{LINE SEPARATOR}"]


class Segments:
    """Of which format the segments are that the helpers below make."""

    kind = GZIP


@pytest.fixture(params=FORMATS, ids=lambda kind: kind.name, scope="module", autouse=True)
def kind(request: pytest.FixtureRequest) -> Format:
    """Every test is tried with either format."""
    Segments.kind = request.param
    return request.param


def posts(seed: int) -> list[bytes]:
    """Lines as X sends them, of which each seed has others."""
    chance = random.Random(seed)
    texts = (" ".join(chance.choices(WORDS, k=chance.randint(1, 40))) for _ in range(ALL))
    return [
        json.dumps({"data": {"id": str(n), "text": text}}, ensure_ascii=False).encode() for n, text in enumerate(texts)
    ]


def crashed(directory: Path, lines: list[bytes], *, synced: int = SYNCED, program: str = PROGRAM) -> tuple[Path, int]:
    """A segment that was synced after some lines, and flushed after the rest; and its size at the sync."""
    segment = Segment(directory, program, BEGUN, Segments.kind)
    if lines[:synced]:
        segment.write([Line(raw, LONG_AGO, "") for raw in lines[:synced]])
    segment.sync()
    size = segment.path.stat().st_size
    for raw in lines[synced:]:
        segment.write([Line(raw, LONG_AGO, "")])
        segment.flush()
    return segment.path, size


def text_of(path: Path) -> list[bytes]:
    """The lines of a whole file, which ends with a line's end."""
    content = Content([path.read_bytes()])
    lines = list(content.lines())
    assert (content.format, content.ending, content.rest) == (Segments.kind, "whole", b"")
    return lines


def damaged(raw: bytes, at: int, kind: str, seed: int) -> bytes:
    """What a power cut may leave: nothing, zeros or anything beyond an offset."""
    length = len(raw) - at
    tail = {"cut": b"", "zeros": b"\0" * length, "garbage": random.Random(seed).randbytes(length + 300)}[kind]
    return raw[:at] + tail


def sound_lines(path: Path, at: int) -> int:
    """The lines of a segment in the flushes that end at `at` or before."""
    ends = [flush.end for flush in check.read(path) or () if flush.end <= at]
    return len(list(Content([path.read_bytes()[: ends[-1]]]).lines())) if ends else 0


@settings(max_examples=150)
@example(seed=0, share=0.9921875, kind="zeros", noise=0)
@given(st.integers(0, 5), st.floats(0, 1), st.sampled_from(["cut", "zeros", "garbage"]), st.integers())
def test_all_that_is_certain_is_kept_wherever_the_segment_ends(
    tmp_path_factory: pytest.TempPathFactory, seed: int, share: float, kind: str, noise: int
) -> None:
    """Cut off, zeroed or overwritten from any byte: what was flushed before it is kept, and not one line besides."""
    directory = tmp_path_factory.mktemp("data")
    lines = posts(seed)
    path, _ = crashed(directory, lines)
    raw = path.read_bytes()
    at = round(share * len(raw))
    sound = sound_lines(path, at)
    harmed = damaged(raw, at, kind, noise)
    path.write_bytes(harmed)
    saved = salvage(path, classify)
    kept = text_of(directory / saved.file) if saved.file else []
    assert kept == lines[: len(kept)]
    assert sound <= len(kept) <= sound + 1, "a byte of the last flush may be the same by accident"
    assert saved.posts == len(kept)
    assert (saved.aside is not None) == (kind == "garbage")
    if saved.aside:
        assert (directory / saved.aside).read_bytes() == harmed
    assert {child.name for child in directory.iterdir()} == {saved.file, saved.aside} - {None}


@settings(max_examples=150)
@given(st.integers(0, 5), st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=5))
def test_no_altered_line_is_kept_whatever_bytes_are_altered(
    tmp_path_factory: pytest.TempPathFactory, seed: int, changes: list[tuple[float, int]]
) -> None:
    """All before the first altered byte's flush is kept, all of the segment is kept aside, and both are told."""
    directory = tmp_path_factory.mktemp("data")
    lines = posts(seed)
    path, _ = crashed(directory, lines)
    whole = path.read_bytes()
    raw = bytearray(whole)
    for share, bits in changes:
        raw[min(round(share * len(raw)), len(raw) - 1)] ^= bits
    first = next((n for n, (new, old) in enumerate(zip(raw, whole, strict=True)) if new != old), None)
    sound = sound_lines(path, len(raw) if first is None else first)
    path.write_bytes(raw)
    saved = salvage(path, classify)
    kept = text_of(directory / saved.file) if saved.file else []
    assert kept == lines[:sound]
    if first is None:
        assert saved.aside is None
    elif saved.torn_bytes == 0:
        assert saved.aside == f"{PROGRAM}-{LAST}{Segments.kind.suffix}.damaged"
        assert (directory / saved.aside).read_bytes() == raw
        assert saved.aside_lines is not None
        assert saved.aside_since is not None


def test_the_lines_of_a_damaged_part_are_counted_as_far_as_they_can_be_read(tmp_path: Path) -> None:
    """An altered letter makes nothing unreadable: all lines from it on are in the file that is kept aside."""
    segment = Segment(tmp_path, PROGRAM, BEGUN, Segments.kind.at(0))  # of gzip, one that takes letters as they are
    for number in range(10):
        storm = b"storm" if number == 6 else b"%s" % random.Random(number).randbytes(30).hex().encode()
        segment.write([Line(b'{"data":{"id":"%d","text":"%s"}}' % (number, storm), 1000.0 + number, str(number))])
        segment.flush()
    raw = segment.path.read_bytes()
    assert raw.count(b"storm") == 1, "letters that stand in the file as they are"
    segment.path.write_bytes(raw.replace(b"storm", b"sworn"))
    saved = salvage(segment.path, classify)
    assert (saved.posts, saved.last_id, saved.aside_lines) == (6, "5", 4)
    assert saved.aside_since == datetime.fromtimestamp(1006, UTC)
    assert saved.file is not None
    assert b"sworn" not in b"".join(text_of(tmp_path / saved.file))


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "directory"])
def test_a_damaged_check_keeps_what_it_vouches_for_and_the_rest_aside(tmp_path: Path, harm: str) -> None:
    """What it does not vouch for is not certain; and nothing is lost of it."""
    lines = posts(1)
    path, _ = crashed(tmp_path, lines, synced=3)
    proof = check.path_of(path)
    raw = proof.read_bytes()
    entry = len(raw) // len(list(check.read(path) or ()))
    segment = path.read_bytes()
    if harm == "cut":
        proof.write_bytes(raw[: 5 * entry + 3])
    elif harm == "flipped":
        proof.write_bytes(raw[: 5 * entry] + bytes([raw[5 * entry] ^ 1]) + raw[5 * entry + 1 :])
    elif harm == "empty":
        proof.write_bytes(b"")
    else:
        proof.unlink()
        proof.mkdir()
    sound = 7 if harm in {"cut", "flipped"} else 0
    saved = salvage(path, classify)
    assert saved.posts == sound
    assert saved.aside is not None
    assert (tmp_path / saved.aside).read_bytes() == segment
    assert saved.aside_lines == ALL - sound


def test_a_segment_of_a_release_without_checks_is_trusted_as_far_as_nothing_speaks_against_it(tmp_path: Path) -> None:
    """A process that is killed alters nothing: its lines are kept, and told as unchecked; of a damaged one, none is."""
    lines = posts(2)
    path, _ = crashed(tmp_path, lines)
    check.path_of(path).unlink()
    raw = path.read_bytes()
    path.write_bytes(raw[:-3])
    saved = salvage(path, classify)
    assert saved.posts == saved.unchecked
    assert saved.posts >= ALL - 1
    path.write_bytes(raw[: len(raw) // 2] + bytes(byte ^ 255 for byte in raw[len(raw) // 2 :]))
    saved = salvage(path, classify)
    assert (saved.file, saved.posts, saved.unchecked) == (None, 0, None)
    assert saved.aside is not None


def test_each_offset_of_a_segment_yields_what_was_flushed_up_to_there(tmp_path: Path) -> None:
    """Cut at every single byte of a small segment: exactly the lines of whole flushes."""
    lines = posts(1)[:6]
    path, _ = crashed(tmp_path, lines, synced=3)
    raw, proof = path.read_bytes(), check.path_of(path).read_bytes()
    for at in range(len(raw) + 1):
        path.write_bytes(raw[:at])
        check.path_of(path).write_bytes(proof)
        path_lines = sound_lines(path, at)
        ends = [0, *(flush.end for flush in check.read(path) or () if flush.end <= at)]
        saved = salvage(path, classify)
        assert saved.torn_bytes == at - ends[-1]
        assert saved.posts == path_lines
        if path_lines:
            assert saved.file is not None
            assert text_of(tmp_path / saved.file) == lines[:path_lines]
            (tmp_path / saved.file).unlink()
        else:
            assert saved.file is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("zeros", range(1, 14))
def test_zeros_at_the_end_are_what_did_not_reach_the_disk(tmp_path: Path, zeros: int, checked: bool) -> None:
    """However few, over the last bytes or behind them, with or without a check: nothing is put aside for them."""
    lines = posts(1)
    for over in (True, False):
        path, _ = crashed(tmp_path, lines)
        if not checked:
            check.path_of(path).unlink()
        raw = path.read_bytes()
        path.write_bytes((raw[:-zeros] if over else raw) + b"\0" * zeros)
        saved = salvage(path, classify)
        assert saved.aside is None
        assert saved.posts >= ALL - over
        assert saved.file is not None
        assert text_of(tmp_path / saved.file) == lines[: saved.posts]
        (tmp_path / saved.file).unlink()


@pytest.mark.parametrize("zeros", [0, 1, 8, 9, 100])
def test_a_whole_file_is_known_by_its_own_sum_whatever_zeros_follow(tmp_path: Path, zeros: int) -> None:
    """It may end with zeros of its own."""
    lines = posts(2)
    path = tmp_path / f"{PROGRAM}-{LAST}{Segments.kind.suffix}.part"
    compressor = Segments.kind.compressor()
    raw = compressor.compress(b"".join(line + b"\n" for line in lines)) + compressor.finish()
    assert raw.endswith(b"\0") or Segments.kind is not GZIP
    path.write_bytes(raw + b"\0" * zeros)
    saved = salvage(path, classify)
    assert (saved.posts, saved.unchecked, saved.aside, saved.torn_bytes) == (ALL, None, None, 0)


def test_a_salvaged_file_is_as_told(tmp_path: Path) -> None:
    """Posts, ids, size, sum, torn bytes and the time of the last write are true; the file is read-only."""
    lines = posts(2)
    path, _ = crashed(tmp_path, lines)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    saved = salvage(path, classify)
    assert saved.file == path.name.removesuffix(".part")
    file = tmp_path / saved.file
    content = file.read_bytes()
    assert (saved.posts, saved.bytes, saved.torn_bytes) == (ALL, len(content), 0)
    assert saved.sha256 == hashlib.sha256(content).hexdigest()
    assert (saved.first_id, saved.last_id) == ("0", str(ALL - 1))
    assert saved.lost_after == datetime.fromtimestamp(1_000_000_000, UTC)
    assert stat.S_IMODE(file.stat().st_mode) == 0o440
    assert len(text_of(file)) == ALL


def test_a_torn_line_is_dropped_and_counted(tmp_path: Path) -> None:
    """The bytes after the last line's end were a post that never came whole."""
    segment = Segment(tmp_path, PROGRAM, BEGUN, Segments.kind)
    segment.write([Line(b'{"data":{"id":"1"}}', 0, "1"), Line(b'{"data":{"id":"2"}}', 0, "2")])
    segment._take(segment._compressor.compress(b'{"data":{"id":"3"'))
    segment.unflushed = True
    segment.sync()
    saved = salvage(segment.path, classify)
    assert (saved.posts, saved.torn_bytes, saved.last_id) == (2, 17, "2")


def test_one_long_line_over_many_reads_is_kept(tmp_path: Path) -> None:
    """A post may be larger than what is read at a time, compressed as well."""
    lines = [b'{"data":{"id":"1","text":"%s"}}' % os.urandom(1_000_000).hex().encode(), b'{"data":{"id":"2"}}']
    path, _ = crashed(tmp_path, lines, synced=1)
    saved = salvage(path, classify)
    assert saved.file is not None
    assert text_of(tmp_path / saved.file) == lines


def test_a_segment_without_a_complete_line_leaves_no_file(tmp_path: Path) -> None:
    """An empty file, or one with the header alone, is removed."""
    path = tmp_path / f"{PROGRAM}-{LAST}{Segments.kind.suffix}.part"
    path.touch()
    saved = salvage(path, classify)
    assert (saved.file, saved.posts, saved.sha256) == (None, 0, None)
    assert list(tmp_path.iterdir()) == []


def test_a_finished_segment_that_was_not_renamed_is_kept_whole(tmp_path: Path) -> None:
    """The crash came between the last byte and the rename."""
    lines = posts(3)
    segment = Segment(tmp_path, PROGRAM, BEGUN, Segments.kind)
    segment.write([Line(raw, 0, "") for raw in lines])
    file = tmp_path / segment.finish().file
    part = file.rename(file.with_name(file.name + ".part"))
    saved = salvage(part, classify)
    assert saved.file == file.name
    assert text_of(file) == lines
    assert saved.torn_bytes == 0


def test_a_capture_file_is_never_written_over(tmp_path: Path) -> None:
    """Where the name is taken, a number is added."""
    path, _ = crashed(tmp_path, posts(4))
    taken = path.with_name(path.name.removesuffix(".part"))
    taken.write_bytes(b"somebody's")
    saved = salvage(path, classify)
    assert saved.file not in (None, taken.name)
    assert taken.read_bytes() == b"somebody's"


def test_leftovers_are_this_programs_segments_oldest_first(tmp_path: Path) -> None:
    """Not those of a program whose name begins alike, nor what only looks like one."""
    for name in (
        "twitterfilter-a-2026-11-24T20-15-02Z.jsonl.gz.part",
        "twitterfilter-a-2026-11-24T20-15-01Z.jsonl.zst.part",
        "twitterfilter-a-b-2026-11-24T20-15-00Z.jsonl.gz.part",
        "twitterfilter-a-2026-11-24T20-15-00Z.jsonl.gz",
        ".twitterfilter-a-2026-11-24T20-15-00Z.jsonl.gz.part.salvage",
        "twitterfilter-a-notes.part",
        "twitterfilter-a-2026-13-24T20-15-00Z.jsonl.gz.part",
    ):
        (tmp_path / name).touch()
    found = [path.name for path in leftovers(tmp_path, "twitterfilter-a")]
    assert found == [
        "twitterfilter-a-2026-11-24T20-15-01Z.jsonl.zst.part",
        "twitterfilter-a-2026-11-24T20-15-02Z.jsonl.gz.part",
    ]


def test_a_capture_file_can_be_examined_as_if_it_were_salvaged(tmp_path: Path) -> None:
    """The same is told of it, and it stays as it is; so a file that a kill kept out of the journal gets into it."""
    path, _ = crashed(tmp_path, posts(2))
    saved = salvage(path, classify)
    assert saved.file is not None
    content = (tmp_path / saved.file).read_bytes()
    assert examine(tmp_path / saved.file, classify) == saved
    assert (tmp_path / saved.file).read_bytes() == content


def test_finished_files_are_this_programs_own(tmp_path: Path) -> None:
    """No segments, and no files of a program whose name begins alike."""
    for name in (
        own := f"twitterfilter-a-2026-11-24T20-15-01Z.jsonl{Segments.kind.suffix}",
        "twitterfilter-a-2026-11-24T20-15-02Z.jsonl.gz.part",
        "twitterfilter-a-b-2026-11-24T20-15-00Z.jsonl.gz",
        "twitterfilter-a-2026-99-24T20-15-00Z.jsonl.gz",
        "twitterfilter-a-2026-11-24T20-15-01Z.gz",
    ):
        (tmp_path / name).touch()
    assert list(finished(tmp_path, "twitterfilter-a")) == [own]


KILLED = """
import _strptime, os, signal, sys  # all that is imported later, too: the interpreter may lie where only root reads
from pathlib import Path

import sfm_stream.compression.gzip
import sfm_stream.compression.zstd
from sfm_stream.capture.salvage import salvage
from sfm_stream.sources.x.envelope import classify

if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)  # root may do what the capture's own account may not

step, path = int(sys.argv[1]), Path(sys.argv[2])
EFFECTS = {"open", "os.chmod", "os.rename", "os.remove", "os.utime", "os.link"}
count = 0


def kill_at(event, arguments):
    global count
    if event in EFFECTS and any(str(path.parent) in str(each) for each in arguments) or event == "os.utime":
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(kill_at)
salvage(path, classify)
print("done")
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A data directory that any user may write to."""
    with passable() as found:
        found.chmod(0o777)
        yield found


@pytest.mark.parametrize("harm", [False, True])
def test_killed_at_any_step_and_run_again_it_loses_nothing(place: Path, harm: bool) -> None:
    """Killed at each of its effects on the disk: the next run ends with every certain line, and without remains."""
    lines = posts(5)
    step, done = 0, False
    while not done:
        step += 1
        path, size = crashed(place, lines)
        if harm:
            raw = bytearray(path.read_bytes())
            raw[size + 10] ^= 1  # beyond the sync
            path.write_bytes(raw)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        if os.geteuid() == 0:
            os.chown(path, 65534, 65534)
            os.chown(check.path_of(path), 65534, 65534)
        command = [sys.executable, "-c", textwrap.dedent(KILLED), str(step), str(path)]
        first = subprocess.run(command, capture_output=True, text=True)
        done = first.stdout == "done\n"
        assert done or first.returncode == -signal.SIGKILL, first.stderr
        if path.exists():
            again = subprocess.run([*command[:3], "0", str(path)], capture_output=True, text=True)
            assert again.stdout == "done\n", again.stderr
        for segment in check.orphans(place, PROGRAM):
            check.forget(segment)
        file, *aside = sorted(place.iterdir())
        assert text_of(file) == lines[: SYNCED if harm else ALL]
        assert [each.name for each in aside] == [f"{file.name}.damaged"] * harm
        assert file.stat().st_mtime == 1_000_000_000, "since when lines are lost is still known"
        assert examine(file, classify).aside == (aside[0].name if harm else None), (
            "told also where a kill came before the entry"
        )
        for each in (file, *aside):
            each.unlink()
    assert step > 5
