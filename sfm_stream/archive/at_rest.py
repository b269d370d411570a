"""Files that no process writes any more, and what they hold."""

# Plain strings, not Path objects: a run may touch millions of paths, and those would cost more than the work on them.

from __future__ import annotations

import os
from pathlib import Path

from sfm_stream.archive import recorded
from sfm_stream.archive.filesystem import hash_file
from sfm_stream.archive.open_files import Writers
from sfm_stream.archive.outcome import Reporter


class FilesAtRest:
    """Reads files, and looks up what their programs recorded of them.

    Args:
        state_dir: Where the programs' journals are; None where there is none.
        reporter: Told of files that are being written, or cannot be read.
        dry_run: Whether the content is left unread.
    """

    def __init__(self, state_dir: Path | None, reporter: Reporter, *, dry_run: bool) -> None:
        self.state_dir = state_dir
        self._reporter = reporter
        self._dry = dry_run
        self._writers = Writers()
        self.writing: set[str] = set()
        """Those that were being written when they were last looked at."""

    def recorded(self, program: str, files: set[str]) -> dict[str, recorded.RecordedFile]:
        """What a program recorded of these files.

        Raises:
            UnreadableError: Its journal cannot be read.
        """
        return recorded.look_up(self.state_dir, program, files) if self.state_dir else {}

    def sha256(self, path: str, expected: tuple[int, int, int] | None = None) -> str | None:
        """The sha256 of a file (empty in a dry run); None where it is being written, unreadable or gone.

        Args:
            path: The file.
            expected: Its size, time of the last change and inode, as they were listed: one that has others by the time
                it has been read is still being written.
        """
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._reporter.unreadable(path, error)
            return None
        self.writing.discard(path)
        try:
            if not self._writers.writes(fd):
                sha256 = "" if self._dry else hash_file(fd)
                after = os.fstat(fd)
                if expected in (None, (after.st_size, after.st_mtime_ns, after.st_ino)):
                    return sha256
            self.writing.add(path)
            self._reporter.waiting(path)
        except OSError as error:
            self._reporter.unreadable(path, error)
        finally:
            os.close(fd)
        return None
