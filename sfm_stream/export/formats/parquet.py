"""Parquet, in row groups that fit into little memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sfm_stream.export.columns import Field
from sfm_stream.export.formats import Writer
from sfm_stream.sources.rows import Value, ValueType

_TYPES = {
    ValueType.TEXT: pa.string(),
    ValueType.JSON: pa.string(),
    ValueType.TIME: pa.timestamp("us", "UTC"),
    ValueType.INTEGER: pa.int64(),
    ValueType.NUMBER: pa.float64(),
    ValueType.BOOLEAN: pa.bool_(),
}
GROUP_ROWS = 50_000
"""Rows of a row group, at most."""
GROUP_BYTES = 8 << 20
"""Of a row group, about: a group is made in memory, and the writer keeps 100 kB of what it knows of each to the end."""


class Parquet:
    """See `sfm_stream.export.formats.Writer`. Times are timestamps; one that no timestamp can say is empty.

    Args:
        path: The file.
        fields: Its columns.
        metadata: What else it says of itself.
    """

    def __init__(self, path: Path, fields: Sequence[Field], metadata: Mapping[str, str] | None = None) -> None:
        self.notes: list[str] = []
        pa.set_memory_pool(pa.system_memory_pool())  # what is free goes back to the system
        self._path, self._times = path, [field.kind is ValueType.TIME for field in fields]
        described = [pa.field(field.name, _TYPES[field.kind], metadata={"description": field.what}) for field in fields]
        self._schema = pa.schema(described, metadata=dict(metadata or {}))
        self._writer: Any = pq.ParquetWriter(str(path), self._schema, compression="zstd")
        self._batches: list[Any] = []
        self._rows = self._size = 0

    def write(self, rows: Sequence[Sequence[Value]]) -> None:
        """See `sfm_stream.export.formats.Writer`."""
        if not rows:
            return
        columns = []
        for index, field in enumerate(self._schema):
            values: list[Any] = [row[index] for row in rows]
            if self._times[index]:
                values = [_time(each) for each in values]
            columns.append(pa.array(values, field.type))
        # At once: text as Python has it takes up to four times as much.
        self._batches.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._rows += len(rows)
        self._size += self._batches[-1].nbytes
        if self._rows >= GROUP_ROWS or self._size >= GROUP_BYTES:
            self._flush()

    def finish(self) -> None:
        """See `sfm_stream.export.formats.Writer`."""
        self._flush()
        self._writer.close()
        with self._path.open("rb") as file:
            os.fsync(file.fileno())

    def _flush(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches, self._schema), row_group_size=self._rows)
        self._batches, self._rows, self._size = [], 0, 0


def writer(name: str, path: Path, fields: Sequence[Field], *, excel: bool) -> Writer:  # noqa: ARG001 - there is one
    """The writer of the format; see `sfm_stream.export.formats.ExportFormat.writer`."""
    return Parquet(path, fields)


def _time(text: Value) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
