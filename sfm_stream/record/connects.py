"""When a program last asked X for a connection, granted or not: X counts every try, over restarts of ours."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from pathlib import Path

import msgspec

from sfm_stream import clock, reading
from sfm_stream.durable import replace_file
from sfm_stream.errors import StorageError

REMEMBERED = 50
"""X allows no more in its 15 minutes."""


class Connects:
    """The tries of one program."""

    def __init__(self, state_dir: Path, program: str) -> None:
        self._path = _path(state_dir, program)
        self._tries = deque(read(state_dir, program) or (), REMEMBERED)

    def note(self) -> None:
        """Puts down that a try begins now; it is on the disk when this returns.

        Raises:
            StorageError: It cannot be written.
        """
        self._tries.append(clock.now())
        try:
            replace_file(self._path, msgspec.json.encode([clock.text(at) for at in self._tries]))
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be written: {error.strerror}") from error


def read(state_dir: Path, program: str) -> tuple[datetime, ...] | None:
    """The last tries, oldest first; None where there is no record of them, or none that can be read."""
    try:
        tries = reading.read_record(_path(state_dir, program), list[clock.Time])
    except reading.UnreadableError:
        return None
    return None if tries is None else tuple(tries)


def _path(state_dir: Path, program: str) -> Path:
    return state_dir / "connects" / f"{program}.json"
