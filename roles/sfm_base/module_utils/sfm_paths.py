"""Ways down to directories: by one name at a time, held open, so that nobody can put a link in the way."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from pathlib import PurePosixPath
from typing import NamedTuple

LINKS = 40
"""How many links the kernel follows in one path."""
OPEN = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a directory is opened; a link in its place is an error."""


class RefusedError(Exception):
    """A directory that root must not touch."""


class Step(NamedTuple):
    """A directory on the way: its path without links, and what it is."""

    path: str
    status: os.stat_result


class Found:
    """How far a path leads: the directories on the way, the last of them held open, and the names that are missing."""

    def __init__(self, steps: list[Step], handle: int, missing: list[str]) -> None:
        self.steps = steps
        self.handle = handle
        self.missing = missing

    @property
    def parents(self) -> list[Step]:
        """The directories that lead to it."""
        return self.steps if self.missing else self.steps[:-1]

    @property
    def status(self) -> os.stat_result | None:
        """The directory itself, if it exists."""
        return None if self.missing else self.steps[-1].status

    def names(self) -> list[str]:
        """What is in the directory."""
        if self.missing:
            return []
        handle = os.open(".", os.O_RDONLY | OPEN, dir_fd=self.handle)
        try:
            return sorted(listed(handle))
        finally:
            os.close(handle)


def listed(handle: int) -> list[str]:
    """What is in an open directory."""
    return os.listdir(handle)


def find(path: str) -> Found:
    """Goes down to a directory by one name at a time.

    Raises:
        RefusedError: It is a link or no directory, or a link on the way is not root's alone.
    """
    rest = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    here, handle = "/", os.open("/", os.O_PATH | OPEN)
    steps = [Step(here, os.fstat(handle))]
    links = 0
    while rest:
        name = rest.pop()
        below = str(PurePosixPath(here).parent if name == ".." else PurePosixPath(here) / name)
        try:
            inner = os.open(name, os.O_PATH | OPEN, dir_fd=handle)
        except FileNotFoundError:
            return Found(steps, handle, [name, *reversed(rest)])
        except OSError as error:
            links += 1
            target = _target(name, handle, below, steps[-1].status, last=not rest, error=error)
            if links > LINKS:
                raise RefusedError(f"{below} is a link that leads in a circle") from error
            rest += [part for part in reversed(target.split("/")) if part not in ("", ".")]
            if not target.startswith("/"):
                continue
            below, inner = "/", os.open("/", os.O_PATH | OPEN)
        os.close(handle)
        here, handle = below, inner
        steps.append(Step(here, os.fstat(handle)))
    return Found(steps, handle, [])


def _target(name: str, folder: int, path: str, parent: os.stat_result, *, last: bool, error: OSError) -> str:
    """Where a link on the way leads to, if nobody but root can change it."""
    if error.errno not in (errno.ENOTDIR, errno.ELOOP):
        raise RefusedError(f"{path} cannot be opened: {error.strerror}")
    try:
        target = os.readlink(name, dir_fd=folder)
    except OSError:
        raise RefusedError(f"{path} is not a directory; move it away, or choose another path") from None
    if last:
        raise RefusedError(
            f"{path} is a link to {target}; root would follow it wherever somebody points it. Name the directory "
            "itself, or mount it there (mount --bind)"
        )
    link = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if link.st_uid != 0 or shared(parent):
        raise RefusedError(
            f"{path} on the way is a link that {user(link.st_uid or parent.st_uid)} can change; "
            "name the directory that it leads to"
        )
    return target


def shared(status: os.stat_result) -> bool:
    """Whether somebody other than root can change the names in a directory that root made."""
    writable = bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)) and not status.st_mode & stat.S_ISVTX
    return status.st_uid != 0 or writable


def user(uid: int) -> str:
    """A user's name, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def group(gid: int) -> str:
    """A group's name, or the number where there is none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"


def shown(status: os.stat_result) -> str:
    """Owner, group and mode, as a message shows them."""
    return f"{user(status.st_uid)}:{group(status.st_gid)} {stat.S_IMODE(status.st_mode):04o}"


class Held:
    """A directory known by a path descriptor, opened so that it can be changed and listed."""

    def __init__(self, folder: int) -> None:
        self._folder = folder

    def __enter__(self) -> int:
        self._handle = os.open(".", os.O_RDONLY | OPEN, dir_fd=self._folder)
        return self._handle

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)
