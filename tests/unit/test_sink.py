"""Where the lines of a stream go."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfm_stream.capture.segment import Line
from sfm_stream.capture.sink import FLUSH, LOOK, RECENT, Files, Printed
from sfm_stream.compression.formats import GZIP, ZSTD
from sfm_stream.record.journal import Journal
from sfm_stream.sources.x.envelope import classify
from tests.support.journal import entries

HOUR = 3600.0


class Place:
    """A data directory with a journal."""

    def __init__(self, path: Path) -> None:
        self.data, self.journal = path / "data", Journal(path / "journal")
        self.data.mkdir()

    def files(self, interval: float = HOUR, size: int | None = None) -> Files:
        return Files(self.data, "streamsample", interval, size, GZIP, self.journal, classify)

    def rotated(self) -> list[dict[str, Any]]:
        return entries(self.journal.path, "rotate")

    def texts(self) -> list[bytes]:
        return [gzip.decompress((self.data / entry["file"]).read_bytes()) for entry in self.rotated()]

    def readable(self) -> bytes:
        """What a kill -9 now would leave of the segment."""
        (part,) = self.data.glob("*.part")
        return zlib.decompressobj(31).decompress(part.read_bytes())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def lines(*ids: int | str) -> list[Line]:
    return [Line(b'{"data":{"id":"%s"}}' % str(post).encode(), time.time(), str(post)) for post in ids]


def tick_until(files: Files, seconds: float) -> None:
    """Calls `tick` as often as it asks for, until a monotonic moment has passed."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, files.tick() + 0.001))
    files.tick()


def test_another_format_begins_with_the_next_file(place: Place) -> None:
    """What is being written is finished as it was begun: a file has one format."""
    files = place.files()
    files.write(lines(1))
    files.kind = ZSTD
    files.write(lines(2))
    files.close()
    files.write(lines(3))
    files.close()
    names = [entry["file"] for entry in place.rotated()]
    assert [name.partition(".")[2] for name in names] == ["jsonl.gz", "jsonl.zst"]
    assert [entry["posts"] for entry in place.rotated()] == [2, 1]


def test_a_quiet_stream_leaves_no_empty_files(place: Place) -> None:
    """A segment begins with its first line."""
    files = place.files(0.01)
    tick_until(files, 0.05)
    files.close()
    assert list(place.data.iterdir()) == []
    assert files.current is None
    assert place.rotated() == []


def test_a_file_is_finished_by_its_age_even_when_nothing_arrives(place: Place) -> None:
    """Each interval has its own file, and the journal tells of each."""
    files = place.files(0.05)
    files.write(lines(1))
    assert files.current == next(place.data.glob("*.part")).name
    tick_until(files, 0.06)
    assert files.current is None
    files.write(lines(2))
    tick_until(files, 0.06)
    assert place.texts() == [b'{"data":{"id":"1"}}\n', b'{"data":{"id":"2"}}\n']
    assert list(place.data.glob("*.part")) == []


def test_a_steady_stream_is_finished_by_age_as_well(place: Place) -> None:
    """Writing never puts the end of a file off."""
    files = place.files(0.05)
    begun = time.monotonic()
    while not place.rotated():
        files.write(lines(1))
        assert time.monotonic() - begun < 10
    assert files.current is None


def test_a_file_is_finished_by_its_size(place: Place) -> None:
    """Soon after the compressed bytes reach it, and never in the middle of a line."""
    files = place.files(size=50_000)
    raw = [Line(os.urandom(1000).hex().encode(), 0, str(number)) for number in range(400)]
    for start in range(0, 400, 4):
        files.write(raw[start : start + 4])
    files.close()
    assert len(place.rotated()) > 1
    assert all(entry["bytes"] >= 50_000 for entry in place.rotated()[:-1])
    assert b"".join(place.texts()) == b"".join(line.raw + b"\n" for line in raw)


def test_a_flush_is_due_within_its_time(place: Place) -> None:
    """`tick` says when, and after it a kill -9 cannot take the lines."""
    files = place.files()
    files.write(lines(1))
    assert 0 < files.tick() <= FLUSH
    assert place.readable() == b""
    tick_until(files, FLUSH + 0.05)
    assert place.readable() == b'{"data":{"id":"1"}}\n'


