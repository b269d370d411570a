"""CSV, JSON lines and lists: text, one row or thing a line."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sfm_stream.export.columns import RUNS, Field
from sfm_stream.export.formats import Writer
from sfm_stream.export.keys import Keys
from sfm_stream.sources.rows import Privacy, Value, ValueType

_WRITTEN = (Privacy.TEXT, Privacy.HIDDEN)
"""What columns of people's own words become under pseudonyms."""


class _File:
    """A text file in UTF-8, which is on the disk once it is finished."""

    def __init__(self, path: Path, *, mark: bool = False) -> None:
        self.notes: list[str] = []
        self._file = path.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="", buffering=1 << 18)

    def finish(self) -> None:
        """See `sfm_stream.export.formats.Writer`."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class _Csv(_File):
    """CSV as RFC 4180 has it; for spreadsheets with a byte order mark, by which they know UTF-8."""

    def __init__(self, path: Path, fields: Sequence[Field], *, excel: bool) -> None:
        super().__init__(path, mark=excel)
        self._rows = csv.writer(self._file, lineterminator="\r\n")
        self._rows.writerow([each.name for each in fields])
        self._words = [
            index
            for index, each in enumerate(fields)
            if not excel and each.kind is ValueType.TEXT and each.privacy in _WRITTEN
        ]
        self._formulas = 0

    def write(self, rows: Sequence[Sequence[Value]]) -> None:
        """See `sfm_stream.export.formats.Writer`."""
        self._rows.writerows(rows)
        for index in self._words:
            self._formulas += sum(1 for row in rows if (text := row[index]) and str(text)[0] in RUNS)

    def finish(self) -> None:
        """See `sfm_stream.export.formats.Writer`."""
        super().finish()
        if self._formulas:
            self.notes.append(
                f"{self._formulas:,} cells begin with = + - or @, which a spreadsheet may run as formulas; for "
                "spreadsheets take --excel, or --format xlsx"
            )


class _JsonLines(_File):
    """An object a line; lists and objects within are such, and what is empty is null."""

    def __init__(self, path: Path, fields: Sequence[Field]) -> None:
        super().__init__(path)
        self._names = [each.name for each in fields]
        self._nested = [each.name for each in fields if each.kind is ValueType.JSON]
        self._encode = msgspec.json.Encoder().encode

    def write(self, rows: Sequence[Sequence[Value]]) -> None:
        """See `sfm_stream.export.formats.Writer`."""
        lines = []
        for row in rows:
            found: dict[str, Any] = dict(zip(self._names, row, strict=True))
            for name in self._nested:
                if found[name] is not None:
                    found[name] = msgspec.Raw(found[name].encode())
            lines.append(self._encode(found).decode())
        self._file.write("\n".join([*lines, ""]) if lines else "")


class _List(_File):
    """One thing a line, each once."""

    def __init__(self, path: Path, fields: Sequence[Field]) -> None:
        super().__init__(path)
        self._seen = Keys()
        self._nested = fields[0].kind is ValueType.JSON

    def write(self, rows: Sequence[Sequence[Value]]) -> None:
        """See `sfm_stream.export.formats.Writer`."""
        lines = [each for each in self._values(rows) if self._seen.is_new(each.encode("utf-8", "replace"))]
        self._file.write("\n".join([*lines, ""]) if lines else "")

    def finish(self) -> None:
        """See `sfm_stream.export.formats.Writer`."""
        super().finish()
        self._seen.close()

    def _values(self, rows: Sequence[Sequence[Value]]) -> Iterable[str]:
        for row in rows:
            if isinstance(row[0], str):
                found = msgspec.json.decode(row[0]) if self._nested else [row[0]]
                yield from ("".join(each.split()) for each in found if isinstance(each, str) and each.strip())


def writer(name: str, path: Path, fields: Sequence[Field], *, excel: bool) -> Writer:
    """The writer of a format; see `sfm_stream.export.formats.ExportFormat.writer`."""
    if name == "csv":
        return _Csv(path, fields, excel=excel)
    return _JsonLines(path, fields) if name == "jsonl" else _List(path, fields)
