"""The listed files of an archive: is each where it should be, and does it hold what was captured?"""

# Plain strings, not Path objects: a tree has millions of paths, and those would cost more than the work on them.
# ruff: noqa: PTH208

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from datetime import datetime

from sfm_stream import names, reading
from sfm_stream.archive.audit_outcome import AuditOutcome
from sfm_stream.archive.filesystem import hash_file

NO_FILE = frozenset({errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.ENXIO})
"""What `reading.open_regular` says of a link, a pipe, a directory and a socket."""


class ListedFiles:
    """Checks files that a manifest lists.

    Args:
        data: The data directory: a listed file that still lies loose there only waits to be moved.
        found: Gets what is found.
    """

    def __init__(self, data: str, found: AuditOutcome) -> None:
        self._data = data
        self._found = found
        self._loose: dict[tuple[str, datetime, str], list[str]] | None = None

    def check_there(self, path: str, sha256: str, sizes: set[int]) -> None:
        """That a file is there, can be read, and has a size that was recorded of it; its content is not read."""
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            self._miss(path, sha256)
        except OSError as error:
            self._found.add("unreadable", path, f"cannot be looked at: {error.strerror}")
        else:
            if not stat.S_ISREG(status.st_mode):
                return  # found already, by the listing of its hour
            if not os.access(path, os.R_OK):
                self._found.add("unreadable", path, f"cannot be opened (mode {stat.S_IMODE(status.st_mode):04o})")
            elif sizes and not sizes & {status.st_size, -1}:
                self._found.add("changed", path, f"it has {status.st_size} bytes; its program recorded {max(sizes)}")

    def check_content(self, path: str, sha256: str) -> None:
        """That a file is there and holds what the manifest says; all of it is read."""
        try:
            fd = reading.open_regular(path)
        except FileNotFoundError:
            self._miss(path, sha256)
            return
        except OSError as error:
            # A link or another thing in a file's place has been found already, by the listing of its hour.
            if error.errno not in NO_FILE:
                self._found.add("unreadable", path, f"cannot be opened: {error.strerror}")
            return
        try:
            size = os.fstat(fd).st_size
            found = hash_file(fd)
            # An archive's worth of old files must not push the files in use out of memory.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            self._found.add("unreadable", path, f"cannot be read: {error.strerror}")
            return
        finally:
            os.close(fd)
        self._found.bytes += size
        if found == sha256:
            self._found.verified += 1
        else:
            self._found.add(
                "changed", path, f"its sha256 is {found[:12]}…, and should be {sha256[:12]}… ({size} bytes)"
            )

    def _miss(self, path: str, sha256: str) -> None:
        if self._still_loose(path.rpartition("/")[2], sha256):
            self._found.waiting += 1
        else:
            self._found.add("missing", path, "listed in the manifest, but not there")

    def lies_loose(self, name: str) -> bool:
        """Whether a file of this name lies in the data directory still."""
        return reading.is_regular(f"{self._data}/{name}")

    def _still_loose(self, name: str, sha256: str) -> bool:
        """Whether a listed file lies in the data directory yet; one that is to get a new name, under its old one."""
        if self.lies_loose(name):
            return True
        capture = names.parse(name)
        if capture is None or capture.number == 1:
            return False
        if self._loose is None:
            self._loose = {}
            with suppress(OSError):
                for each in os.listdir(self._data):
                    if found := names.parse(each):
                        self._loose.setdefault((found.program, found.time, found.suffix), []).append(each)
        return any(
            _holds(f"{self._data}/{each}", sha256)
            for each in self._loose.get((capture.program, capture.time, capture.suffix), [])
        )


def _holds(path: str, sha256: str) -> bool:
    try:
        fd = reading.open_regular(path)
    except OSError:
        return False
    try:
        return hash_file(fd) == sha256
    except OSError:
        return False
    finally:
        os.close(fd)
