"""The finished files of a program: found in the date tree and the data directory, summarized where they are new."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import msgspec

from sfm_stream import names, reading
from sfm_stream.archive import manifest, recorded, tree
from sfm_stream.compression.content import opened
from sfm_stream.report.summary import DaySummary, FileSummary, count
from sfm_stream.report.summary_store import Store
from sfm_stream.sources.base import Source

_GATHERED = 50_000
"""Entries in the counts of a day from which on they are cut between two files, to bound the memory."""


class CaptureFile(msgspec.Struct, frozen=True, kw_only=True):
    """A finished file.

    Attributes:
        name: Its name.
        path: Where it lies.
        size: Bytes.
        modified: When it was last changed, in nanoseconds since 1970.
        sha256: As the day's manifest or the program's journal has it; "" where neither does.
        duplicates: Posts in it that its program knew to have come before; None where it did not record that.
    """

    name: str
    path: str
    size: int
    modified: int
    sha256: str
    duplicates: int | None = None


class Holdings(msgspec.Struct, kw_only=True):
    """What lies on this host of a program.

    Attributes:
        days: Finished files by day and name.
        manifests: The sha256 of each day's manifest, by day.
        missing: Files that a manifest lists and that are not there.
        writing: Segments that are being written, or were left by a crash.
        faults: What could not be looked at, one line each.
    """

    days: dict[date, dict[str, CaptureFile]] = {}
    manifests: dict[date, str] = {}
    missing: list[str] = []
    writing: int = 0
    faults: list[str] = []


def find(
    program: str, data_dir: str, archive_dir: str, state_dir: Path, since: date | None, until: date | None
) -> Holdings:
    """All finished files of a program whose names tell a time in the days from `since` to `until`, these included."""
    place = Holdings()
    known = _recorded(state_dir, program, place)
    for directory in dict.fromkeys((archive_dir, data_dir)):
        for day in tree.days_of(directory, program, lambda path, _, why: place.faults.append(f"{path}: {why}")):
            when = _date(day)
            if when and (since or date.min) <= when <= (until or date.max):
                try:
                    _sorted_day(f"{directory}/{day}", when, known, place)
                except OSError as error:
                    place.faults.append(f"{error.filename or day}: {error.strerror}")
    try:
        entries = os.scandir(data_dir)
    except OSError as error:
        place.faults.append(f"{data_dir}: {error.strerror}")
        return place
    with entries:
        for entry in entries:
            _loose(entry, program, known, place, since or date.min, until or date.max)
    place.missing = [
        each
        for each in place.missing
        if (found := names.parse(each)) and each not in place.days.get(found.time.date(), {})
    ]
    return place


def _recorded(state_dir: Path, program: str, place: Holdings) -> dict[str, recorded.RecordedFile]:
    try:
        return {each.file: each for each in recorded.recorded_files(state_dir, program)}
    except reading.UnreadableError as error:
        place.faults.append(str(error))
        return {}


def _date(day: str) -> date | None:
    try:
        return date(*map(int, day.split("/")[-3:]))
    except ValueError:
        return None


def _sorted_day(directory: str, day: date, known: dict[str, recorded.RecordedFile], place: Holdings) -> None:
    raw = manifest.read_bytes(f"{directory}/{manifest.NAME}")
    listed = manifest.parse(raw).entries if raw is not None else {}
    if raw is not None:
        place.manifests[day] = manifest.digest(raw)
    there = tree.day_files(directory)
    for file in there:
        name = file.rpartition("/")[2]
        if names.parse(name) is not None:
            _add(place, day, name, f"{directory}/{file}", listed.get(file, ""), known)
    place.missing += [file.rpartition("/")[2] for file in listed.keys() - set(there)]


def _loose(
    entry: os.DirEntry[str],
    program: str,
    known: dict[str, recorded.RecordedFile],
    place: Holdings,
    since: date,
    until: date,
) -> None:
    name = entry.name
    if not name.startswith(f"{program}-"):
        return
    capture = names.parse(name.removesuffix(names.PART))
    if capture is None or capture.program != program or not since <= capture.time.date() <= until:
        return
    if name.endswith(names.PART):
        place.writing += 1
    elif name not in place.days.get(capture.time.date(), {}):
        _add(place, capture.time.date(), name, entry.path, "", known)


def _add(
    place: Holdings, day: date, name: str, path: str, sha256: str, known: dict[str, recorded.RecordedFile]
) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return  # moved meanwhile; the next run finds it
    if not reading.is_regular(path):
        place.faults.append(f"{path}: is not a regular file")
        return
    journaled = known.get(name)
    place.days.setdefault(day, {})[name] = CaptureFile(
        name=name,
        path=path,
        size=status.st_size,
        modified=status.st_mtime_ns,
        sha256=sha256 or (journaled.sha256 if journaled else ""),
        duplicates=journaled.duplicates if journaled else None,
    )


def summarize(
    program: str,
    day: date,
    files: dict[str, CaptureFile],
    source: Source,
    store: Store,
    advance: Callable[[int], None] = lambda _: None,
) -> DaySummary:
    """The summary of a day: what is kept of it, and what its new files hold.

    Where a file was changed or is gone, as after a takedown, all of its day is read again.
    """
    kept = store.read(program, day)
    if any(name not in files or not _same(each, files[name]) for name, each in kept.files.items()):
        kept = DaySummary()
    new = [each for name, each in files.items() if name not in kept.files]
    for file in new:
        summary = FileSummary(sha256=file.sha256, size=file.size, modified=file.modified)
        kept.add(count(lines_of(file.path), source.features, summary))
        kept.files[file.name] = summary
        if len(kept.accounts.counts) + len(kept.links.counts) > _GATHERED:
            kept.cut(_GATHERED // 10)
        advance(1)
    advance(len(files) - len(new))
    if new:
        kept.cut()
        store.write(program, day, kept)
    return kept


def _same(summary: FileSummary, file: CaptureFile) -> bool:
    return summary.is_of(file.sha256, file.size, file.modified)


def lines_of(path: str) -> Iterator[bytes]:
    """The lines of a capture file.

    Raises:
        OSError, EOFError: It cannot be read, or not to its end.
    """
    with opened(path) as content:
        yield from content.lines()
    if content.ending != "whole":
        raise EOFError("it ends too soon" if content.ending == "torn" else "its bytes are damaged")
