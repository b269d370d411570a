"""Exports that an inventory asks for by schedule, judged before any host is touched, and read where they are made.

``/etc/sfm/exports.json`` has those of a host::

    {"directory": "/srv/sfm/exports", "exports": [{"name": "weekly", "program": "twitterfilter-storms", …}]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from sfm_stream import reading
from sfm_stream.errors import UsageError
from sfm_stream.export.formats import FORMATS
from sfm_stream.export.run import fields_of, table_of
from sfm_stream.settings.checks import name_faults, repeated
from sfm_stream.settings.faults import Fault, convert, nearest, show
from sfm_stream.settings.model import Positive
from sfm_stream.sources import registry

VARIABLE = "sfm_exports"
_DIRECTORY = "sfm_export_dir"


class DeclaredExport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of ``sfm_exports``. What it says of rows and columns is what the options of ``export`` say.

    Attributes:
        name: Begins the names of its files.
        filter: Whose posts; ``streamsample`` for X's sample.
        span: What a file is of: a day, a week from Monday, a month; or all, in one file that is made anew.
        schedule: When files are made; as often as a span ends where it is not said, and weekly for all.
        directory: Below the directory of all exports; the name where it is not said.
        pseudonymise: The file of the key, on the host.
    """

    name: str
    filter: str
    format: Literal["csv", "xlsx", "jsonl", "ids", "parquet", "urls"] = "csv"
    span: Literal["day", "week", "month", "all"] = "week"
    schedule: Literal["daily", "weekly", "monthly"] | None = None
    directory: str = ""
    columns: tuple[str, ...] = ()
    match: str = ""
    with_deleted: bool = False
    unique: bool = False
    sample: Positive | None = None
    pseudonymise: str = ""
    twarc: bool = False
    excel: bool = False

    @property
    def folder(self) -> str:
        """The directory of its files, below that of all."""
        return self.directory or self.name


class ScheduledExport(DeclaredExport, frozen=True, kw_only=True, omit_defaults=True):
    """The same on its host, where a filter is a program."""

    program: str


class ExportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The exports of a host, and the directory below which they lie."""

    directory: str
    exports: tuple[ScheduledExport, ...] = ()


def exports_path(config_dir: Path) -> Path:
    """Where the exports of a host are written down."""
    return config_dir / "exports.json"


def read_exports(config_dir: Path) -> ExportSettings | None:
    """The exports of a host; None where it makes none.

    Raises:
        UnreadableError: They cannot be read.
    """
    return reading.read_record(exports_path(config_dir), ExportSettings)


def resolve(
    raw: object, directory: object, filters: Mapping[str, tuple[str, str]], faults: list[Fault]
) -> list[ScheduledExport]:
    """The exports of a host as far as they are right.

    Args:
        raw: Its ``sfm_exports``.
        directory: Its ``sfm_export_dir``.
        filters: The source and the program of each filter.
        faults: Receives what is wrong.
    """
    if not isinstance(raw, list | tuple):
        faults.append(Fault(where=VARIABLE, problem=f"found {show(raw)}", fix="a list of exports is needed"))
        return []
    found = []
    for index, value in enumerate(raw):
        name = value.get("name") if isinstance(value, Mapping) else None
        where = f"export {name!r}" if name else f"{VARIABLE}[{index}]"
        before = len(faults)
        declared: DeclaredExport | None = convert(DeclaredExport, value, where, faults)
        if declared is None:
            continue
        if declared.filter in filters:
            source, program = filters[declared.filter]
            faults += _faults(declared, source, where)
            if len(faults) == before:
                found.append(ScheduledExport(**msgspec.structs.asdict(declared), program=program))
        else:
            fix = nearest(declared.filter, filters) if filters else "sfm_filters has none"
            faults.append(Fault(where=where, problem=f"unknown filter {show(declared.filter)}", fix=fix))
    names = [each["name"] for each in raw if isinstance(each, Mapping) and isinstance(each.get("name"), str)]
    faults += [
        Fault(where=VARIABLE, problem=f"two exports are named {show(twice)}", fix="rename one of them")
        for twice in repeated(names)
    ]
    if raw and not directory:
        fix = f"a directory of their own is needed: {_DIRECTORY}: /srv/sfm/exports"
        faults.append(Fault(where=_DIRECTORY, problem="there are exports, and nowhere to put them", fix=fix))
    return found


def _faults(export: DeclaredExport, source: str, where: str) -> Iterator[Fault]:
    yield from name_faults(export.name, where)
    if export.directory:
        yield from name_faults(export.directory, f"{where}: directory")
    if export.pseudonymise and not export.pseudonymise.startswith("/"):
        fix = "the absolute path of a key on the host is needed, which sfm_export_user may read"
        yield Fault(where=f"{where}: pseudonymise", problem=f"found {show(export.pseudonymise)}", fix=fix)
    if export.excel and export.format != "csv":
        yield Fault(where=f"{where}: excel", problem=f"it is for csv, and not for {export.format}", fix="leave it out")
    for key, judge in (("match", _match), ("columns", _columns)):
        try:
            judge(export, source)
        except UsageError as error:
            # The inventory has keys where the command line has options.
            problem, _, fix = str(error).removeprefix("--columns: ").replace("--", "").partition("; ")
            yield Fault(where=f"{where}: {key}", problem=problem, fix=fix or "correct it, or leave it out")


def _match(export: DeclaredExport, source: str) -> None:
    if export.match:
        registry.source(source).matcher(export.match)


def _columns(export: DeclaredExport, source: str) -> None:
    tables: dict[str, Any] = {source: table_of(source, twarc=export.twarc)}
    columns, form = ",".join(export.columns), FORMATS[export.format]
    fields_of(form, tables, columns, pseudonyms=bool(export.pseudonymise), twarc=export.twarc)
