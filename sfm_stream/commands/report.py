"""The command `report`: what was collected, as pages to read and to cite, and as tables."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfm_stream.places import DATA_DIR, config_dir_option, state_dir_option
from sfm_stream.table import json_option, json_text, progress, size
from sfm_stream.usage import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sfm_stream.report.page_figures import Report
    from sfm_stream.report.page_gather import ReportRequest
    from sfm_stream.settings.collection import Collection

_DAY = click.DateTime(["%Y-%m-%d"])
_DIRECTORY = click.Path(path_type=Path, file_okay=False, readable=False)


@click.command(
    epilog=examples(
        "sfm-stream report -o my-report",
        "sfm-stream report storms --from 2026-11-01 --to 2026-11-30 --without accounts -o storms-november",
        "sfm-stream report --json | jq '.streams[] | [.program, .coverage.covered]'",
    )
)
@click.argument("programs", metavar="[NAME]...", nargs=-1)
@click.option(
    "--from", "start", type=_DAY, metavar="DAY", help="The first day (2026-11-01); else that of the first file."
)
@click.option("--to", "end", type=_DAY, metavar="DAY", help="The last day, included; else today. Days are UTC.")
@click.option("-o", "--output", type=_DIRECTORY, metavar="DIR", help="Write pages and CSV files there.")
@click.option(
    "--without",
    type=click.Choice(["accounts", "links", "tags"]),
    multiple=True,
    help="Leave a list out, as for privacy; may be repeated.",
)
@click.option(
    "--keep",
    type=_DIRECTORY,
    metavar="DIR",
    help="Keep what was read of the files there, and how the run went, in place of the state directory: for a user "
    "who may not write in that.",
)
@click.option("--top", type=click.IntRange(1, 500), default=20, show_default=True, help="Entries of each list.")
@json_option
@click.option("--dir", "data_dir", type=_DIRECTORY, help="Where programs put files; if not given, as the settings say.")
@click.option("--archive-dir", type=_DIRECTORY, help="Where the date tree is, if not in the data directory.")
@config_dir_option
@state_dir_option
def report(
    programs: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
    output: Path | None,
    without: tuple[str, ...],
    keep: Path | None,
    top: int,
    as_json: bool,
    data_dir: Path | None,
    archive_dir: Path | None,
    config_dir: Path,
    state_dir: Path | None,
) -> None:
    """Show what was collected: what was asked for, posts by hour, gaps, languages, hashtags, volume, cost, files.

    NAME is a filter or a program; all of this host without it. Files are read once: what they hold is kept in the
    state directory, and a later report reads only those that are new. Exits with 3 where something could not be
    looked at.
    """
    if output is None and not as_json:
        raise click.UsageError("Give a directory for the pages with -o, or --json for the figures.")
    if start and end and end < start:
        raise click.UsageError(f"--to {end:%Y-%m-%d} is before --from {start:%Y-%m-%d}.")
    from sfm_stream.errors import UsageError

    if output is not None:
        import importlib.util

        if importlib.util.find_spec("jinja2") is None:
            raise UsageError("pages need Jinja2: pip install 'sfm-stream[report]'; --json does without")
        # Before root becomes the owner of the files, who may not read it.
        from sfm_stream.report import page_output  # noqa: F401
    from sfm_stream.archive.job import outcome_kept

    with outcome_kept(keep, "report"):
        if keep is not None:
            _make_private(keep / "summaries")
        state, data, collection = _places(config_dir, state_dir, data_dir, archive_dir)

        def wanted() -> ReportRequest:
            from sfm_stream.report.page_gather import ReportRequest

            return ReportRequest(
                programs=_chosen(programs, state, data, archive_dir or data),
                state_dir=state,
                data_dir=data,
                archive_dir=archive_dir or data,
                start=_day(start),
                end=_day(end),
                without=tuple(dict.fromkeys(without)),
                top=top,
                collection=collection,
            )

        _give(_gathered(wanted, keep or state), output, as_json=as_json)


def _gathered(wanted: Callable[[], ReportRequest], kept: Path) -> Report:
    """The figures; what is read of the files is kept below `kept`.

    Raises:
        StorageError: A directory cannot be read.
    """
    from sfm_stream.errors import StorageError
    from sfm_stream.report.page_gather import files_in, gather, look
    from sfm_stream.report.summary_store import Store

    store = Store(kept)
    try:
        asked = wanted()
        with store.alone():
            places = look(asked)
            with progress("Files", lambda: files_in(places)) as advance:
                found = gather(asked, places, store, advance)
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if store.fault:
        click.echo(f"sfm-stream: summaries cannot be kept, so each report reads all files: {store.fault}", err=True)
    return found


def _give(found: Report, output: Path | None, *, as_json: bool) -> None:
    """Writes pages, and prints the figures or what was done.

    Raises:
        FindingsError: Something could not be looked at.
    """
    from sfm_stream.errors import FindingsError

    if output is not None:
        from sfm_stream.report import page_output

        page_output.write(found, output)
    click.echo(json_text(found) if as_json else _outcome(found, output))
    if found.all_faults:
        raise FindingsError("" if as_json else "\n".join(found.all_faults))


def _make_private(directory: Path) -> None:
    """Makes a directory of what was read of files, which is the user's own.

    Raises:
        StorageError: It cannot be made.
    """
    from sfm_stream.errors import StorageError

    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{directory}: nothing can be kept there: {error.strerror}") from error


def _places(
    config_dir: Path, state_dir: Path | None, data_dir: Path | None, archive_dir: Path | None
) -> tuple[Path, Path, Collection]:
    """The state and the data directory, and what is said of the collection; goes on as their owner."""
    from sfm_stream.owner import become_owner, require_directory
    from sfm_stream.places import find_state_dir
    from sfm_stream.settings.collection import read_collection
    from sfm_stream.settings.config import Unusable, list_streams
    from sfm_stream.sources import registry

    streams = [each for each in list_streams(config_dir) if not isinstance(each, Unusable)]
    state = find_state_dir(state_dir, config_dir)
    data = data_dir or (Path(streams[0].data_dir) if streams else DATA_DIR)
    collection = read_collection(config_dir)
    for source in registry.names():  # while they can be read
        registry.source(source).features(b"")
        registry.source(source).inventory()
    for directory in filter(None, (state, data, archive_dir)):
        require_directory(directory)
    become_owner(*filter(None, (state, data, archive_dir)))
    return state, data, collection


def _chosen(asked: Sequence[str], state: Path, data: Path, archive: Path) -> tuple[str, ...]:
    """The programs of these names, or of the filters of these names; all of them where none is named."""
    from sfm_stream.errors import UsageError
    from sfm_stream.report.page_gather import programs_of
    from sfm_stream.settings.faults import nearest
    from sfm_stream.sources import registry

    known = programs_of(state, *dict.fromkeys((archive, data)))
    chosen: dict[str, None] = {}
    for name in asked:
        possible = (name, *(registry.program(source, name) for source in registry.names()))
        program = next((each for each in possible if each in known), None)
        if program is None:
            filters = list(map(registry.filter_of, known))
            fix = nearest(name, filters) if filters else "there are none"
            raise UsageError(f"no files and no journal of {name!r} here; {fix}")
        chosen[program] = None
    return tuple(chosen) or tuple(known)


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


def _outcome(found: Report, output: Path | None) -> str:
    from sfm_stream.archive.job import count

    posts = f"{count(found.posts, 'post')} of {count(len(found.streams), 'stream')}"
    files = f"{count(found.files, 'file')} ({size(found.bytes)})"
    return f"{posts} in {files}, {found.start} to {found.end}: {output and output / 'index.html'}"
