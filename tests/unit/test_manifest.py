"""Manifests, as they are read and written."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.archive import manifest, recorded
from sfm_stream.archive.filesystem import Filesystem, same_content
from sfm_stream.archive.open_files import QUIET, Writers

DIGEST = hashlib.sha256(b"").hexdigest()
entries = st.dictionaries(
    st.from_regex(r"[0-9]{2}/[a-z:.-]{1,20}", fullmatch=True), st.from_regex("[0-9a-f]{64}", fullmatch=True)
)


@given(entries, st.integers(0, 60))
def test_what_is_written_is_read_back_and_a_torn_end_costs_nothing_else(listed: dict[str, str], torn: int) -> None:
    """A half-written last line is told apart from the whole ones before it."""
    raw = "".join(manifest.entry(sha256, file) for file, sha256 in listed.items()).encode()
    found = manifest.parse(raw + manifest.entry(DIGEST, "20/x").encode()[:torn])
    assert (found.entries, found.faults, found.length, found.torn) == (listed, (), len(raw), torn > 0)


def test_lines_that_are_no_entries_or_contradict_another_are_kept_apart() -> None:
    """The first entry of a file counts; what is not understood is shown as it stands."""
    lines = [f"{DIGEST}  20/a", f"{'0' * 64}  20/a", f"{DIGEST}  20/a", "# note", f"{DIGEST[:60]}  20/b"]
    lines.append(f"{DIGEST} *20/c")
    found = manifest.parse("".join(f"{line}\n" for line in lines).encode())
    assert found.entries == {"20/a": DIGEST, "20/c": DIGEST}
    assert found.faults == (lines[1], lines[3], lines[4])


def test_sha256sum_reads_a_manifest(tmp_path: Path) -> None:
    """The tool that every system has, run in the day's directory, with names as old SFM made them."""
    file = "04/streamsample-2014-04-11T04:34:28Z.xml.gz"
    (tmp_path / "04").mkdir()
    (tmp_path / file).write_bytes(b"x")
    Filesystem().create(f"{tmp_path}/{manifest.NAME}", manifest.entry(hashlib.sha256(b"x").hexdigest(), file))
    command = ["sha256sum", "--strict", "-c", manifest.NAME]
    check = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert check.returncode == 0, check.stderr


def test_no_effect_replaces_a_file(tmp_path: Path) -> None:
    """Renames, copies and new files stop where something is already."""
    source, target = f"{tmp_path}/source", f"{tmp_path}/target"
    Path(source).write_text("new")
    Path(target).write_text("old")
    for effect in (Filesystem().rename, Filesystem().copy):
        with pytest.raises(FileExistsError):
            effect(source, target)
    with pytest.raises(FileExistsError):
        Filesystem().create(target, "new")
    assert (Path(source).read_text(), Path(target).read_text()) == ("new", "old")


