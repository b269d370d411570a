"""The date tree, ``<program>/<YYYY>/<MM>/<DD>/<HH>/<capture file>``: walking it, and holding it for one run alone."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator

from sfm_stream.errors import LockedError

YEAR, TWO_DIGITS = re.compile(r"\d{1,4}"), re.compile(r"\d\d")


def days(tree: str) -> Iterator[str]:
    """The day directories of a date tree, from its root, in order: ``<program>/<YYYY>/<MM>/<DD>``."""
    for program in directories(tree):
        for year in directories(f"{tree}/{program}", YEAR):
            for month in directories(f"{tree}/{program}/{year}", TWO_DIGITS):
                for day in directories(f"{tree}/{program}/{year}/{month}", TWO_DIGITS):
                    yield f"{program}/{year}/{month}/{day}"


def day_files(directory: str) -> list[str]:
    """The regular files in a day's hours, from the day's directory, in order: ``HH/<file>``."""
    files = []
    for hour in directories(directory, TWO_DIGITS):
        with os.scandir(f"{directory}/{hour}") as entries:
            files += [
                f"{hour}/{entry.name}"
                for entry in entries
                if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False)
            ]
    return sorted(files)


def directories(path: str, pattern: re.Pattern[str] | None = None) -> list[str]:
    """The names of the directories in `path` that match `pattern`, sorted; hidden ones and unreadable ones left out."""
    try:
        with os.scandir(path) as entries:
            return sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and (pattern is None or pattern.fullmatch(entry.name))
                and entry.is_dir()
            )
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


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
    fd = os.open(f"{directory}/.organize.lock", os.O_RDWR | os.O_CREAT, 0o640)
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
