"""Writing that survives a crash: what has been reported as written is on the disk, whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from sfm_stream.names import DAMAGED


def sync_directory(path: Path) -> None:
    """Makes names that were created, renamed or removed in `path` last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes, *, durable: bool = True, mode: int | None = None) -> None:
    """Puts `content` in the place of `path`, so that a reader sees the old or the new and nothing between.

    With `durable` false a power cut may bring the old content back; it costs no wait for the disk. The folder is made
    where it is missing, but none above it. What lies at the temporary name, be it a link, is removed and never written
    through. Without a `mode` it is read by its owner and group, as the umask allows.
    """
    path.parent.mkdir(mode=0o750, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    descriptor = create_anew(temporary)
    try:
        write_all(descriptor, content)
        if mode is not None:
            os.fchmod(descriptor, mode)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        temporary.replace(path)
    except IsADirectoryError:
        set_aside(path)
        temporary.replace(path)
    if durable:
        sync_directory(path.parent)


def create_anew(path: Path) -> int:
    """A descriptor to write a new, empty file by; what an interrupted write left at `path` is removed first.

    Raises:
        OSError: It cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o640)
    except FileExistsError:
        pass
    try:
        path.unlink()
    except (IsADirectoryError, PermissionError):
        set_aside(path)
    return os.open(path, flags, 0o640)


def set_aside(path: Path) -> Path:
    """Gives what lies in the place of a record another name, and returns that: nothing is thrown away unseen.

    Raises:
        OSError: It cannot be renamed.
    """
    aside = next(name for name in asides(path) if not os.path.lexists(name))
    path.rename(aside)
    return aside


def asides(path: Path) -> Iterator[Path]:
    """The names under which what is damaged of `path` may be kept: ``<name>.damaged``, ``<name>.damaged-2`` ..."""
    yield path.with_name(f"{path.name}{DAMAGED}")
    for number in count(2):
        yield path.with_name(f"{path.name}{DAMAGED}-{number}")


def write_all(descriptor: int, content: bytes) -> None:
    """Writes every byte, however many calls that takes.

    Raises:
        OSError: The disk is full, or fails.
    """
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
