"""XLSX, one sheet after the other where there are more rows than Excel takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from sfm_stream.export.columns import Field
from sfm_stream.export.formats import Writer
from sfm_stream.sources.rows import Value

ROWS = 1_048_576
"""Rows of a sheet, the header's as well."""
CELL = 32_767
"""Characters of a cell, as Excel counts them: those beyond the first 65,536 of Unicode are two."""


class _Xlsx:
    """See `sfm_stream.export.formats.Writer`. Text is text, whatever it begins with, and ids are."""

    def __init__(self, path: Path, fields: Sequence[Field]) -> None:
        self.notes: list[str] = []
        self._path, self._fields = path, fields
        # Rows go to the disk as they come. Nothing that is text becomes a formula, a number or a link.
        self._book = xlsxwriter.Workbook(
            str(path),
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
                "tmpdir": str(path.parent),
            },
        )
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001 - the same bytes each time
        self._bold = self._book.add_format({"bold": True})
        self._sheets, self._row, self._cut = 0, 0, 0
        self._begin_sheet()

    def write(self, rows: Sequence[Sequence[Value]]) -> None:
        """See `sfm_stream.export.formats.Writer`."""
        for row in rows:
            if self._row >= ROWS:
                self._begin_sheet()
            for column, value in enumerate(row):
                if isinstance(value, str):
                    self._sheet.write_string(self._row, column, self._fitting(value))
                elif isinstance(value, bool):
                    self._sheet.write_boolean(self._row, column, value)
                elif value is not None:
                    self._sheet.write_number(self._row, column, value)
            self._row += 1

    def finish(self) -> None:
        """See `sfm_stream.export.formats.Writer`."""
        self._book.close()
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
        if self._sheets > 1:
            self.notes.append(f"{self._sheets} sheets: a sheet of Excel's has {ROWS:,} rows")
        if self._cut:
            self.notes.append(f"{self._cut:,} cells were cut at {CELL:,} characters, the most that Excel takes")

    def _begin_sheet(self) -> None:
        self._sheets += 1
        self._sheet: Any = self._book.add_worksheet("posts" if self._sheets == 1 else f"posts {self._sheets}")
        self._sheet.freeze_panes(1, 0)
        for column, field in enumerate(self._fields):
            self._sheet.write_string(0, column, field.name, self._bold)
        self._row = 1

    def _fitting(self, text: str) -> str:
        if len(text) <= CELL // 2 or len(text.encode("utf-16-le")) // 2 <= CELL:
            return text
        self._cut += 1
        return text.encode("utf-16-le")[: 2 * CELL].decode("utf-16-le", "ignore")


def writer(name: str, path: Path, fields: Sequence[Field], *, excel: bool) -> Writer:  # noqa: ARG001 - there is one
    """The writer of the format; see `sfm_stream.export.formats.ExportFormat.writer`."""
    return _Xlsx(path, fields)
