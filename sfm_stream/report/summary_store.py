"""Where summaries are kept, so that no file is read twice: ``summaries/<program>/<YYYY-MM-DD>.json.gz``.

One record holds a day of a program. It is made of the files themselves and can be thrown away at any time: the next
report rebuilds it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import msgspec

from sfm_stream import reading
from sfm_stream.durable import replace_file
from sfm_stream.locking import held, open_lock
from sfm_stream.report.summary import VERSION, DaySummary

_LIMIT = 64 << 20
"""Bytes of a record, compressed; a busy day has a hundred thousand."""
_DECODER = msgspec.json.Decoder(DaySummary)


class Store:
    """The summaries of one host.

    Args:
        folder: Where ``summaries/`` lies: the state directory, or another of the user's who makes the report.

    Attributes:
        fault: Why a summary could not be kept, the first time that happened; "" while all could.
    """

    def __init__(self, folder: Path) -> None:
        self._top = folder / "summaries"
        self.fault = ""

    def read(self, program: str, day: date) -> DaySummary:
        """What is kept of a day; an empty one where nothing is that can be used."""
        try:
            kept = _DECODER.decode(gzip.decompress(reading.read_small(self._path(program, day), _LIMIT)))
        except (OSError, EOFError, zlib.error, *reading.DAMAGE):
            return DaySummary()
        return kept if kept.version == VERSION else DaySummary()

    def write(self, program: str, day: date, summary: DaySummary) -> None:
        """Keeps a day, if this user may: a reader of the archive reports all the same, only slower."""
        content = gzip.compress(msgspec.json.encode(summary), 5, mtime=0)
        try:
            self._top.mkdir(mode=0o750, exist_ok=True)
            replace_file(self._path(program, day), content, durable=False)
        except OSError as error:
            self.fault = self.fault or f"{self._top}: {error.strerror}"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds the summaries for this run; a user who may not write there needs no lock, and gets none.

        Raises:
            LockedError: Another run holds them.
        """
        try:
            self._top.mkdir(mode=0o750, exist_ok=True)
            descriptor = open_lock(self._top)
        except OSError:
            yield
            return
        with held(descriptor, f"{self._top}: another report is being made; let it finish"):
            yield

    def _path(self, program: str, day: date) -> Path:
        return self._top / program / f"{day}.json.gz"
