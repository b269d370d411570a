"""Whatever is done to an archive behind its back, the audit names it and does not end with 0."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

OURS, SFMS = "twitterfilter-storms", "twitterfilter-2"
NOBODY = 65534
ROOT = os.geteuid() == 0


def run(command: str, top: Path, *options: object, code: int | None = None) -> dict[str, Any]:
    """Runs a command on an archive; as the owner of the archive, since root starts it."""
    arguments = ["--dir", top / "data", "--state-dir", top / "state", *options, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "sfm_stream", command, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert code in (None, done.returncode), done.stdout + done.stderr
    return {"exit": done.returncode, "said": done.stderr, "findings": []} | (json.loads(done.stdout or "{}"))


def give(top: Path) -> None:
    """All of it belongs to the process owner."""
    for path in (top, *top.rglob("*")):
        if ROOT:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@contextmanager
def place() -> Iterator[Path]:
    """A directory that every user can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in Path(name).rglob("*"):  # so that it can be cleared away
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)


@pytest.fixture(scope="module")
def model() -> Iterator[Path]:
    """Two programs with two days of two files each: one of ours, which has a journal, and one that SFM had sorted."""
    with place() as top:
        make(top)
        yield top


def make(top: Path) -> None:
    (top / "data").mkdir()
    for folder in ("journal", "history"):
        (top / "state" / folder).mkdir(parents=True)
    (top / "state" / "history" / f"{OURS}.jsonl").write_text(
        '{"time": "2026-11-24T00:00:00Z", "sha256": "", "settings": {}}\n'
    )
    with (top / "state" / "journal" / f"{OURS}.jsonl").open("w") as journal:
        for day in (24, 25):
            for minute in (15, 30):
                name, content = f"{OURS}-2026-11-{day}T20-{minute}-00Z.jsonl.gz", f"{day} {minute}".encode()
                (top / "data" / name).write_bytes(content)
                line = {
                    "time": f"2026-11-{day}T20:{minute}:00Z",
                    "event": "rotate",
                    "file": name,
                    "bytes": len(content),
                }
                journal.write(json.dumps(line | {"sha256": hashlib.sha256(content).hexdigest()}) + "\n")
                old = top / f"data/{SFMS}/2014/04/{day}/20/{SFMS}-2014-04-{day}T20-{minute}-00Z.gz"
                old.parent.mkdir(parents=True, exist_ok=True)
                old.write_bytes(content)
    give(top)
    run("organizedata", top, code=0)


@pytest.fixture
def fresh(model: Path) -> Iterator[Path]:
    """A copy of it."""
    with place() as folder:
        shutil.copytree(model, folder / "copy")
        give(folder / "copy")
        yield folder / "copy"


@pytest.fixture
def archive(fresh: Path) -> Path:
    """One that an audit has found whole."""
    assert run("audit", fresh, code=0)["files"] == 8
    return fresh


def file(top: Path, program: str = OURS, minute: int = 15) -> Path:
    return next((top / "data" / program).rglob(f"*T20-{minute}-00Z*"))


def day(top: Path, program: str = OURS) -> Path:
    return file(top, program).parents[1]


def link(path: Path, aside: str = "aside") -> None:
    """Moves a thing out of the tree and puts a link to it in its place."""
    target = next(parent for parent in path.parents if parent.name == "copy") / aside
    path.rename(target)
    path.symlink_to(target)


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def swap(top: Path) -> None:
    one, other = file(top), file(top, minute=30)
    content = one.read_bytes(), other.read_bytes()
    one.write_bytes(content[1])
    other.write_bytes(content[0])


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def forge(top: Path) -> None:
    """Another content, and the manifest made to agree."""
    path, sums = file(top, SFMS), day(top, SFMS) / "SHA256SUMS"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(b"other")
    edit(sums, lambda raw: raw.replace(before.encode(), hashlib.sha256(b"other").hexdigest().encode()))


def forget(top: Path) -> None:
    """A file and its line in the manifest."""
    path, sums = file(top, SFMS), day(top, SFMS) / "SHA256SUMS"
    path.unlink()
    edit(sums, lambda raw: b"".join(line for line in raw.splitlines(True) if path.name.encode() not in line))


