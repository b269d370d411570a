"""Whether any process still writes a file.

The kernel knows: it grants a read lease on a file only while nobody has it open for
writing, under any user. Where it grants none to us (another's file, some network
filesystems), the open files of all processes that we may look into are searched, and,
unless those are all there are, a file counts as finished only when it has not changed
for a while.
"""

# Plain strings, not Path objects: a run may touch millions of paths, and those would cost more than the work on them.
# ruff: noqa: PTH116, PTH208

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from contextlib import suppress

QUIET = 1800.0
"""Seconds without a change after which a file counts as finished where nothing better can be known.

Twice the usual interval at which a stream's file is finished.
"""

RECENT = 5.0
"""Seconds for which what /proc showed is good enough."""


class Writers:
    """Tells which files are being written."""

    def __init__(self) -> None:
        self._open: set[tuple[int, int]] = set()
        self._looked = -RECENT
        self._saw_all = True
        # The kernel sends SIGIO to a lease's holder when somebody opens the file meanwhile; unhandled, it kills us.
        with suppress(ValueError):  # not in the main thread: then the caller has handled it
            signal.signal(signal.SIGIO, signal.SIG_IGN)

    def writes(self, fd: int) -> bool:
        """Whether another has the file of the descriptor `fd` (open for reading) open for writing, or may have."""
        try:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            return error.errno == errno.EAGAIN or self._seems_written(fd)
        return False

    def _seems_written(self, fd: int) -> bool:
        found = os.fstat(fd)
        if time.monotonic() - self._looked >= RECENT:
            self._open, self._looked = set(self._look()), time.monotonic()
        if (found.st_dev, found.st_ino) in self._open:
            return True
        return not self._saw_all and time.time() - found.st_mtime < QUIET

    def _look(self) -> list[tuple[int, int]]:
        """Device and inode of every file open for writing, as far as we may see."""
        seen = []
        self._saw_all = True
        for process in os.scandir("/proc"):
            if not process.name.isdigit():
                continue
            try:
                descriptors = os.listdir(f"/proc/{process.name}/fd")
            except PermissionError:
                self._saw_all = False
                continue
            except OSError:
                continue  # it has ended
            for descriptor in descriptors:
                with suppress(OSError):  # closed meanwhile
                    path = f"/proc/{process.name}/fd/{descriptor}"
                    # The link's own mode says how it is open: owner-writable for writing.
                    if os.lstat(path).st_mode & 0o200:
                        file = os.stat(path)
                        seen.append((file.st_dev, file.st_ino))
        return seen
