"""The real program where its own records are damaged, taken away or full: it starts, and says what it found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sfm_stream import clock
from sfm_stream.reading import UnreadableError
from sfm_stream.record import status
from tests.support.program import Program
from tests.support.waiting import until


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

    until(connected)
    before = program.status()["posts_today"]
    until(lambda: program.status()["posts_today"] >= before + posts)


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


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"\xff", None])
def test_lost_counters_of_a_budget_are_recounted_from_the_journal(program: Program, content: bytes | None) -> None:
    """As many as were kept, by files or by a salvage; journal and status say so, and the budget is no fresh one."""
    program.write_settings(save_interval=1, budget={"per_month": 100_000})
    program.start()
    captured(program, 300)
    program.kill()
    path = program.folder / "state" / "budget" / "lab.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    program.start()
    captured(program)
    live = program.status()
    assert program.stop() == 0
    assert any("recounted from the journals" in note for note in live["notes"])
    (told,) = [entry for entry in program.journal("budget") if "recounted" in entry["reason"]]
    before = [entry["posts"] for entry in program.journal() if entry["time"] <= told["time"] and "sha256" in entry]
    assert told["posts"] == sum(before) >= 300
    assert json.loads(path.read_bytes())["days"] == {f"{clock.now():%Y-%m-%d}": len(program.ids())}


def test_a_budget_of_which_nobody_knows_what_is_left_is_held(program: Program) -> None:
    """With the reason, and what to do; that done, and the program started again, it goes on."""
    program.write_settings(budget={"per_month": 100_000})
    path = program.folder / "state" / "budget" / "lab.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\0\0")
    program.start()
    program.wait_for_state("budget")
    assert "is not known" in program.status()["detail"]
    assert "no journal tells of it" in program.journal("budget")[-1]["reason"]
    assert program.journal("connect") == []
    assert program.stop() == 0
    path.write_text(json.dumps({"days": {f"{clock.now():%Y-%m}": 17}}))
    program.start()
    captured(program)
    assert program.status()["this_month"] > 17
    assert program.stop() == 0


def remove_lock(program: Program) -> None:
    (program.folder / "state" / "lock" / f"{program.name}.lock").unlink()


def replace_lock(program: Program) -> None:
    remove_lock(program)
    (program.folder / "state" / "lock" / f"{program.name}.lock").touch()


def remove_state(program: Program) -> None:
    # Renamed first: the program would put files into what is being emptied.
    shutil.rmtree((program.folder / "state").rename(program.folder / "gone"))


@pytest.mark.parametrize("harm", [remove_lock, replace_lock, remove_state])
def test_a_program_whose_name_is_no_longer_held_ends_with_words(
    program: Program, harm: Callable[[Program], None]
) -> None:
    """Another process may run under it: 75, or 73 where there is no state directory; and the file is whole."""
    program.start()
    captured(program)
    harm(program)
    assert program.wait() == (73 if harm is remove_state else 75)
    assert "Traceback" not in program.said()
    assert "was removed or replaced" in program.said() or harm is remove_state
    assert program.segments() == []
    assert program.ids()


def test_a_segment_that_is_removed_is_journaled_and_another_is_begun(program: Program) -> None:
    """Within seconds, with the number of its posts; the connection stays, and `gaps` says what is lost."""
    program.start()
    captured(program)
    (segment,) = program.segments()
    segment.unlink()
    until(lambda: program.journal("lost"))
    until(program.segments)
    assert program.stop() == 0
    (lost,) = program.journal("lost")
    assert lost["segment"] == segment.name
    assert lost["posts"] > 0
    assert len(program.journal("connect")) == 1
    assert program.ids()
    done = ask(program, "gaps")
    assert done.returncode == 3
    assert "it was removed" in done.stdout


def test_a_data_directory_that_is_removed_ends_the_program_with_words(program: Program) -> None:
    """No directory of the host is made by a capture: exit 73, the loss journaled, one line."""
    program.start()
    captured(program)
    shutil.rmtree((program.folder / "data").rename(program.folder / "gone"))
    assert program.wait() == 73
    assert "Traceback" not in program.said()
    assert [entry["posts"] > 0 for entry in program.journal("lost")] == [True]


def test_a_damaged_segment_gives_what_is_certain_and_is_kept_aside(program: Program) -> None:
    """Journal, status and `gaps` say so, and `organizedata` leaves it where it is."""
    program.start()
    captured(program, 400)
    program.kill()
    (segment,) = program.segments()
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 4
    segment.write_bytes(raw)
    program.start()
    captured(program)
    assert program.stop() == 0
    (salvaged,) = program.journal("salvage")
    assert salvaged["posts"] > 0
    aside = program.folder / "data" / salvaged["aside"]
    assert aside.read_bytes() == raw
    assert any(salvaged["aside"] in note for note in program.status()["notes"])
    assert salvaged["aside"] in ask(program, "gaps").stdout
    command = [sys.executable, "-m", "sfm_stream", "organizedata"]
    places = ["--dir", str(program.folder / "data"), "--state-dir", str(program.folder / "state")]
    done = subprocess.run([*command, *places], capture_output=True, text=True)
    assert done.returncode == 3
    assert "a damaged segment" in done.stdout
    assert aside.exists()
