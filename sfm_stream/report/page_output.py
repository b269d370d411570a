"""Writes a report to its directory: each file is replaced whole, and what an earlier report left is taken away."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sfm_stream import reading
from sfm_stream.durable import replace_file
from sfm_stream.errors import StorageError
from sfm_stream.owner import name_of
from sfm_stream.report.page import pages
from sfm_stream.report.page_figures import Report
from sfm_stream.report.page_tables import files_of, tables
from sfm_stream.table import csv_text, json_text

MARKER = ".sfm-report.json"
"""Names the files of the last report: no other is ever replaced or removed."""
_OURS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.(html|csv|json)")


def write(report: Report, directory: Path) -> None:
    """Writes figures and tables; who reads meanwhile sees each file as it was or as it is now.

    Raises:
        StorageError: The directory cannot be written, or holds files under our names that no report wrote.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        before = _before(directory)
        files = dict(_files(report))
        strange = [name for name in files if name not in before and os.path.lexists(directory / name)]
        if strange:
            raise StorageError(
                f"{directory}: holds {strange[0]}, which no report wrote; name another directory, or move it away"
            )
        _mark(directory, {*before, *files})
        for name, content in files.items():
            replace_file(directory / name, content.encode("utf-8", "backslashreplace"), durable=False)
        for name in before - files.keys():
            (directory / name).unlink(missing_ok=True)
        _mark(directory, set(files))
    except OSError as error:
        who = name_of(os.geteuid())
        raise StorageError(
            f"{error.filename or directory}: {who} cannot write there: {error.strerror}; "
            f"sudo install -d -o {who} {directory}"
        ) from error


def _files(report: Report) -> Iterator[tuple[str, str]]:
    yield "report.json", json_text(report) + "\n"
    for table in tables(report):
        yield f"{table.name}.csv", csv_text(table.header, table.rows) + "\n"
    for stream in report.streams:
        yield f"files-{stream.program}.csv", files_of(stream)
    yield from pages(report)


def _before(directory: Path) -> set[str]:
    try:
        names = msgspec.json.decode(reading.read_small(directory / MARKER), type=list[str])
    except FileNotFoundError:
        return set()
    except reading.DAMAGE:
        return set()
    return {name for name in names if _OURS.fullmatch(name)}


def _mark(directory: Path, names: set[str]) -> None:
    replace_file(directory / MARKER, msgspec.json.encode(sorted(names)) + b"\n", durable=False)
