"""organizedata and directories that are not what they should be: a disk that is away, links, what may not be read."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sfm_stream import names

STORMS, FLOODS = "twitterfilter-storms", "twitterfilter-floods"
NOBODY, OTHER = 65534, 65533
ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="mounts, and becoming somebody else, are for root")


def run(command: str, top: Path, *options: object, code: int) -> dict[str, Any]:
    """Runs a command on the directories of a host."""
    arguments = ["--dir", top / "data", *options]
    if "--state-dir" not in options:
        arguments += ["--state-dir", top / "state"]
    done = subprocess.run(
        [sys.executable, "-m", "sfm_stream", command, *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return {"said": done.stderr} | (json.loads(done.stdout or "{}"))


@pytest.fixture
def host() -> Iterator[Path]:
    """Data, state and archive of the process owner, where every user can reach them."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        for folder in ("data", "state/journal", "archive"):
            (top / folder).mkdir(parents=True)
        give(top)
        yield top
        for path in top.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)


def give(top: Path, user: int = NOBODY) -> None:
    for path in top.rglob("*"):
        if ROOT:
            os.chown(path, user, user, follow_symlinks=False)


def finish(top: Path, program: str, minute: int, *, day: int = 24) -> Path:
    """A program finishes a file, and records it."""
    path = top / "data" / f"{program}-2026-11-{day}T20-{minute}-00Z.jsonl.gz"
    path.write_bytes(f"{program} {minute}".encode())
    line = {"time": f"2026-11-{day}T20:{minute}:00Z", "event": "rotate", "file": path.name}
    line |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    with (top / "state" / "journal" / f"{program}.jsonl").open("a") as journal:
        journal.write(json.dumps(line) + "\n")
    give(top)
    return path


def place(top: Path, path: Path, tree: str = "data") -> Path:
    """Where a loose file belongs."""
    capture = names.parse(path.name)
    assert capture
    return top / tree / capture.folder / path.name