def test_an_interval_that_is_shorter_than_the_flush_is_kept(place: Place) -> None:
    """The wait never passes over the end of a file."""
    files = place.files(0.2)
    files.write(lines(1))
    assert files.tick() <= 0.2


def test_stopping_makes_everything_final(place: Place) -> None:
    """Posts, ids, size and sum are journaled; nothing is left open, and closing again does nothing."""
    files = place.files()
    files.write(lines(7, 8))
    files.write(lines(9))
    files.close()
    files.close()
    (entry,) = place.rotated()
    assert (entry["posts"], entry["first_id"], entry["last_id"]) == (3, "7", "9")
    assert entry["bytes"] == (place.data / entry["file"]).stat().st_size
    assert {"sha256", "first_time", "last_time"} <= entry.keys()
    assert "duplicates" not in entry


def test_duplicates_are_kept_and_counted(place: Place) -> None:
    """In the file they arrived in, also when the first of them is in the file before."""
    files = place.files()
    files.write(lines(1, 2, 1))
    files.close()
    files.write(lines(2, 2, 3))
    files.close()
    files.write(lines(4))
    files.close()
    assert [entry.get("duplicates") for entry in place.rotated()] == [1, 2, None]
    assert [entry["posts"] for entry in place.rotated()] == [3, 3, 1]


def test_only_recent_posts_are_remembered(place: Place) -> None:
    """The memory of a program that runs for months is bounded."""
    files = place.files()
    for start in range(0, 2 * RECENT, 100):
        files.write(lines(*range(start, start + 100)))
    files.write(lines(0, RECENT))
    files.close()
    assert place.rotated()[0]["duplicates"] == 1, "of the second; the first is forgotten"


def test_an_error_of_the_disk_is_not_swallowed(place: Place) -> None:
    """A directory that goes away raises; it is not tried again silently."""
    place.data.rmdir()
    with pytest.raises(FileNotFoundError):
        place.files().write(lines(1))


def test_printed_lines_reach_a_pipe_at_once() -> None:
    """The reader of the output sees each batch when it comes; bytes are as they arrived."""
    script = (
        "import sys\n"
        "from sfm_stream.capture.sink import Printed\n"
        "from sfm_stream.capture.segment import Line\n"
        "printed = Printed(lambda: False)\n"
        r"printed.write([Line(b'one', 0, ''), Line(b'\xff', 0, '')])" + "\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"one\n"
        assert process.stdout.readline() == b"\xff\n"
        process.communicate(b"")
    assert process.returncode == 0


def test_printing_has_nothing_to_finish() -> None:
    """It takes the same calls as files do."""
    printed = Printed(lambda: True)
    assert printed.tick() > 1
    assert printed.current is None
    printed.close()


def remove(part: Path) -> None:
    part.unlink()


def cut(part: Path) -> None:
    os.truncate(part, part.stat().st_size - 1)


def replace(part: Path) -> None:
    part.unlink()
    part.write_bytes(b"somebody's")


@pytest.mark.parametrize(("harm", "kept"), [(remove, 0), (cut, 3), (replace, 0)])
def test_a_segment_that_is_taken_away_is_a_loss_and_another_is_begun(
    place: Place, harm: Callable[[Path], None], kept: int
) -> None:
    """What of it is certain is salvaged; how many posts are not, and since when, is journaled."""
    files = place.files()
    for post in range(4):
        files.write(lines(post))
        tick_until(files, FLUSH + 0.1)
    (part,) = place.data.glob("*.part")
    harm(part)
    tick_until(files, LOOK + 0.1)
    assert files.current is None
    files.write(lines(7))
    assert files.current is not None
    files.close()
    (lost,) = entries(place.journal.path, "lost")
    assert (lost["segment"], lost["posts"]) == (part.name, 4 - kept)
    assert lost["first_time"] < lost["last_time"]
    assert sum(entry["posts"] for entry in entries(place.journal.path, "salvage")) == kept
    assert place.texts() == [b'{"data":{"id":"7"}}\n']
    assert not list(place.data.glob("*.part"))


def test_a_segment_that_is_removed_just_before_it_is_finished_is_a_loss(place: Place) -> None:
    """No capture file of another's making, and no error."""
    files = place.files()
    files.write(lines(1, 2))
    (part,) = place.data.glob("*.part")
    part.unlink()
    files.close()
    assert [entry["posts"] for entry in entries(place.journal.path, "lost")] == [2]
    assert place.rotated() == []
