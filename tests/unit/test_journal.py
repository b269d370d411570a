"""A program's append-only record."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfm_stream import clock, reading
from sfm_stream.errors import StorageError
from sfm_stream.reading import UnreadableError
from sfm_stream.record import journal
from sfm_stream.record.entries import KINDS
from sfm_stream.record.journal import Journal, NoJournal, journal_path, read, tail
from tests.support.disk import full_after
from tests.support.journal import entries


def test_an_entry_says_when_and_what(tmp_path: Path) -> None:
    """Time, event and the given fields, of which those without a value are left out; times are written as text."""
    path = journal_path(tmp_path, "streamsample")
    before = clock.now()
    at = datetime(2026, 11, 24, 20, 13, 0, 123_000, tzinfo=UTC)
    Journal(path).write("rotate", file="a", posts=0, first_time=at, last_time=None, detail="天")
    (line,) = path.read_bytes().splitlines()
    entry = json.loads(line)
    assert list(entry) == ["time", "event", "file", "posts", "first_time", "detail"]
    assert before <= clock.parse(entry.pop("time")) <= clock.now()
    wanted = {"event": "rotate", "file": "a", "posts": 0, "first_time": "2026-11-24T20:13:00.123Z", "detail": "天"}
    assert entry == wanted


def test_entries_of_several_runs_follow_each_other(tmp_path: Path) -> None:
    """A journal is opened again without losing what it holds."""
    for pid in (1, 2, 3):
        Journal(tmp_path / "j").write("start", pid=pid)
    assert [entry["pid"] for entry in entries(tmp_path / "j")] == [1, 2, 3]


def test_others_of_the_group_may_read_it_and_no_one_else(tmp_path: Path) -> None:
    """Its mode gives the group reading, and strangers nothing."""
    path = tmp_path / "new" / "j"
    Journal(path)
    assert path.stat().st_mode & 0o037 == 0
    assert path.parent.stat().st_mode & 0o027 == 0


@settings(max_examples=60)
@given(st.floats(0, 1), st.booleans())
def test_a_journal_cut_at_any_byte_is_healed(
    tmp_path_factory: pytest.TempPathFactory, share: float, zeros: bool
) -> None:
    """The incomplete last line goes, and is told; every complete one stays, and the next one is whole."""
    path = tmp_path_factory.mktemp("state") / "j"
    before = Journal(path)
    for number in range(5):
        before.write("message", text="x" * number * 20)
    raw = path.read_bytes()
    at = round(share * len(raw))
    path.write_bytes(raw[:at] + (b"\0" * 50 if zeros else b""))
    whole = raw[:at].count(b"\n")
    torn = at - (raw[:at].rfind(b"\n") + 1) + (50 if zeros else 0)
    Journal(path).write("start", pid=7)
    kept = entries(path)
    assert kept[whole:-1] == [kept[whole] | {"event": "journal", "torn_bytes": torn}] * bool(torn)
    assert [len(entry["text"]) for entry in kept[:whole]] == [number * 20 for number in range(whole)]
    assert kept[-1]["pid"] == 7


def test_a_torn_line_of_any_length_is_taken_off(tmp_path: Path) -> None:
    """Also one that is longer than what is read at a time, with or without a line before it."""
    for kept in (b"", b'{"time":"2026-01-01T00:00:00Z","event":"start"}\n'):
        path = tmp_path / "j"
        path.write_bytes(kept + b"x" * 200_000)
        Journal(path)
        assert path.read_bytes().startswith(kept)
        assert entries(path)[-1]["torn_bytes"] == 200_000


DAMAGED = [
    b"\0\0\0",
    b"[]",
    b'"x"',
    b'{"event":"y"}',
    b'{"time":5',
    b"\xff",
    b'{"time":"2026-01-01T00:00:00Z","event":"refused","reason":"\xff"}',
    b'{"time":"2026-01-01T00:00:00Z","event":"gap","start":"2026-01-01T00:00:00Z"}',
    b'{"time":"2026-01-01T00:00:00Z","event":"torn","bytes":"many"}',
    b'{"time":"2026-01-01T00:00:00Z","event":"torn","bytes":-1}',
    b'{"time":"2026-01-01T00:00:00Z","event":["start"]}',
    b'{"time":"2026-01-01T00:00:00","event":"start"}',
    b'{"time":"2026-13-01T00:00:00Z","event":"start"}',
    b'{"time":"0001-01-01T00:00:00+14:00","event":"start"}',
    b'{"time":"2026-01-01T00:00:00Z","event":"start","x":' + b"[" * 100_000,
    b'{"time":"2026-01-01T00:00:00Z","event":"message","text":"' + b"x" * (reading.LINE + 1) + b'"}',
]


def test_lines_that_are_damaged_are_left_out_and_counted(tmp_path: Path) -> None:
    """One bad block does not make the rest unreadable; an empty line is no entry, and none is missing there."""
    path = tmp_path / "j"
    entry = b'{"time":"2026-01-01T00:00:00Z","event":"%s"}\n'
    path.write_bytes(entry % b"one" + b"\n".join(DAMAGED) + b"\n\n" + entry % b"two")
    found = read(path)
    assert [each.event for each in found] == ["one", "two"]
    assert found.skipped == len(DAMAGED)


@pytest.mark.parametrize("kind", ["fifo", "directory", "link"])
def test_what_is_no_regular_file_is_not_read_and_bars_no_start(tmp_path: Path, kind: str) -> None:
    """A report says so and does not hang; a start sets it aside, and says that the earlier entries are not here."""
    path = tmp_path / "j"
    (tmp_path / "elsewhere").write_bytes(b"not ours\n")
    make = {"fifo": os.mkfifo, "directory": os.mkdir, "link": lambda at: at.symlink_to(tmp_path / "elsewhere")}
    make[kind](path)
    with pytest.raises(UnreadableError, match="j: cannot be read"):
        list(read(path))
    Journal(path).write("start", pid=1)
    lost, start = entries(path)
    assert "j.damaged" in lost["lost"]
    assert start["event"] == "start"
    assert os.path.lexists(tmp_path / "j.damaged")
    assert (tmp_path / "elsewhere").read_bytes() == b"not ours\n"


@pytest.mark.parametrize("how", ["removed", "replaced", "with its directory"])
def test_a_journal_that_is_removed_while_it_is_in_use_is_begun_anew(tmp_path: Path, how: str) -> None:
    """The next entry is in the file of that name, after one that says what happened."""
    path = tmp_path / "journal" / "j"
    one = Journal(path)
    one.write("start", pid=1)
    if how == "with its directory":
        shutil.rmtree(path.parent)
    else:
        path.unlink()
    if how == "replaced":
        path.touch()
    one.write("connect")
    one.write("stop")
    assert [entry["event"] for entry in entries(path)] == ["journal", "connect", "stop"]
    assert "removed or replaced" in entries(path)[0]["lost"]


def test_a_journal_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    """A program that never ran has no past."""
    assert list(read(tmp_path / "none")) == []


def test_several_threads_write_whole_lines(tmp_path: Path) -> None:
    """No entry is lost or mixed with another."""
    one = Journal(tmp_path / "j")
    threads = [
        threading.Thread(target=lambda name=name: [one.write(name, number=number) for number in range(50)])
        for name in ("a", "b", "c", "d")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = entries(tmp_path / "j")
    for name in ("a", "b", "c", "d"):
        assert [entry["number"] for entry in kept if entry["event"] == name] == list(range(50))


def test_another_process_reads_an_entry_as_soon_as_it_is_written(tmp_path: Path) -> None:
    """Nothing waits in a buffer of the writing process."""
    path = tmp_path / "j"
    Journal(path).write("connect")
    assert b'"connect"' in subprocess.run(["cat", path], check=True, capture_output=True).stdout


def test_what_a_full_disk_cut_short_swallows_no_other_entry(tmp_path: Path) -> None:
    """The write fails with a clear error; when there is room again, the next entry stands on its own line."""
    path = tmp_path / "j"
    one = Journal(path)
    one.write("start")
    with full_after(path.stat().st_size + 20), pytest.raises(StorageError, match="cannot be written"):
        one.write("message", text="x" * 100)
    one.write("rules")
    one.write("again")
    assert [entry.event for entry in read(path)] == ["start", "rules", "again"]
    assert [entry.event for entry in read(Journal(path).path)] == ["start", "rules", "again"]


def test_a_state_directory_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    """It names the file; a program stops with its own exit code."""
    (tmp_path / "journal").touch()
    with pytest.raises(StorageError, match=r"journal/a\.jsonl: cannot be written"):
        Journal(journal_path(tmp_path, "a"))


def test_no_journal_forgets(tmp_path: Path) -> None:
    """A stream that is only printed takes the same calls."""
    NoJournal().write("start", pid=1)


def test_the_end_of_a_long_journal_is_read_without_the_rest(tmp_path: Path) -> None:
    """From before the time that is asked for; of a short one all is read, and of a missing one nothing."""
    path = tmp_path / "p.jsonl"
    assert tail(path, clock.now()) == ([], True)
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    lines = [
        b'{"time":"%s","event":"rotate","pad":"%s"}'
        % (clock.text(begin + timedelta(minutes=15 * n)).encode(), b"x" * 300)
        for n in range(3000)
    ]
    path.write_bytes(b"\n".join([*lines, b""]))
    since = begin + timedelta(minutes=15 * 2900)
    found = tail(path, since)
    assert not found.whole
    assert found.lines[-2] == lines[-1]
    assert lines[2899] in found.lines
    assert len(found.lines) < 1000
    whole = tail(path, begin)
    assert whole.whole
    assert whole.lines[:-1] == lines
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UnreadableError, match="fifo"):
        tail(tmp_path / "fifo", since)


def test_the_documentation_lists_every_event_that_is_written_or_read() -> None:
    """In docs/journal.md; and none that is not."""
    root = Path(journal.__file__).parents[2]
    sources = (path.read_text() for path in (root / "sfm_stream").rglob("*.py"))
    written = {event for text in sources for event in re.findall(r'ournal\.write\(\s*"(\w+)"', text)}
    documented = set(re.findall(r"^\| `(\w+)` \|", (root / "docs/journal.md").read_text(), re.MULTILINE))
    assert len(written) > 15
    assert documented == written | set(KINDS)