@contextmanager
def mounted(top: Path) -> Iterator[None]:
    """The archive's disk is mounted."""
    disk = top / "disk.img"
    if not disk.exists():
        with disk.open("wb") as file:
            file.truncate(8 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", disk], check=True)
    subprocess.run(["mount", "-o", "loop", disk, top / "archive"], check=True)
    try:
        os.chown(top / "archive", NOBODY, NOBODY)
        yield
    finally:
        subprocess.run(["umount", top / "archive"], check=True)


def can_mount() -> bool:
    """Whether loop devices can be mounted here."""
    with tempfile.TemporaryDirectory() as top:
        (Path(top) / "archive").mkdir()
        try:
            with mounted(Path(top)):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


@as_root
def test_an_archive_whose_disk_is_not_mounted_is_refused_and_nothing_is_moved(host: Path) -> None:
    """The files stay in the data directory, and nothing is written below the mount point; mounted, all goes on."""
    if not can_mount():
        pytest.skip("no loop device can be mounted here")
    archive = ("--archive-dir", host / "archive")
    with mounted(host):
        first = finish(host, STORMS, 15)
        run("organizedata", host, *archive, code=0)
        assert place(host, first, "archive").exists()
    late = finish(host, STORMS, 30)
    said = run("organizedata", host, *archive, code=73)["said"]
    assert "its .sfm-archive is not there. Is its disk mounted?" in said
    assert late.exists()
    assert list((host / "archive").iterdir()) == []
    found = run("audit", host, *archive, code=3)
    assert {"missing"} <= {fault["kind"] for fault in found["findings"]}
    with mounted(host):
        run("organizedata", host, *archive, code=0)
        assert place(host, late, "archive").exists()
        run("audit", host, *archive, code=0)


def test_an_archive_of_before_the_marker_is_taken_up_once_and_known_after_that(host: Path) -> None:
    """It evidently holds the tree; emptied later, it is no longer the archive, and another's marker neither."""
    archive = host / "archive"
    first = finish(host, STORMS, 15)
    run("organizedata", host, "--archive-dir", archive, code=0)
    (archive / ".sfm-archive").unlink()
    (host / "state" / "archives.json").unlink()  # as 0.1.0 left it
    run("organizedata", host, "--archive-dir", archive, "--dry-run", code=0)
    assert not (archive / ".sfm-archive").exists()
    run("organizedata", host, "--archive-dir", archive, code=0)
    number = (archive / ".sfm-archive").read_text().splitlines()[0]
    assert json.loads((host / "state" / "archives.json").read_text()) == {str(archive): number}
    assert place(host, first, "archive").exists()

    archive.rename(host / "moved")
    archive.mkdir()
    give(host)
    said = run("organizedata", host, "--archive-dir", archive, code=73)["said"]
    assert "If it is to be the archive from now on: organizedata --new-archive" in said
    (archive / ".sfm-archive").write_text("0123\n")
    give(host)
    assert "is another's" in run("organizedata", host, "--archive-dir", archive, code=73)["said"]
    run("organizedata", host, "--archive-dir", archive, "--new-archive", code=0)
    run("organizedata", host, "--archive-dir", archive, code=0)
    # The old one under a new name is known by its number, which is recorded there.
    run("organizedata", host, "--archive-dir", host / "moved", code=0)
    assert json.loads((host / "state" / "archives.json").read_text())[str(host / "moved")] == number


def test_an_empty_archive_of_before_the_marker_is_refused_where_the_journals_know_better(host: Path) -> None:
    """A file was finished and lies nowhere else: it must have been sorted there, on the disk that is away."""
    archive = ("--archive-dir", host / "archive")
    finish(host, STORMS, 15).unlink()
    said = run("organizedata", host, *archive, code=73)["said"]
    assert "it is empty, though twitterfilter-storms-2026-11-24T20-15-00Z.jsonl.gz was finished" in said
    run("organizedata", host, *archive, "--new-archive", code=0)
    run("organizedata", host, *archive, code=0)


def test_a_new_archive_is_taken_where_all_is_in_the_data_directory_yet(host: Path) -> None:
    """The first run of a host, and one that sorted in the data directory before."""
    finish(host, STORMS, 15)
    run("organizedata", host, code=0)
    late = finish(host, STORMS, 30)
    run("organizedata", host, "--archive-dir", host / "archive", code=0)
    assert place(host, late, "archive").exists()
    run("audit", host, "--archive-dir", host / "archive", code=0)


def test_what_is_known_of_archives_that_cannot_be_read_is_an_error_whose_cure_works(host: Path) -> None:
    """And a marker that is no file."""
    archive = ("--archive-dir", host / "archive")
    finish(host, STORMS, 15)
    run("organizedata", host, *archive, code=0)
    (host / "state" / "archives.json").write_bytes(b"\xff{")
    assert "move it away, and run again" in run("organizedata", host, *archive, code=73)["said"]
    (host / "state" / "archives.json").unlink()
    run("organizedata", host, *archive, code=0)
    (host / "archive" / ".sfm-archive").unlink()
    os.mkfifo(host / "archive" / ".sfm-archive")
    (host / "archive" / ".sfm-archive").chmod(0o644)  # whatever umask the tests run with
    assert ".sfm-archive: is not a regular file" in run("organizedata", host, *archive, code=73)["said"]


def a_link(top: Path, path: Path) -> None:
    path.rename(top / "elsewhere")
    path.symlink_to(top / "elsewhere")


def a_file(_top: Path, path: Path) -> None:
    path.rename(path.with_name("x"))
    path.touch()


ODDITIES: dict[str, Callable[[Path, Path], object]] = {
    "a link": a_link,
    "a file": a_file,
    "unreadable": lambda _top, path: path.chmod(0),
    "read-only": lambda _top, path: path.chmod(0o500),
}


@pytest.mark.parametrize("level", ["program", "year", "month", "day", "hour"])
@pytest.mark.parametrize("odd", ODDITIES)
def test_an_odd_directory_costs_its_program_a_finding_and_the_others_are_sorted(
    host: Path, level: str, odd: str
) -> None:
    """Its files stay loose, and nothing is written through a link; put right, they are sorted, too."""
    first, other = finish(host, STORMS, 15), finish(host, FLOODS, 15)
    run("organizedata", host, code=0)
    late, other = finish(host, STORMS, 30, day=24), finish(host, FLOODS, 30)
    depth = ["hour", "day", "month", "year", "program"].index(level)
    path = place(host, first).parents[depth]
    ODDITIES[odd](host, path)
    give(host)
    if odd == "read-only" and (not ROOT or level in ("program", "year", "month")):
        pytest.skip("nothing needs to be written there")
    found = run("organizedata", host, code=3)
    assert {fault["kind"] for fault in found["findings"]} & {"blocked", "unreadable"}
    assert any(fault["file"] == str(path) for fault in found["findings"]), found["findings"]
    assert place(host, other).exists()
    assert late.exists()
    assert not list((host / "elsewhere").rglob(late.name))
    if path.is_symlink() or path.is_file():
        path.unlink()
        (host / "elsewhere" if odd == "a link" else path.with_name("x")).rename(path)
    path.chmod(0o750)
    run("organizedata", host, code=0)
    assert not late.exists()


@pytest.mark.parametrize(
    "odd", [lambda path: path.chmod(0), lambda path: (path.unlink(), os.mkfifo(path)), lambda path: path.chmod(0o400)]
)
def test_an_odd_manifest_costs_its_day_a_finding(host: Path, odd: Callable[[Path], object]) -> None:
    """A pipe keeps nobody waiting."""
    first = finish(host, STORMS, 15)
    run("organizedata", host, code=0)
    late, other, next_day = finish(host, STORMS, 30), finish(host, FLOODS, 30), finish(host, STORMS, 30, day=25)
    sums = place(host, first).parents[1] / "SHA256SUMS"
    odd(sums)
    give(host)
    found = run("organizedata", host, code=3)
    assert [(fault["kind"], fault["file"]) for fault in found["findings"]] == [("blocked", str(sums))]
    assert (late.exists(), other.exists(), next_day.exists()) == (True, False, False)


def test_a_journal_that_cannot_be_read_keeps_its_program_s_files_where_they_are(host: Path) -> None:
    """What was recorded of them must be in the manifest; the others are sorted."""
    mine, other = finish(host, STORMS, 15), finish(host, FLOODS, 15)
    journal = host / "state" / "journal" / f"{STORMS}.jsonl"
    for spoil in (lambda: journal.chmod(0), lambda: (journal.rename(journal.with_name("x")), journal.mkdir())):
        spoil()
        give(host)
        found = run("organizedata", host, code=3)
        assert [(fault["kind"], fault["file"]) for fault in found["findings"]] == [("blocked", str(journal))]
        assert (mine.exists(), other.exists()) == (True, False)


def test_a_link_in_the_place_of_a_file_is_never_taken_for_a_second_copy(host: Path) -> None:
    """The loose file is the only one there is: it is kept under a new name."""
    path = finish(host, STORMS, 15)
    run("organizedata", host, code=0)
    content = place(host, path).read_bytes()
    path.write_bytes(content)
    place(host, path).unlink()
    place(host, path).symlink_to(path)
    give(host)
    run("organizedata", host, code=3)
    kept = place(host, path).with_name(path.name.replace("Z.", "Z_2."))
    assert kept.read_bytes() == content


def test_odd_names_in_the_tree_are_named_and_not_listed_by_adopt(host: Path) -> None:
    """Each with what to do, which works."""
    path = finish(host, STORMS, 15)
    run("organizedata", host, code=0)
    hour = place(host, path).parent
    misplaced = hour / path.name.replace("T20", "T21")
    misplaced.write_bytes(b"x")
    (hour / "notes.txt").touch()
    give(host)
    found = run("organizedata", host, "--adopt", code=3)
    details = {Path(fault["file"]).name: fault["detail"] for fault in found["findings"]}
    assert details[misplaced.name].endswith("move it to the top of the data directory")
    assert details["notes.txt"].endswith("move it away")
    misplaced.rename(host / "data" / misplaced.name)
    (hour / "notes.txt").unlink()
    run("organizedata", host, "--adopt", code=0)
    run("audit", host, code=0)


@as_root
def test_root_sorts_a_stranger_s_files_as_that_stranger_and_leaves_nothing_else(host: Path) -> None:
    """The host's own records are not those of the stranger: it says that none are kept, and makes none."""
    (host / "data" / "twitterfilter-2-2014-04-11T04-34-28Z.gz").touch()
    os.chown(host / "data", OTHER, OTHER)
    os.chown(host / "data" / "twitterfilter-2-2014-04-11T04-34-28Z.gz", OTHER, OTHER)
    arguments = [sys.executable, "-m", "sfm_stream", "organizedata", "--dir", host / "data"]
    state = Path("/var/lib/sfm/state")
    before = state.exists()
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no journals are read, and the outcome is not kept; --state-dir names other records" in done.stderr
    assert state.exists() is before
    assert {path.stat().st_uid for path in (host / "data").rglob("*")} == {OTHER}
    said = run("organizedata", host, code=2)["said"]
    assert f"root acts for one user only, and {host}/data to #65533, {host}/state to nobody" in said


@as_root
def test_root_does_nothing_in_directories_of_another_below_its_own(host: Path) -> None:
    """They could lead it anywhere: the program gets a finding."""
    for path in (host / "data", host / "state", *(host / "state").rglob("*")):
        os.chown(path, 0, 0)
    path = finish(host, STORMS, 15)
    for each in (host / "data", path, host / "state", *(host / "state").rglob("*")):
        os.chown(each, 0, 0)
    (host / "data" / STORMS).mkdir()
    os.chown(host / "data" / STORMS, NOBODY, NOBODY)
    found = run("organizedata", host, code=3)
    assert [fault["file"] for fault in found["findings"]] == [str(host / "data" / STORMS)]
    assert path.exists()


@pytest.mark.parametrize("missing", ["data", "state", "archive"])
def test_no_directory_is_made_for_a_mistyped_option(host: Path, missing: str) -> None:
    """Whichever of them it is."""
    finish(host, STORMS, 15)
    options = {"archive": ("--archive-dir", host / "typo"), "state": ("--state-dir", host / "typo")}.get(missing, ())
    options = ("--dir", host / "typo") if missing == "data" else options
    assert "typo: no such directory" in run("organizedata", host, *options, code=73)["said"]
    assert not (host / "typo").exists()
