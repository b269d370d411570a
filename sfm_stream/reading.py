"""Reading records that may be damaged, or not be what their names say.

Only regular files are read, never through a link, never more than a bound: a FIFO does not hang a report, a huge file
does not fill the memory, and whatever lies in the place of a record is an error with words.
"""

from __future__ import annotations

import errno
import fnmatch
import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from sfm_stream.errors import FindingsError, NotAllowedError
from sfm_stream.owner import name_of

SMALL = 1 << 20
"""Bytes; no record that is read as a whole comes near it."""
LINE = 16 << 20
"""Bytes; the longest line that a journal may hold, which lists every rule that an app can have, and what it counts."""
DAMAGE = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)
"""What decoding raises where bytes are not what was written; `ValueError` is also that of bytes that are no UTF-8."""

T = TypeVar("T")


class UnreadableError(FindingsError):
    """A record is there and cannot be read: no permission, no regular file, or damaged; the message says which."""


def open_regular(path: Path | str) -> int:
    """A descriptor for reading a regular file.

    Raises:
        OSError: It cannot be opened, or is a link, a directory, a FIFO or a device.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "is a symbolic link", str(path)) from error
        raise
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "is not a regular file", str(path))


def is_regular(path: Path | str) -> bool:
    """Whether a regular file has this name, and no link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def is_at(path: Path | str, descriptor: int) -> bool:
    """Whether the open file still has this name: it was not removed, moved or replaced."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except OSError:
        return False


def matching(folder: Path, pattern: str) -> list[Path]:
    """What a directory holds under names like ``*.json``, sorted; nothing where there is no such directory.

    Raises:
        NotAllowedError: This user may not look into it, which is not the same as nothing.
    """
    try:
        found = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise NotAllowedError(_who_may(folder)) from error
    return [path for path in found if fnmatch.fnmatch(path.name, pattern)]


def _who_may(folder: Path) -> str:
    user = name_of(os.geteuid())
    status = next(found for each in (folder, *folder.parents) if (found := _status(each)))
    try:
        group = grp.getgrgid(status.st_gid)
    except KeyError:
        group = None
    said = f"{folder}: {user} may not look into it"
    if group is None or group.gr_gid == 0 or group.gr_gid in (os.getegid(), *os.getgroups()):
        return f"{said}; put sudo before the command"
    name = group.gr_name
    if user in group.gr_mem:
        return f"{said} yet; log in again, since {user} has become a member of the group {name}, or put sudo before it"
    join = f"sudo usermod -aG {name} {user}"
    return f"{said}, but members of the group {name} may: join it ({join}, then log in again), or put sudo before it"


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def read_small(path: Path | str, limit: int = SMALL) -> bytes:
    """All bytes of a regular file.

    Raises:
        OSError: As from `open_regular`; or it holds more than `limit` bytes.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"is larger than {limit} bytes", str(path))
    return content


def read_record(path: Path, kind: type[T]) -> T | None:
    """The JSON record at `path`; None where there is no such file.

    Raises:
        UnreadableError: There is one that cannot be read, or that is no such record.
    """
    try:
        return msgspec.json.decode(read_small(path), type=kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror}") from error
    except DAMAGE as error:
        raise UnreadableError(f"{path}: is damaged: {error}") from error


def lines(path: Path, limit: int = LINE) -> Iterator[bytes]:
    """The lines of a regular file, without their ends; of a longer one than `limit`, the beginning alone.

    Raises:
        OSError: As from `open_regular`.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        while line := file.readline(limit):
            rest = line
            while not rest.endswith(b"\n") and (rest := file.readline(limit)):
                pass
            yield line.rstrip(b"\n")
