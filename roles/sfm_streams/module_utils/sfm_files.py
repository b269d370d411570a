"""Files of a directory that is held open: whatever takes a name's place meanwhile is neither read nor written."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple


class RefusedError(Exception):
    """What was asked for cannot or must not be done; nothing was changed."""


class File(NamedTuple):
    """A file's content, owner, group and mode; -1 stands for an owner or group that does not matter."""

    content: bytes
    uid: int
    gid: int
    mode: int


def read(name: str, folder: int) -> File:
    """A regular file as it is; neither a link nor a pipe that took its place is read."""
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError(f"{name}: was exchanged while it was read; someone else works in this directory")
        return File(stream.read(), status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def write(name: str, file: File, folder: int) -> None:
    """Makes a complete file on disk; it is open to no one else until its owner and mode are right."""
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    with os.fdopen(handle, "wb") as stream:
        os.fchown(handle, file.uid, file.gid)
        os.fchmod(handle, file.mode)
        stream.write(file.content)
        stream.flush()
        os.fsync(handle)


def adjust(name: str, file: File, folder: int) -> None:
    """Gives a file its owner, group and mode; its content stays."""
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        os.fchown(handle, file.uid, file.gid)
        os.fchmod(handle, file.mode)
    finally:
        os.close(handle)


def unlink(name: str, folder: int) -> None:
    """Removes a file, if it is there."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
