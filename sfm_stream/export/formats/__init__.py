"""The files that exports write: one module for each kind, imported when it is asked for.

A writer is begun with a path, gets rows, and is finished; what it wrote is complete and on the disk then.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from sfm_stream.errors import UsageError
from sfm_stream.export.columns import Field
from sfm_stream.sources.rows import Value


class Writer(Protocol):
    """Writes one file."""

    notes: list[str]
    """What a person should know of it, once it is finished."""

    def write(self, rows: Sequence[Sequence[Value]]) -> None:
        """Adds rows.

        Raises:
            OSError: The disk is full, or fails.
        """

    def finish(self) -> None:
        """Completes it.

        Raises:
            OSError: The disk is full, or fails.
        """


class ExportFormat(NamedTuple):
    """A format of exports.

    Attributes:
        name: As ``--format`` has it.
        suffix: Ends the names of its files.
        module: Has its `writer`.
        mediatype: As a data package names it.
        needs: The module that it needs besides this package; "" where none.
        columns: The columns that it has, whatever is asked; "" where that is free.
    """

    name: str
    suffix: str
    module: str
    mediatype: str = "text/plain"
    needs: str = ""
    columns: str = ""

    def writer(self, path: Path, fields: Sequence[Field], *, excel: bool) -> Writer:
        """Begins a file; what was there is replaced.

        Raises:
            OSError: It cannot be made.
        """
        made: Writer = importlib.import_module(self.module).writer(self.name, path, fields, excel=excel)
        return made

    def require(self) -> None:
        """Sees that what it needs is there.

        Raises:
            UsageError: It is not; the message is the command that installs it.
        """
        if self.needs and importlib.util.find_spec(self.needs) is None:
            raise UsageError(
                f"--format {self.name} needs {self.needs}, which is not installed here: pip install "
                f"'sfm-stream[{self.name}]', or take --format csv, which needs nothing"
            )


_TEXT = "sfm_stream.export.formats.text"
FORMATS = {
    each.name: each
    for each in (
        ExportFormat("csv", ".csv", _TEXT, "text/csv"),
        ExportFormat("jsonl", ".jsonl", _TEXT, "application/x-ndjson"),
        ExportFormat("ids", "-ids.txt", _TEXT, columns="id"),
        ExportFormat("urls", "-urls.txt", _TEXT, columns="links"),
        ExportFormat(
            "xlsx",
            ".xlsx",
            "sfm_stream.export.formats.xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "xlsxwriter",
        ),
        ExportFormat(
            "parquet",
            ".parquet",
            "sfm_stream.export.formats.parquet",
            "application/vnd.apache.parquet",
            "pyarrow",
        ),
    )
}