def test_a_copy_keeps_bytes_times_and_mode(tmp_path: Path) -> None:
    """What arrives on the other filesystem is the same file, and what an earlier attempt left is gone."""
    source, target = f"{tmp_path}/source", f"{tmp_path}/target"
    Path(source).write_bytes(b"x" * 3_000_000)
    Path(source).chmod(0o640)
    os.utime(source, (1, 2))
    Path(tmp_path, ".target.unfinished").write_text("half")
    assert Filesystem().copy(source, target) == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert same_content(source, target)
    status = Path(target).stat()
    assert (status.st_mtime, status.st_mode & 0o777) == (2, 0o640)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_a_copy_that_does_not_fit_leaves_the_source_and_nothing_else(tmp_path: Path) -> None:
    """What was written of it does not go on filling the disk."""
    (tmp_path / "source").write_bytes(b"x" * 3_000_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            Filesystem().copy(f"{tmp_path}/source", f"{tmp_path}/target")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_many_paths_are_synced_at_once_and_few_one_by_one(tmp_path: Path) -> None:
    """Both ways take files and directories; a path that is gone is an error, not silence."""
    paths = [tmp_path]
    for number in range(40):
        (tmp_path / str(number)).mkdir()
        paths.append(tmp_path / str(number))
    Filesystem().sync(map(str, paths))
    Filesystem().sync(map(str, paths[:3]))
    with pytest.raises(FileNotFoundError):
        Filesystem().sync([f"{tmp_path}/gone"])


def test_a_writer_in_another_process_is_seen(tmp_path: Path) -> None:
    """By the kernel's word, whether it writes or only could; a reader does not count."""
    path = tmp_path / "file"
    path.touch()
    code = "import sys; file = open(sys.argv[1], sys.argv[2]); print('open', flush=True); sys.stdin.read()"
    for mode, written in (("ab", True), ("rb", False)):
        with subprocess.Popen(
            [sys.executable, "-c", code, path, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            process.stdout.readline()
            with path.open("rb") as file:
                assert Writers().writes(file.fileno()) is written
            process.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_where_no_lease_can_be_had_the_open_files_and_the_quiet_decide(tmp_path: Path) -> None:
    """Another user's file: its writers may be hidden from us, so that it must have rested for a while."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    code = (
        "import os, sys; from sfm_stream.archive.open_files import Writers; fd = os.open(sys.argv[1], os.O_RDONLY);"
        "os.setuid(65534); print(Writers().writes(fd))"
    )
    for age, written in ((0, "True"), (QUIET + 60, "False")):
        os.utime(path, (time.time() - age,) * 2)
        run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == written


def test_journals_are_read_for_finished_files_only(tmp_path: Path) -> None:
    """Other events and broken lines are passed over; the last word on a file counts; days come one after the other."""
    (tmp_path / "journal").mkdir()
    line = '{"time": "2026-11-2%dT21:00:00Z", "event": "%s", "file": "%s", "bytes": 1, "sha256": "%s"}\n'
    name = "data/streamsample-2026-11-2%dT20-00-00Z.jsonl.gz"
    (tmp_path / "journal" / "streamsample.jsonl").write_text(
        line % (4, "rotate", name % 4, "a" * 64)
        + '{"time": "2026-11-24T21:00:00Z", "event": "gap", "sha256": "none"}\n'
        + line % (4, "rotate", name % 4, "b" * 64)
        + line % (4, "rotate", name % 5, "short")
        + '{"time": "2026-11-24T21:00:00Z", "event": "rot\n'
        + line % (9, "rotate", name % 9, "c" * 64)
    )
    day_4, day_9 = (f"streamsample-2026-11-2{day}T20-00-00Z.jsonl.gz" for day in (4, 9))
    found = recorded.look_up(tmp_path, "streamsample", {day_4, "other"})
    assert {file: each.sha256 for file, each in found.items()} == {day_4: "b" * 64}
    assert recorded.look_up(tmp_path, "nothing", {"x"}) == {}
    by_day = recorded.ByDay(tmp_path, "streamsample")
    days = [
        (day.day, {file: [each.sha256[0] for each in said] for file, said in files.items()})
        for day, files in by_day.days()
    ]
    assert days == [(24, {day_4: ["a", "b"]}), (29, {day_9: ["c"]})]
    assert (by_day.files, by_day.damaged, by_day.late) == (3, 1, {})


def test_what_was_recorded_late_is_kept_apart_and_lost_to_nobody(tmp_path: Path) -> None:
    """A file that is salvaged weeks after its day, and one of a time when the clock was wrong."""
    (tmp_path / "journal").mkdir()
    line = '{"time": "2026-11-%02dT21:00:00Z", "event": "rotate", "file": "x-%s.gz", "bytes": 1, "sha256": "%064d"}\n'
    name = "2026-11-%02dT20-00-00Z"
    written = [
        (1, name % 1),
        (2, name % 2),
        (9, name % 9),
        (29, name % 2),
        (29, name % 29),
        (30, "9999-12-31T00-00-00Z"),
    ]
    (tmp_path / "journal" / "x.jsonl").write_text("".join(line % (day, file, day) for day, file in written))
    by_day = recorded.ByDay(tmp_path, "x")
    assert [day.isoformat() for day, _ in by_day.days()] == [
        "2026-11-01",
        "2026-11-02",
        "2026-11-09",
        "2026-11-29",
        "9999-12-31",
    ]
    assert [(day.day, *files) for day, files in by_day.late.items()] == [(2, f"x-{name % 2}.gz")]
