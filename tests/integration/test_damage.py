"""The real program where its own records are damaged, taken away or full: it starts, and says what it found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sfm_stream.reading import UnreadableError
from sfm_stream.record import status
from tests.support.program import Program, wait_for
from tests.support.simulator import Simulator, simulator


@pytest.fixture
def x(tmp_path: Path) -> Iterator[Simulator]:
    """An X with many posts a second."""
    with simulator(tmp_path, "--rate", "200") as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, x: Simulator) -> Iterator[Program]:
    """A filter of that X, not started yet."""
    made = Program(tmp_path / "host", x.url)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def ask(program: Program, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command of the host says."""
    command = [sys.executable, "-m", "sfm_stream", *arguments, "--config-dir", str(program.folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def captured(program: Program, posts: int = 20) -> None:
    """Waits for the connection of the process that was started last, and some posts."""

    def connected() -> bool:
        with suppress(UnreadableError):  # not replaced yet
            live = status.read(program.folder / "state", program.name)
            return bool(program.process and live and (live.pid, live.state) == (program.process.pid, "connected"))
        return False

    wait_for(connected)
    before = program.status()["posts_today"]
    wait_for(lambda: program.status()["posts_today"] >= before + posts)


def replace_with(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Puts something else in the place of a file."""

    def put(path: Path) -> None:
        path.unlink()
        make(path)

    return put


GARBAGE = b'\xff\xfe\0\n{"time":"yesterday","event":"gap"}\n{"event":"connect"}\n' + b"[" * 50_000 + b"\n[]\n"
KINDS: dict[str, Callable[[Path], object]] = {
    "bytes": lambda path: path.write_bytes(path.read_bytes() + GARBAGE),
    "garbage": lambda path: path.write_bytes(GARBAGE),
    "zeros": lambda path: path.write_bytes(b"\0" * 4096),
    "empty": lambda path: path.write_bytes(b""),
    "fifo": replace_with(os.mkfifo),
    "directory": replace_with(os.mkdir),
    "link": replace_with(lambda path: path.symlink_to("/etc/hostname")),
    "loop": replace_with(lambda path: path.symlink_to(path.name)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_records_bar_no_start_and_no_report(program: Program, kind: str) -> None:
    """All of a program's records at once: it captures again, its reports end in time with a documented code."""
    program.start()
    captured(program)
    assert program.stop() == 0
    state, kept = program.folder / "state", program.ids()
    records = [state / folder / f"{program.name}.jsonl" for folder in ("journal", "history")]
    records += [state / "status" / f"{program.name}.json", state / "budget" / "lab.json"]
    for record in records:
        KINDS[kind](record)
    for command in ("status", "gaps", "history"):
        done = ask(program, command, *(["storms"] if command == "history" else []))
        assert done.returncode in (0, 3), done.stderr
        assert "Traceback" not in done.stderr
    program.start()
    captured(program)
    live = program.status()
    assert live["notes"], "it tells what it found"
    assert ask(program, "status").returncode == 3
    assert program.stop() == 0
    assert "Traceback" not in program.said()
    assert program.ids()[: len(kept)] == kept
    assert ask(program, "gaps").returncode in (0, 3)


def test_a_journal_says_once_how_many_of_its_entries_are_damaged(program: Program) -> None:
    """At the start that finds them, and not at each after it; `gaps` says so as long as they are there."""
    program.start()
    captured(program)
    assert program.stop() == 0
    path = program.folder / "state" / "journal" / f"{program.name}.jsonl"
    path.write_bytes(path.read_bytes() + b'{"time":"yesterday","event":"gap"}\n' * 3)
    for _ in range(2):
        program.start()
        captured(program)
        assert program.stop() == 0
    told = [line for line in path.read_bytes().splitlines() if b'"skipped"' in line]
    assert len(told) == 1
    assert b'"skipped":3' in told[0]
    assert program.status()["notes"] == []
    done = ask(program, "gaps")
    assert done.returncode == 3
    assert "3 unreadable entries" in done.stderr
