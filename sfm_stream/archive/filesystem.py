"""The effects that the archive is made with; each leaves files whole wherever a crash ends it.

Nothing here replaces a file that is there: a target that exists is an error. What is to
survive a power cut is made durable by `Filesystem.sync`, for many paths at once.
"""

# Plain strings, not Path objects: a run may touch millions of paths, and those would cost more than the work on them.
# ruff: noqa: PTH102, PTH108, PTH116, PTH123

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
from collections.abc import Iterable

from sfm_stream.durable import write_all
from sfm_stream.errors import StorageError

CHUNK = 1 << 20
UNFINISHED = ".unfinished"
"""Ends the name, hidden by a leading dot, of a file that is being written beside its target."""
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_MANY = 32
"""From this number of paths on one filesystem, one syncfs(2) is cheaper than an fsync(2) of each."""

_libc = ctypes.CDLL(None, use_errno=True)


def hash_file(fd: int) -> str:
    """The sha256, in hex, of all bytes of an open file."""
    digest = hashlib.sha256()
    offset = 0
    while chunk := os.pread(fd, CHUNK, offset):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()


def same_content(first: str, second: str) -> bool:
    """Whether two files hold the same bytes; both are read.

    Raises:
        OSError: One of them cannot be read.
    """
    with open(first, "rb", buffering=0) as one, open(second, "rb", buffering=0) as other:
        if os.fstat(one.fileno()).st_size != os.fstat(other.fileno()).st_size:
            return False
        while True:
            here, there = one.read(CHUNK), other.read(CHUNK)
            if here != there:
                return False
            if not here:
                return True


class Filesystem:
    """Every effect is one method, so that a test can stop before any of them. Paths are plain strings."""

    def make_directory(self, path: str) -> None:
        """Creates one directory, for owner and group; its parent must be there."""
        os.mkdir(path, 0o750)

    def append(self, path: str, text: str) -> None:
        """Adds to a file, which is created where it is not there."""
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o640)
        try:
            write_all(fd, text.encode("utf-8", "surrogateescape"))
        finally:
            os.close(fd)

    def truncate(self, path: str, length: int) -> None:
        """Cuts a file to `length` bytes."""
        os.truncate(path, length)

    def create(self, path: str, text: str) -> None:
        """Makes a file appear with all of its text and on disk, or not at all.

        Raises:
            FileExistsError: It is there.
        """
        temporary = _temporary(path)
        self.discard(temporary)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            write_all(fd, text.encode("utf-8", "surrogateescape"))
            os.fsync(fd)
        finally:
            os.close(fd)
        self.rename(temporary, path)

    def rename(self, source: str, target: str) -> None:
        """Moves a file within a filesystem.

        Raises:
            FileExistsError: The target is there.
            OSError: With EXDEV, the target is on another filesystem.
            StorageError: The filesystem cannot move without perhaps replacing.
        """
        if _renameat2(source, target):
            return
        # No renameat2 here (NFS has none): two names for a moment, which a rerun after a crash recognises as one file.
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise StorageError(
                    f"{target}: this filesystem can neither rename without replacing nor link; "
                    f"use another for the archive"
                ) from error
            raise
        os.unlink(source)

    def copy(self, source: str, target: str) -> str:
        """Copies a file to another filesystem: written beside the target, synced, read back and compared, then renamed.

        Returns:
            The sha256, in hex, of what was read and now stands at `target`.

        Raises:
            FileExistsError: The target is there.
            StorageError: What was read back is not what was written.
        """
        temporary = _temporary(target)
        self.discard(temporary)
        try:
            digest = _copy_verified(source, temporary, target)
        except OSError:
            self.discard(temporary)  # the disk may be full
            raise
        self.rename(temporary, target)
        return digest

    def remove(self, path: str) -> None:
        """Removes a file."""
        os.unlink(path)

    def discard(self, path: str) -> None:
        """Removes what an interrupted run left, if there is any."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return

    def sync(self, paths: Iterable[str]) -> None:
        """Makes files and directories durable, and with them all renames into and out of these directories."""
        by_device: dict[int, list[str]] = {}
        for path in paths:
            by_device.setdefault(os.stat(path).st_dev, []).append(path)
        for group in by_device.values():
            if len(group) >= _MANY and _syncfs(group[0]):
                continue
            for path in group:
                _fsync(path)


def _copy_verified(source: str, temporary: str, target: str) -> str:
    reader = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        status = os.fstat(reader)
        digest = hashlib.sha256()
        writer = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            while chunk := os.read(reader, CHUNK):
                digest.update(chunk)
                write_all(writer, chunk)
            os.fchmod(writer, status.st_mode & 0o777)
            os.utime(writer, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(writer)
            # Out of the page cache, so that it is the disk that is read.
            os.posix_fadvise(writer, 0, 0, os.POSIX_FADV_DONTNEED)
            if hash_file(writer) != digest.hexdigest():
                raise StorageError(f"{target}: what was written reads back differently; check that disk")
        finally:
            os.close(writer)
    finally:
        os.close(reader)
    return digest.hexdigest()


def _temporary(path: str) -> str:
    directory, _, name = path.rpartition("/")
    return f"{directory}/.{name}{UNFINISHED}"


def _renameat2(source: str, target: str) -> bool:
    """Whether the kernel and this filesystem have done it; other errors are raised."""
    try:
        call = _libc.renameat2
    except AttributeError:
        return False
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(code, os.strerror(code), source, None, target)


def _syncfs(path: str) -> bool:
    fd = os.open(path, os.O_RDONLY)
    try:
        return hasattr(_libc, "syncfs") and _libc.syncfs(fd) == 0
    finally:
        os.close(fd)


def _fsync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