def duplicate(top: Path) -> None:
    shutil.copytree(top / "data" / OURS, top / "data" / "twitterfilter-ghost")


MANIPULATIONS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a file deleted": (lambda top: file(top).unlink(), "missing", "T20-15-00Z"),
    "a file and its line deleted": (forget, "manifest", "SHA256SUMS"),
    "an hour deleted": (lambda top: shutil.rmtree(file(top).parent), "missing", "T20-15-00Z"),
    "a day of ours deleted": (lambda top: shutil.rmtree(day(top)), "missing", f"{OURS}/2026/11/2"),
    "a day of SFM's deleted": (lambda top: shutil.rmtree(day(top, SFMS)), "missing", f"{SFMS}/2014/04/2"),
    "a month deleted": (lambda top: shutil.rmtree(day(top).parent), "missing", f"{OURS}"),
    "a program of ours deleted": (lambda top: shutil.rmtree(top / "data" / OURS), "missing", OURS),
    "a program of SFM's deleted": (lambda top: shutil.rmtree(top / "data" / SFMS), "missing", SFMS),
    "a program renamed": (lambda top: (top / "data" / OURS).rename(top / "data" / "other"), "missing", OURS),
    "a day renamed": (lambda top: day(top).rename(day(top).with_name("26")), "missing", f"{OURS}/2026/11/2"),
    "an hour renamed": (lambda top: file(top).parent.rename(day(top) / "21"), "missing", "T20-15-00Z"),
    "a manifest deleted": (lambda top: (day(top) / "SHA256SUMS").unlink(), "manifest", "2026/11/2"),
    "a manifest emptied": (lambda top: (day(top) / "SHA256SUMS").write_bytes(b""), "manifest", "SHA256SUMS"),
    "a manifest cut short": (
        lambda top: edit(day(top) / "SHA256SUMS", lambda raw: raw[:-20]),
        "manifest",
        "SHA256SUMS",
    ),
    "a manifest of noise": (lambda top: (day(top) / "SHA256SUMS").write_bytes(b"\xff\0\n"), "manifest", "SHA256SUMS"),
    "a manifest that is a link": (lambda top: link(day(top) / "SHA256SUMS"), "irregular", "SHA256SUMS"),
    "a manifest that is a pipe": (lambda top: pipe(day(top) / "SHA256SUMS"), "irregular", "SHA256SUMS"),
    "content and manifest forged together": (forge, "manifest", "SHA256SUMS"),
    "two files of one size swapped": (swap, "changed", "T20-15-00Z"),
    "a byte changed": (lambda top: file(top).write_bytes(b"24 99"), "changed", "T20-15-00Z"),
    "a file cut short": (lambda top: file(top).write_bytes(b""), "changed", "T20-15-00Z"),
    "a file that is a link": (lambda top: link(file(top)), "irregular", "T20-15-00Z"),
    "a file that is a pipe": (lambda top: pipe(file(top)), "irregular", "T20-15-00Z"),
    "a file that is a directory": (lambda top: directory(file(top)), "unexpected", "T20-15-00Z"),
    "an hour that is a link": (lambda top: link(file(top).parent), "irregular", "/20"),
    "a day that is a link": (lambda top: link(day(top)), "irregular", "2026/11/2"),
    "a month that is a link": (lambda top: link(day(top).parent), "irregular", "2026/11"),
    "a year that is a link": (lambda top: link(day(top).parents[1]), "irregular", "2026"),
    "a program that is a link": (lambda top: link(top / "data" / OURS), "irregular", OURS),
    "a program that is a file": (
        lambda top: (shutil.rmtree(top / "data" / OURS), (top / "data" / OURS).touch()),
        "missing",
        OURS,
    ),
    "a file that may not be read": (lambda top: file(top).chmod(0), "unreadable", "T20-15-00Z"),
    "an hour that may not be read": (lambda top: file(top).parent.chmod(0), "unreadable", "/20"),
    "a day that may not be read": (lambda top: day(top).chmod(0), "unreadable", "2026/11/2"),
    "a month that may not be read": (lambda top: day(top).parent.chmod(0), "unreadable", "2026/11"),
    "a year that may not be read": (lambda top: day(top).parents[1].chmod(0), "unreadable", "2026"),
    "a program that may not be read": (lambda top: (top / "data" / OURS).chmod(0), "unreadable", OURS),
    "a manifest that may not be read": (lambda top: (day(top) / "SHA256SUMS").chmod(0), "unreadable", "SHA256SUMS"),
    "a data directory that may not be listed": (lambda top: (top / "data").chmod(0o300), "unreadable", "data"),
    "journals that may not be listed": (lambda top: (top / "state/journal").chmod(0), "journal", "journal"),
    "a journal that may not be read": (lambda top: (top / f"state/journal/{OURS}.jsonl").chmod(0), "journal", OURS),
    "a journal deleted": (lambda top: (top / f"state/journal/{OURS}.jsonl").unlink(), "journal", OURS),
    "a journal cut short": (
        lambda top: edit(top / f"state/journal/{OURS}.jsonl", lambda raw: raw.splitlines(True)[0]),
        "journal",
        OURS,
    ),
    "a journal of noise": (
        lambda top: edit(top / f"state/journal/{OURS}.jsonl", lambda raw: raw + b'{"sha256"\xff\n'),
        "journal",
        OURS,
    ),
    "a stranger's file": (lambda top: (day(top) / "20" / "notes.txt").touch(), "unexpected", "notes.txt"),
    "a capture file from elsewhere": (
        lambda top: (day(top, SFMS) / f"20/{SFMS}-2014-04-24T20-59-00Z.gz").touch(),
        "unexpected",
        "T20-59-00Z",
    ),
    "an empty directory of a program": (lambda top: (top / "data" / "empty").mkdir(), "unexpected", "empty"),
    "a copy of a program under another name": (duplicate, "unexpected", "twitterfilter-ghost"),
    "an empty tree": (
        lambda top: (shutil.rmtree(top / "data"), (top / "data").mkdir()),
        "empty",
        "data",
    ),
    "what was counted of noise": (lambda top: (top / "state/audited.json").write_bytes(b"\xff"), "unreadable", "state"),
}


