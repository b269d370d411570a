"""The capture files of a program, where it wrote them or in the date tree: the last ones, or all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from sfm_stream import clock, names, reading
from sfm_stream.archive import tree
from sfm_stream.capture import salvage

SKEW = timedelta(minutes=10)
"""By how much a source's clock may be ahead of this host's."""
LONGEST = timedelta(days=1)
"""A file is finished within this time of its first line."""
REACH = timedelta(days=31)
"""No source replays more."""


class _Organized(msgspec.Struct):
    """What is needed of the last report of the job that sorts files into the date tree."""

    archive_dir: str = ""


def since(begin: datetime, data_dir: Path, state_dir: Path, program: str) -> list[Path]:
    """The capture files that were written after `begin`, oldest first.

    Raises:
        OSError: A directory cannot be read.
    """
    begin -= SKEW
    found = dict(_in_tree(begin, data_dir, state_dir, program)) | salvage.finished(data_dir, program)
    # By name, which is by the time of their first lines.
    return [path for name, path in sorted(found.items()) if path.stat().st_mtime >= begin.timestamp()]


def _in_tree(begin: datetime, data_dir: Path, state_dir: Path, program: str) -> list[tuple[str, Path]]:
    now = clock.now()
    # From the hour's beginning: by steps from a later minute, the folder of the present hour would be left out.
    hour = (max(begin, now - REACH) - LONGEST).replace(minute=0, second=0, microsecond=0)
    found: list[tuple[str, Path]] = []
    while hour <= now + SKEW:
        folder = names.CaptureName(program=program, time=hour).folder
        for root in dict.fromkeys((data_dir, _archive(data_dir, state_dir))):
            found += salvage.finished(root / folder, program).items()
        hour += timedelta(hours=1)
    return found


def lines(data_dir: Path, state_dir: Path, program: str, report: Callable[[str], None]) -> Iterator[bytes]:
    """All lines that a program has kept, oldest first; `report` gets a line for each."""
    found: dict[str, Path] = {}
    for root in dict.fromkeys((data_dir, _archive(data_dir, state_dir))):
        for day in tree.days_of(str(root), program, lambda path, _kind, why: report(f"{path}: {why}")):
            try:
                found |= {Path(file).name: root / day / file for file in tree.day_files(f"{root}/{day}")}
            except OSError as error:
                report(f"{root / day}: cannot be listed: {error.strerror}")
    found |= salvage.finished(data_dir, program)
    for _, path in sorted(found.items()):
        try:
            yield from salvage.lines(path)
        except OSError as error:
            report(f"{path}: cannot be read: {error.strerror}")


def _archive(data_dir: Path, state_dir: Path) -> Path:
    try:
        last = reading.read_record(state_dir / "organize.json", _Organized)
    except reading.UnreadableError:
        last = None
    return Path(last.archive_dir) if last is not None and last.archive_dir else data_dir
