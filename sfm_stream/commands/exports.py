"""The command `exports`: those that the inventory asks for by schedule."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfm_stream.export.chosen import place_options
from sfm_stream.places import config_dir_option
from sfm_stream.table import duration, json_option, json_text, printable, progress
from sfm_stream.usage import examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sfm_stream.export.declared import ExportSettings, ScheduledExport


@click.group(epilog=examples("sfm-stream exports list", "sudo systemctl start sfm-export"))
def exports() -> None:
    """Exports that the inventory asks for by schedule (sfm_exports)."""


@exports.command("list", epilog=examples("sfm-stream exports list", "sfm-stream exports list --json | jq '.[].newest'"))
@json_option
@config_dir_option
def list_exports(as_json: bool, config_dir: Path) -> None:
    """Show the scheduled exports of this host, the newest file of each, and what is due."""
    from sfm_stream import clock, table
    from sfm_stream.errors import StorageError
    from sfm_stream.export import scheduled
    from sfm_stream.export.due import due

    settings = _settings(config_dir)
    now = clock.now()
    rows: list[dict[str, Any]] = []
    for each in settings.exports:
        try:
            there = scheduled.there(scheduled.folder(Path(settings.directory), each))
        except OSError as error:
            raise StorageError(f"{error.filename}: cannot be read: {error.strerror}") from error
        newest = max((name for name in there if name.startswith(each.name)), key=there.__getitem__, default=None)
        shown = {"name": each.name, "filter": each.filter, "format": each.format, "span": each.span}
        rows.append(
            shown
            | {"newest": newest and f"{each.folder}/{newest}", "due": [file.name for file in due(each, now, there)]}
        )
    if as_json:
        click.echo(json_text(rows))
    else:
        shown_rows = [[*(row | {"due": ", ".join(row["due"]) or None}).values()] for row in rows]
        click.echo(table.render(("EXPORT", "FILTER", "FORMAT", "SPAN", "NEWEST FILE", "DUE"), shown_rows))
        click.echo(f"below {settings.directory}")


@exports.command(epilog=examples("sudo sfm-stream exports run", "sudo sfm-stream exports run elections-week"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
@place_options
def run(
    names: tuple[str, ...],
    as_json: bool,
    data_dir: Path | None,
    archive_dir: Path | None,
    state_dir: Path | None,
    config_dir: Path,
) -> None:
    """Make the files of scheduled exports that are due; all of this host without a NAME.

    A file is made once; to have it made again, remove it. One whose span may still get posts waits for the next run.
    Exit code 3: done, but something could not be read, or an export could not be made.
    """
    import importlib
    import time

    from sfm_stream import clock
    from sfm_stream.archive.job import count, outcome_kept
    from sfm_stream.errors import FindingsError, NotAllowedError, StorageError
    from sfm_stream.export import chosen, scheduled
    from sfm_stream.export.formats import FORMATS
    from sfm_stream.locking import held, open_lock
    from sfm_stream.owner import become_owner, name_of, require_directory

    settings = _settings(config_dir)
    asked = _asked(names, settings.exports)
    for form in dict.fromkeys(FORMATS[each.format] for each in asked):
        form.require()
        importlib.import_module(form.module)  # before root becomes a user who may not read it
    root = Path(settings.directory)
    require_directory(root)
    become_owner(root)
    if not os.access(root, os.W_OK):
        raise NotAllowedError(
            f"{root} belongs to {name_of(root.stat().st_uid)}, who alone may write there: sudo sfm-stream exports run"
        )
    begun = time.monotonic()
    results = []
    with outcome_kept(root / ".kept" if not names else None, "export") as kept:
        host = chosen.host(data_dir, archive_dir, state_dir, config_dir)
        try:
            lock = open_lock(root)
        except OSError as error:
            raise StorageError(f"{root}: cannot be written: {error.strerror}") from error
        busy = f"{root}: another `exports run` is at work; let it finish"
        with held(lock, busy), progress("Exports", len(asked)) as advance:
            for each in asked:
                results.append(scheduled.make(root, each, host, clock.now()))
                advance(1)
        kept["exports"] = results
        if as_json:
            click.echo(json_text(results))
        else:
            files = sum(len(each.made) for each in results)
            rows = sum(each.rows for each in results)
            click.echo(f"{count(files, 'file')} made ({count(rows, 'row')}) in {duration(time.monotonic() - begun)}")
            for waiting in (each.waits for each in results if each.waits):
                click.echo(f"note: {printable(waiting)}", err=True)
        if faults := [f"{each.name}: {fault}" for each in results for fault in each.faults]:
            raise FindingsError("\n".join(faults))


def _settings(config_dir: Path) -> ExportSettings:
    from sfm_stream import reading
    from sfm_stream.errors import ConfigError
    from sfm_stream.export.declared import read_exports

    try:
        settings = read_exports(config_dir)
    except reading.UnreadableError as error:
        raise ConfigError(str(error)) from error
    if settings is None:
        raise ConfigError(f"{config_dir}: no exports are scheduled on this host; in the inventory: sfm_exports")
    return settings


def _asked(names: Iterable[str], known: Sequence[ScheduledExport]) -> list[ScheduledExport]:
    from sfm_stream.errors import UsageError
    from sfm_stream.settings.faults import nearest

    by_name = {each.name: each for each in known}
    for name in names:
        if name not in by_name:
            raise UsageError(f"no scheduled export {name!r}; {nearest(name, by_name)}")
    return [by_name[name] for name in dict.fromkeys(names)] or list(known)
