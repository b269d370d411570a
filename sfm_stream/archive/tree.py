"""The date tree, ``<program>/<YYYY>/<MM>/<DD>/<HH>/<capture file>``: walking it, and holding it for one run alone.

Nothing in it is a link, and none is followed. What cannot be looked into is not left out silently: it is reported.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from sfm_stream.errors import LockedError

YEAR, TWO_DIGITS = re.compile(r"\d{1,4}", re.ASCII), re.compile(r"\d\d", re.ASCII)
NOT_OURS = frozenset({"lost+found"})
"""What a filesystem of its own has at its root."""

EntryKind = Literal["directory", "file", "link", "special"]
Trouble = Literal["unreadable", "irregular", "unexpected"]
Report = Callable[[str, Trouble, str], None]
"""Gets a path that is not walked, and why: it cannot be read, is no directory, or has no name of the tree."""


def scan(path: str) -> dict[str, EntryKind]:
    """What lies in a directory, by name; the directory itself is no link.

    Raises:
        OSError: It cannot be read; for root also where it is another user's, who could lead root anywhere.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.geteuid() == 0 and os.fstat(fd).st_uid != 0:
            raise PermissionError(errno.EPERM, "belongs to another user, whose directories root does not enter", path)
        with os.scandir(fd) as entries:
            return {entry.name: kind_of(entry) for entry in entries}
    finally:
        os.close(fd)


def days(tree: str, report: Report) -> Iterator[str]:
    """The day directories of a date tree, from its root, in order: ``<program>/<YYYY>/<MM>/<DD>``.

    Raises:
        OSError: The root cannot be read.
    """
    for program in programs(scan(tree)):
        yield from days_of(tree, program, report)


def programs(root: Mapping[str, EntryKind]) -> list[str]:
    """The directories at the root of a tree that may be a program's, in order."""
    return sorted(
        name for name, kind in root.items() if kind == "directory" and name not in NOT_OURS and not name.startswith(".")
    )


def days_of(tree: str, program: str, report: Report) -> Iterator[str]:
    """The day directories of one program, from the root of the tree, in order."""
    for year in _inner(tree, program, YEAR, report):
        for month in _inner(tree, f"{program}/{year}", TWO_DIGITS, report):
            for day in _inner(tree, f"{program}/{year}/{month}", TWO_DIGITS, report):
                yield f"{program}/{year}/{month}/{day}"


def _inner(tree: str, path: str, pattern: re.Pattern[str], report: Report) -> list[str]:
    """The names in a directory that are of the tree, in order; all else is reported."""
    try:
        found = scan(f"{tree}/{path}")
    except FileNotFoundError:
        return []  # gone meanwhile
    except OSError as error:
        report(f"{tree}/{path}", "unreadable", f"cannot be listed: {error.strerror}")
        return []
    names = []
    for name, kind in sorted(found.items()):
        if not pattern.fullmatch(name):
            report(f"{tree}/{path}/{name}", "unexpected", "nothing but directories of the date tree belongs here")
        elif kind == "directory":
            names.append(name)
        else:
            report(f"{tree}/{path}/{name}", "irregular", IRREGULAR[kind])
    return names


IRREGULAR: dict[EntryKind, str] = {
    "link": "a symbolic link, which is not followed; the tree has directories and files only",
    "file": "a file, where a directory of the date tree belongs",
    "directory": "a directory, where a file belongs",
    "special": "a pipe, socket or device; the tree has directories and files only",
}
"""What is wrong with a thing that lies where another belongs."""


def day_files(directory: str) -> list[str]:
    """The regular files in a day's hours, from the day's directory, in order: ``HH/<file>``; none of no day.

    Raises:
        OSError: The day or an hour cannot be read.
    """
    files = []
    try:
        hours = scan(directory)
    except FileNotFoundError:
        return []
    for hour, kind in hours.items():
        if kind == "directory" and TWO_DIGITS.fullmatch(hour):
            inner = scan(f"{directory}/{hour}")
            files += [f"{hour}/{name}" for name, of in inner.items() if of == "file" and not name.startswith(".")]
    return sorted(files)


def kind_of(entry: os.DirEntry[str]) -> EntryKind:
    """What an entry of a directory is; a link is not followed."""
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "file" if entry.is_file(follow_symlinks=False) else "special"


def lock(directory: str) -> int:
    """Holds a directory for this run.

    Returns:
        The descriptor whose closing sets it free.

    Raises:
        LockedError: Another run holds it.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _try_lock(fd, directory):
            return fd
    except LockedError:
        os.close(fd)
        raise
    # NFS locks only what is open for writing.
    os.close(fd)
    fd = os.open(f"{directory}/.organize.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o640)
    try:
        _try_lock(fd, directory)
    except LockedError:
        os.close(fd)
        raise
    return fd


def _try_lock(fd: int, directory: str) -> bool:
    """Whether this filesystem locks such a file at all."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(f"{directory}: another organizedata is at work on it; let it finish") from None
    except OSError:
        return False
    return True
