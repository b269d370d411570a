"""A directory that one run at a time works in, by a file of its own there: ``.lock``."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfm_stream.errors import LockedError


def open_lock(folder: Path) -> int:
    """A descriptor of the lock's file, made where it is missing, for `held`.

    Raises:
        OSError: It cannot be made.
    """
    return os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)


@contextmanager
def held(descriptor: int, otherwise: str) -> Iterator[None]:
    """Holds the lock, and closes its file in the end.

    Raises:
        LockedError: Another run holds it; the message is `otherwise`.
    """
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(otherwise) from None
        yield
    finally:
        os.close(descriptor)