@pytest.mark.parametrize("done", MANIPULATIONS)
def test_each_manipulation_is_named(archive: Path, done: str) -> None:
    """By its kind and its place, also where no content is read, unless it is the content that changed."""
    manipulate, kind, named = MANIPULATIONS[done]
    manipulate(archive)
    give(archive)
    # What was counted is counted anew after an audit has said that it was lost.
    for sample in (100, 0) if kind != "changed" and "counted" not in done else (100,):
        found = run("audit", archive, "--sample", sample, code=3)
        named_so = [fault for fault in found["findings"] if fault["kind"] == kind and named in fault["file"]]
        assert named_so, found["findings"]
        assert found[kind] >= len(named_so)


@pytest.mark.parametrize("done", [name for name in MANIPULATIONS if "SFM" not in name and "counted" not in name])
def test_the_first_audit_of_a_host_finds_as_much_of_what_has_a_journal(fresh: Path, done: str) -> None:
    """Nothing was counted before: the journals are witnesses enough."""
    manipulate, kind, _ = MANIPULATIONS[done]
    if done in ("a file and its line deleted", "content and manifest forged together", "a journal cut short"):
        pytest.skip("of SFM's files, and of what a journal once held, an earlier audit alone bears witness")
    manipulate(fresh)
    give(fresh)
    found = run("audit", fresh, code=3)
    # Of entries that a manifest no longer has, the journal alone knows: their files are missing there.
    assert {kind, "missing"} & {fault["kind"] for fault in found["findings"]}, found["findings"]


