"""Carries out what was planned: files go into the date tree, in an order that a crash can interrupt anywhere."""

# Plain strings, not Path objects: a run may touch millions of paths, and those would cost more than the work on them.
# ruff: noqa: PTH112

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress

import msgspec

from sfm_stream.archive.filesystem import Filesystem
from sfm_stream.archive.placement import Loose, Placement


class Move(msgspec.Struct, frozen=True):
    """A file and where it goes.

    Attributes:
        loose: The file.
        place: What to do with it.
        target: The whole path of its place.
        damaged: Whether it is known not to hold what its program recorded.
    """

    loose: Loose
    place: Placement
    target: str
    damaged: bool


def carry_out(data: str, steps: list[Move], filesystem: Filesystem, done: Callable[[Move], None]) -> None:
    """Moves files out of a data directory; `done` gets each step that was carried out."""
    touched: set[str] = set()
    obsolete: list[Loose] = []
    made: set[str] = set()
    for step in steps:
        source = f"{data}/{step.loose.name}"
        parent = step.target.rpartition("/")[0]
        if parent not in made:
            make(parent, filesystem, touched)
            made.add(parent)
        touched.add(parent)
        try:
            if step.place.kind == "known":
                touched.add(step.target)
                obsolete.append(step.loose)
            elif _move(source, step.target, filesystem):
                obsolete.append(step.loose)
        except FileNotFoundError:
            continue  # another run took it
        except FileExistsError:
            continue  # it appeared meanwhile; the next pass compares the two
        done(step)
    filesystem.sync(touched)
    # Only now, with the copies on the disk for good, may the originals go.
    for loose in obsolete:
        path = f"{data}/{loose.name}"
        with suppress(FileNotFoundError):
            now = os.lstat(path)
            # Only what was compared or copied, not what somebody put in its place meanwhile.
            if (now.st_size, now.st_mtime_ns, now.st_ino) == (loose.size, loose.modified, loose.inode):
                filesystem.remove(path)


def make(directory: str, filesystem: Filesystem, touched: set[str]) -> None:
    """Makes a directory and those above it; `touched` gets each whose entries changed."""
    missing = []
    while not os.path.isdir(directory):
        missing.append(directory)
        directory = directory.rpartition("/")[0]
    for path in reversed(missing):
        with suppress(FileExistsError):
            filesystem.make_directory(path)
        touched.update((path, path.rpartition("/")[0]))


def _move(source: str, target: str, filesystem: Filesystem) -> bool:
    """Moves one file; whether the source is still to be removed."""
    try:
        filesystem.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        filesystem.copy(source, target)
        return True
    return False
