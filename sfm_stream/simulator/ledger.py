"""A simulator's record of what it did: the truth that tests compare files and journals with.

JSON lines, each with ``time`` and ``event``:

===========  ==========================================================================================
event        besides
===========  ==========================================================================================
``start``    ``url``, ``seed``
``answer``   ``app``, ``method``, ``path``, ``status``, and ``fault`` where a plan made it: every answer
``open``     ``connection``, ``app``, ``endpoint``, ``backfill`` (minutes)
``post``     ``connection``, ``id``: the whole line was handed to the operating system
``message``  ``connection``, ``kind``, and ``id`` of a post that came damaged: a line that is no good post
``fault``    ``connection``, ``action``: a plan's action began
``lost``     ``connection``, ``posts``, ``reason``: matched, but never sent
``rules``    ``app``, ``added``, ``deleted`` (numbers), ``by`` (``client`` or ``plan``)
``close``    ``connection``, ``app``, ``reason``, ``posts``
``stop``
===========  ==========================================================================================
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from sfm_stream import clock

KEPT = 50_000
"""Lines kept in memory where there is no file."""


class Ledger:
    """Appends to a file, or keeps the last lines in memory.

    Args:
        path: The file, started over; None to keep lines in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = path.open("wb") if path else None
        self._lines: deque[bytes] = deque(maxlen=KEPT)

    def note(self, event: str, **facts: object) -> None:
        """Notes one event."""
        self._append([msgspec.json.encode({"time": clock.text(clock.now()), "event": event, **facts}) + b"\n"])

    def posts(self, connection: str, ids: Iterable[str]) -> None:
        """Notes posts sent on a connection."""
        start = b'{"time":"%b","event":"post","connection":"%b","id":"' % (
            clock.text(clock.now()).encode(),
            connection.encode(),
        )
        self._append([b'%b%b"}\n' % (start, post_id.encode()) for post_id in ids])

    def _append(self, lines: list[bytes]) -> None:
        if self._file is None:
            self._lines.extend(lines)
        else:
            self._file.write(b"".join(lines))
            self._file.flush()

    def read(self) -> bytes:
        """All that was noted."""
        return b"".join(self._lines) if self._path is None else self._path.read_bytes()

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            self._file.close()