def test_a_finding_stays_until_it_is_cured_or_accepted(archive: Path) -> None:
    """An audit does not get used to a loss; what was moved away on purpose is accepted by name, and can come back."""
    lost = day(archive, SFMS)
    shutil.move(lost, archive / "elsewhere")
    place = f"{SFMS}/2014/04/{lost.name}"
    for _ in range(2):
        found = run("audit", archive, code=3)
        assert [fault["kind"] for fault in found["findings"]] == ["missing"]
    found = run("audit", archive, "--accept", place, code=0)
    assert found["accepted"] == 0  # nothing but the count knew of it
    shutil.move(archive / "elsewhere", lost)
    assert run("audit", archive, code=0)["files"] == 8
    shutil.rmtree(day(archive))
    run("audit", archive, code=3)
    found = run("audit", archive, "--accept", OURS, code=0)
    assert found["accepted"] == 1
    assert run("audit", archive, code=0)["accepted"] == 1


@pytest.mark.parametrize("place", ["", "/", "x/../y", "x/26/1", "x/2026/11/24/20", "x/2026/"])
def test_what_is_no_place_is_not_accepted(archive: Path, place: str) -> None:
    """The message shows one that is."""
    found = run("audit", archive, "--accept", place, code=2)
    assert "such as twitterfilter-storms/2026/11/24" in found["said"]


def test_another_directory_than_the_archive_is_not_called_whole(archive: Path) -> None:
    """A wrong --dir: what the journals know of is not there. A directory that is absent is an error of its own."""
    (archive / "wrong").mkdir()
    give(archive)
    found = run("audit", archive, "--dir", archive / "wrong", code=3)
    assert {"missing", "empty"} == {fault["kind"] for fault in found["findings"]}
    run("audit", archive, "--dir", archive / "absent", code=2)
    run("audit", archive, "--archive-dir", archive / "absent", code=2)
    run("audit", archive, "--state-dir", archive / "absent", code=73)


def test_a_day_that_is_left_out_or_not_there_is_nothing_to_audit(archive: Path) -> None:
    """Since a day to come, there is nothing: a finding, not a clean bill."""
    assert run("audit", archive, "--since", "2026-11-25", code=0)["days"] == 1
    found = run("audit", archive, "--since", "2030-01-01", code=3)
    assert [(fault["kind"]) for fault in found["findings"]] == ["empty"]


def test_files_that_wait_to_be_sorted_are_something_to_audit(tmp_path: Path) -> None:
    """On a host whose first files are finished and loose, all is well."""
    (tmp_path / "data").mkdir()
    (tmp_path / "state" / "journal").mkdir(parents=True)
    name = f"{OURS}-2026-11-24T20-15-00Z.jsonl.gz"
    (tmp_path / "data" / name).write_bytes(b"x")
    line = {"time": "2026-11-24T20:15:00Z", "event": "rotate", "file": name, "bytes": 1, "sha256": "0" * 64}
    (tmp_path / "state" / "journal" / f"{OURS}.jsonl").write_text(json.dumps(line) + "\n")
    assert run("audit", tmp_path, code=0)["waiting"] == 1


def test_the_remedies_that_the_audit_prints_work(archive: Path) -> None:
    """What it says to do is done, word by word, and the next audit finds nothing."""
    extra = day(archive, SFMS) / f"20/{SFMS}-2014-04-{day(archive, SFMS).name}T20-59-00Z.gz"
    extra.write_bytes(b"found in a backup")
    with (day(archive) / "SHA256SUMS").open("ab") as sums:
        sums.write(b"0123")
    (day(archive, SFMS) / "20" / "odd name.txt").touch()
    give(archive)
    found = run("audit", archive, code=3)
    details = {Path(fault["file"]).name: fault["detail"] for fault in found["findings"]}
    assert details[extra.name].endswith("organizedata --adopt lists it, or move it away")
    assert details["SHA256SUMS"] == "the last line is cut short; organizedata --adopt cuts it off"
    assert details["odd name.txt"].endswith("move it away")
    told = run("organizedata", archive, "--adopt", code=3)
    assert [(fault["kind"], fault["detail"]) for fault in told["findings"]] == [
        ("unknown", "not the name of a capture file; move it away")
    ]
    (day(archive, SFMS) / "20" / "odd name.txt").unlink()
    run("organizedata", archive, "--adopt", code=0)
    assert run("audit", archive, code=0)["files"] == 9
