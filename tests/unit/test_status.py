"""The live status of programs, and the lock on their names."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sfm_stream.errors import LockedError, StorageError
from sfm_stream.reading import UnreadableError
from sfm_stream.record import status
from sfm_stream.record.status import Lock, Status, is_alive, read, status_path, write

PROGRAM = "twitterfilter-storms"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

HOLDER = """
import sys
from pathlib import Path
from sfm_stream.record.status import Lock

lock = Lock(Path(sys.argv[1]), sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_by_another(state_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", HOLDER, str(state_dir), PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()


def some(**changes: object) -> Status:
    return msgspec.structs.replace(Status(program=PROGRAM, pid=7, since=NOON), **changes)


def test_a_status_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """It is one JSON object, that any tool reads."""
    live = some(state="connected", last_byte=NOON, buffer=5, segment="x.part", dollars=0.25, detail="天")
    write(tmp_path, live)
    assert read(tmp_path, PROGRAM) == live
    assert msgspec.json.decode(status_path(tmp_path, PROGRAM).read_bytes())["last_byte"] == "2026-11-24T12:00:00Z"


DAMAGED = [
    *(b"", b"\0" * 20, b"{}", b'{"program": 5', b"[]", b"\xff", b"[" * 100_000, b" " * (1 << 20) + b"{}"),
    b'{"program": "p", "pid": 1, "since": "2026-11-24T12:00:00"}',
    b'{"program": "p", "pid": 1, "since": "0001-01-01T00:00:00+14:00"}',
    b'{"program": "p", "pid": 1, "since": "2026-11-24T12:00:00Z", "posts_today": "many"}',
    b'{"program": "p", "pid": 1, "since": "2026-11-24T12:00:00Z", "detail": "\xff"}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_status_that_cannot_be_read_is_not_one_of_a_program_that_never_ran(tmp_path: Path, content: bytes) -> None:
    """A power cut may leave anything; the error says what and where."""
    assert read(tmp_path, PROGRAM) is None
    path = status_path(tmp_path, PROGRAM)
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"storms\.json"):
        read(tmp_path, PROGRAM)
    write(tmp_path, some())
    assert read(tmp_path, PROGRAM) == some()


@pytest.mark.parametrize("kind", ["fifo", "directory", "link"])
def test_what_lies_in_the_place_of_a_status_hangs_nobody_and_is_replaced(tmp_path: Path, kind: str) -> None:
    """Neither a reader nor the program, which follows no link."""
    path, elsewhere = status_path(tmp_path, PROGRAM), tmp_path / "elsewhere"
    path.parent.mkdir()
    elsewhere.write_bytes(b"not ours")
    make = {"fifo": os.mkfifo, "directory": os.mkdir, "link": lambda at: at.symlink_to(elsewhere)}[kind]
    make(path)
    make(path.with_name(f".{path.name}.new"))
    with pytest.raises(UnreadableError):
        read(tmp_path, PROGRAM)
    write(tmp_path, some())
    assert read(tmp_path, PROGRAM) == some()
    assert elsewhere.read_bytes() == b"not ours"


def test_a_lock_that_is_taken_away_is_noticed(tmp_path: Path) -> None:
    """Another process may hold the name by then."""
    path = tmp_path / "lock" / f"{PROGRAM}.lock"
    lock = Lock(tmp_path, PROGRAM)
    lock.check()
    path.unlink()
    with pytest.raises(LockedError, match="was removed or replaced"):
        lock.check()
    path.touch()
    with pytest.raises(LockedError, match="was removed or replaced"):
        lock.check()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"12" * 40])
def test_whatever_a_lock_file_holds_bars_no_start(tmp_path: Path, content: bytes) -> None:
    """Its holder is what counts, not what is written in it; the refusal of a second process stays readable."""
    path = tmp_path / "lock" / f"{PROGRAM}.lock"
    path.parent.mkdir()
    path.write_bytes(content)
    os.close(Lock(tmp_path, PROGRAM)._descriptor)
    with held_by_another(tmp_path):
        path.write_bytes(content)
        with pytest.raises(LockedError, match="runs under this name"):
            Lock(tmp_path, PROGRAM)


def test_a_status_of_another_version_is_read(tmp_path: Path) -> None:
    """With more fields, or fewer."""
    path = status_path(tmp_path, PROGRAM)
    path.parent.mkdir()
    path.write_bytes(b'{"program": "p", "pid": 1, "since": "2026-11-24T12:00:00Z", "new": [1]}')
    assert read(tmp_path, PROGRAM) == Status(program="p", pid=1, since=NOON)


def test_readers_never_see_half_a_status(tmp_path: Path) -> None:
    """However often it is replaced while they read."""
    write(tmp_path, some())
    done = threading.Event()

    def replace() -> None:
        for number in range(100):
            write(tmp_path, some(detail="x" * number * 10))
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    while not done.is_set():
        assert read(tmp_path, PROGRAM) is not None
    writer.join()


def test_a_name_is_held_by_one_process_alone(tmp_path: Path) -> None:
    """The second is told who holds it; when that one is dead, even by kill -9, the name is free."""
    with held_by_another(tmp_path) as holder:
        with pytest.raises(LockedError, match=rf"{PROGRAM}: another process \(pid {holder.pid}\)"):
            Lock(tmp_path, PROGRAM)
        assert is_alive(tmp_path, PROGRAM)
        Lock(tmp_path, "twitterfilter-other")
        holder.kill()
        holder.wait()
        assert not is_alive(tmp_path, PROGRAM)
        lock = Lock(tmp_path, PROGRAM)
        assert (tmp_path / "lock" / f"{PROGRAM}.lock").read_text() == str(os.getpid())
        assert is_alive(tmp_path, PROGRAM)
        del lock


def test_a_child_that_outlives_a_program_does_not_hold_its_name(tmp_path: Path) -> None:
    """The lock is not handed down."""
    lock = Lock(tmp_path, PROGRAM)
    child = subprocess.Popen(["sleep", "60"])
    os.close(lock._descriptor)
    try:
        assert not is_alive(tmp_path, PROGRAM)
    finally:
        child.kill()
        child.wait()


def test_whoever_looks_disturbs_neither_a_start_nor_a_live_program(tmp_path: Path) -> None:
    """A program starts while others ask again and again whether it lives, and keeps its name."""
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            is_alive(tmp_path, PROGRAM)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(20):
            os.close(Lock(tmp_path, PROGRAM)._descriptor)
        with held_by_another(tmp_path), pytest.raises(LockedError):
            Lock(tmp_path, PROGRAM)
    finally:
        ended.set()
        for looker in lookers:
            looker.join()


def test_a_program_that_never_ran_is_not_alive(tmp_path: Path) -> None:
    """And asking leaves no trace."""
    assert not is_alive(tmp_path, PROGRAM)
    assert list(tmp_path.iterdir()) == []


def test_a_state_directory_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    """It names the file."""
    (tmp_path / "lock").touch()
    with pytest.raises(StorageError, match=r"lock/twitterfilter-storms\.lock: cannot be written"):
        Lock(tmp_path, PROGRAM)


def test_status_files_are_for_the_group_alone(tmp_path: Path) -> None:
    """As everything in the state directory."""
    write(tmp_path, some())
    assert status.status_path(tmp_path, PROGRAM).stat().st_mode & 0o037 == 0
