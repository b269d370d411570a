"""A dataset: one Parquet file for each capture file, so that a rerun, a host or a takedown touches no other.

``<root>/source=<source>/program=<program>/day=<YYYY-MM-DD>/<capture file's name without its suffix>.parquet``, as
Spark, DuckDB, Polars and Dask find them. A file is a function of its capture file and the release's columns alone. It
bears the capture file's time of last change, and so is up to date where the two agree; one whose capture file could not
be read to its end bears none, and is made again by each run.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from sfm_stream import __version__
from sfm_stream.durable import sync_directory
from sfm_stream.errors import StorageError
from sfm_stream.export import columns
from sfm_stream.export.chosen import ChosenStream
from sfm_stream.export.columns import FILE, LINE, Field
from sfm_stream.export.files import InputFile, Places, opened
from sfm_stream.export.formats.parquet import Parquet
from sfm_stream.export.keys import Keys
from sfm_stream.export.posts import Criteria, Posts
from sfm_stream.export.rows import row_maker, written
from sfm_stream.locking import held, open_lock
from sfm_stream.sources.registry import source

SUFFIX = ".parquet"
_FAULTY = 0
"""The time of last change of a file whose capture file has a fault."""


@dataclass
class SyncOutcome:
    """What came of a run.

    Attributes:
        written: Files written.
        current: Files that were up to date.
        removed: Files removed, since there is no capture file of theirs any more.
        orphaned: The same that were left, since it was not asked.
        outdated: Programs of which the oldest file has other columns than this release gives.
        rows: Rows written.
        counts: Lines, by what became of them.
        faults: What could not be read or written, a line each.
    """

    written: int = 0
    current: int = 0
    removed: int = 0
    orphaned: int = 0
    outdated: list[str] = field(default_factory=list)
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class _Plan(NamedTuple):
    """What there is to do for a program.

    Attributes:
        write: Capture files and where each goes, the newest first.
        current: How many need nothing.
        orphaned: Parquet files of no capture file.
    """

    write: list[tuple[InputFile, Path]]
    current: int
    orphaned: list[Path]


def place(root: Path, stream: ChosenStream, each: InputFile) -> Path:
    """Where the Parquet file of a program's capture file lies."""
    if each.capture is None:
        raise ValueError(f"{each.path} is no capture file")
    name = each.name.removesuffix(each.capture.suffix)
    return _folder(root, stream) / f"day={each.capture.time:%Y-%m-%d}" / f"{name}{SUFFIX}"


def plan(
    captures: Mapping[Path, tuple[InputFile, int]], there: Mapping[Path, int], stale: Callable[[Path], bool]
) -> _Plan:
    """Compares what was captured with what is there.

    Args:
        captures: Where each capture file goes -> the file, and its time of last change in nanoseconds.
        there: The Parquet files -> their time of last change.
        stale: Whether a file that is up to date by its time is to be made again.
    """
    new = {path for path, (_, time) in captures.items() if there.get(path) != time or stale(path)}
    return _Plan(
        write=[(captures[path][0], path) for path in sorted(new, reverse=True)],
        current=len(captures) - len(new),
        orphaned=sorted(set(there) - set(captures)),
    )


def sync(
    streams: Sequence[ChosenStream],
    places: Places,
    root: Path,
    *,
    prune: bool = False,
    renew: bool = False,
    advance: Callable[[int], None] = lambda _files: None,
) -> SyncOutcome:
    """Brings a dataset up to what was captured and finished; a run that was ended is gone on with by the next.

    Args:
        streams: Of which programs.
        places: Where a capture file is looked for that was moved meanwhile.
        root: The dataset's directory.
        prune: Remove the files of capture files that are gone.
        renew: Make those again whose columns are of another release, the oldest last.
        advance: Called with the number of capture files done.

    Raises:
        LockedError: Another run is at work on it.
        StorageError: It cannot be written.
    """
    outcome = SyncOutcome()
    try:
        with held(open_lock(root), f"{root}: another `dataset sync` is at work on it; let it finish"), Keys() as keys:
            for stream in streams:
                writer = _Writer(stream, places, keys, outcome)
                _sync_program(outcome, stream, writer, places, root, prune=prune, renew=renew, advance=advance)
    except OSError as error:
        raise StorageError(f"{error.filename or root}: cannot be written: {error.strerror or error}") from error
    return outcome


