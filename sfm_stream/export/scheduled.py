"""Makes the scheduled exports of a host that are due; one that cannot be made costs no other."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from sfm_stream import reading
from sfm_stream.errors import SfmError, StorageError
from sfm_stream.export import files
from sfm_stream.export.chosen import ChosenStream, HostDirectories
from sfm_stream.export.declared import ScheduledExport
from sfm_stream.export.due import DueFile, due
from sfm_stream.export.formats import FORMATS
from sfm_stream.export.posts import Criteria
from sfm_stream.export.pseudonyms import read_key
from sfm_stream.export.run import Order, run
from sfm_stream.record import last_run, status
from sfm_stream.sources import registry

SETTLED = timedelta(minutes=30)
"""A file is made so long after the end of its span at the earliest: what was sent at the end must have come. Less than
the minutes at which runs begin, so that no zone of whole hours has one that comes too early each night.
"""


class ExportResult(msgspec.Struct):
    """What came of a scheduled export.

    Attributes:
        name: Its name.
        made: Files made.
        rows: Their rows.
        waits: Why a file that is due was not made yet; "" where none had to wait.
        faults: What went wrong, a line each.
    """

    name: str
    made: list[str] = []
    rows: int = 0
    waits: str = ""
    faults: list[str] = []


def folder(root: Path, export: ScheduledExport) -> Path:
    """Where the files of an export lie."""
    return root / export.folder


def there(directory: Path) -> dict[str, datetime]:
    """The files of a directory, and when each was made; none where it is not there yet.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with os.scandir(directory) as entries:
            return {each.name: datetime.fromtimestamp(each.stat().st_mtime, UTC) for each in entries if each.is_file()}
    except FileNotFoundError:
        return {}


def make(root: Path, export: ScheduledExport, host: HostDirectories, now: datetime) -> ExportResult:
    """Makes the files of an export that are due.

    Args:
        root: Below which directory.
        export: Which.
        host: Where posts and records are.
        now: The time.
    """
    result = ExportResult(export.name)
    try:
        for each in due(export, now, there(folder(root, export))):
            stream = _stream(export, host, result.faults.append)
            if wait := _wait(each, stream, host, now):
                result.waits = f"{each.name} waits: {wait.why}"
                result.faults += [result.waits] if wait.endless else []
                break
            folder(root, export).mkdir(mode=0o750, exist_ok=True)
            outcome = run(_order(root, export, each, stream), host)
            result.made.append(each.name)
            result.rows += outcome.rows
            result.faults += outcome.faults
    except SfmError as error:
        result.faults.append(str(error))
    except OSError as error:
        result.faults.append(f"{error.filename or root}: {error.strerror or error}")
    return result


def _stream(export: ScheduledExport, host: HostDirectories, report: Callable[[str], None]) -> ChosenStream:
    """Its files; none where the program has captured nothing yet."""
    found = files.of_program(host.places, export.program, report)
    return ChosenStream(export.program, registry.source_of(export.program), found)


def _order(root: Path, export: ScheduledExport, what: DueFile, stream: ChosenStream) -> Order:
    return Order(
        streams=[stream],
        wanted=Criteria(what.span, export.match or None, export.with_deleted, export.unique, export.sample),
        form=FORMATS[export.format],
        path=folder(root, export) / what.name,
        columns=",".join(export.columns) or None,
        excel=export.excel,
        key=read_key(Path(export.pseudonymise)) if export.pseudonymise else None,
        twarc=export.twarc,
    )


class _Wait(NamedTuple):
    """Why posts of a span may still come, and whether somebody must do something so that they do."""

    why: str
    endless: bool = False


def _wait(what: DueFile, stream: ChosenStream, host: HostDirectories, now: datetime) -> _Wait | None:
    end = what.span.end
    assert end is not None  # noqa: S101 - the span of a file that is due is over
    if now < end + SETTLED:
        return _Wait("its span has only just ended")
    alive = host.state is not None and status.is_alive(host.state, stream.program)
    for each in stream.files:
        if each.live and each.capture and each.capture.time < end + SETTLED:
            if alive:
                return _Wait(f"{each.path} is not finished")
            return _Wait(f"{stream.program} left {each.path} behind, and finishes it when it is started again", True)
    if host.state is None or not alive or now >= end + registry.source(stream.source).rows().late:
        return None
    try:
        outage = last_run.read(host.state, stream.program, killed=False).outage
    except reading.UnreadableError as error:
        raise StorageError(str(error)) from error
    if outage is None or outage.start >= end:
        return None
    since = f"{outage.start:%Y-%m-%dT%H:%M:%SZ}"
    return _Wait(f"there has been no connection since {since}, and posts of that time may be sent again")