def _sync_program(
    outcome: SyncOutcome,
    stream: ChosenStream,
    writer: _Writer,
    places: Places,
    root: Path,
    *,
    prune: bool,
    renew: bool,
    advance: Callable[[int], None],
) -> None:
    captures, unreadable = _captures(stream, places, root, outcome.faults)
    there = _there(_folder(root, stream))
    todo = plan(captures, there, writer.has_other_columns if renew else lambda _path: False)
    outcome.current += todo.current
    advance(todo.current)
    for each, path in todo.write:
        writer.write(each, path, captures[path][1])
        advance(1)
    orphaned = [path for path in todo.orphaned if path not in unreadable]
    if prune:
        for path in orphaned:
            path.unlink()
        outcome.removed += len(orphaned)
    else:
        outcome.orphaned += len(orphaned)
    oldest = min(there.keys() & captures.keys(), default=None)
    if oldest is not None and writer.has_other_columns(oldest):
        outcome.outdated.append(stream.program)


def _folder(root: Path, stream: ChosenStream) -> Path:
    return root / f"source={stream.source}" / f"program={stream.program}"


def _captures(
    stream: ChosenStream, places: Places, root: Path, faults: list[str]
) -> tuple[dict[Path, tuple[InputFile, int]], set[Path]]:
    """The finished capture files and their times, by where each goes, and where those go that cannot be read."""
    found: dict[Path, tuple[InputFile, int]] = {}
    unreadable: set[Path] = set()
    for each in stream.files:
        if each.live:
            continue
        path = place(root, stream, each)
        try:
            descriptor, _ = opened(each, places)
        except OSError as error:
            faults.append(f"{each.path}: cannot be read: {error.strerror}")
            unreadable.add(path)
            continue
        try:
            found[path] = each, os.fstat(descriptor).st_mtime_ns
        finally:
            os.close(descriptor)
    return found, unreadable


def _there(folder: Path) -> dict[Path, int]:
    """The Parquet files of a program with their times; what an interrupted run left half written is removed."""
    found: dict[Path, int] = {}
    for path in folder.glob("day=*/*"):
        if path.suffix == SUFFIX:
            found[path] = path.stat().st_mtime_ns
        elif path.name.startswith(".") and path.name.endswith(f"{SUFFIX}.part"):
            path.unlink()
    return found


class _Writer:
    """Writes the Parquet files of one program, and counts what it does in an outcome."""

    def __init__(self, stream: ChosenStream, places: Places, keys: Keys, outcome: SyncOutcome) -> None:
        self._stream, self._places, self._keys, self._outcome = stream, places, keys, outcome
        self._table = source(stream.source).rows()
        chosen = columns.choose({stream.source: self._table}, f"+{LINE},{FILE}", raw=True)
        # The folders say the source; some readers refuse a file that says again what its folder does.
        self._fields: list[Field] = [each for each in chosen if each.name != "source"]

    def write(self, each: InputFile, path: Path, time: int) -> None:
        """Makes the file of a capture file, whole and on the disk, or leaves what was there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        faults: list[str] = []
        one = self._stream._replace(files=[each])
        posts = Posts(one, self._places, Criteria(with_deleted=True), self._keys, faults.append, self._table)
        parquet = Parquet(part, self._fields, {"sfm.file": each.name, "sfm.release": __version__})
        self._outcome.rows += written(posts, parquet, row_maker(self._fields, posts))
        parquet.finish()
        os.utime(part, ns=(time, _FAULTY if faults else time))
        part.replace(path)
        sync_directory(path.parent)
        self._outcome.written += 1
        self._outcome.counts += posts.counts
        self._outcome.faults += faults

    def has_other_columns(self, path: Path) -> bool:
        """Whether a file was made by a release whose columns are others; one that cannot be read is as good as that."""
        try:
            names: list[str] = pq.read_schema(path).names
        except (OSError, pa.ArrowException):
            return True
        return names != [each.name for each in self._fields]
