"""The command `dataset`: what was captured, as Parquet files for tools of many machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfm_stream.export.chosen import place_options
from sfm_stream.table import duration, json_option, json_text, printable, progress
from sfm_stream.usage import examples

if TYPE_CHECKING:
    from sfm_stream.export.dataset import SyncOutcome


@click.group(epilog=examples("sfm-stream dataset sync --to /srv/dataset"))
def dataset() -> None:
    """A dataset of Parquet files, one for each capture file."""


@dataset.command(
    epilog=examples(
        "sfm-stream dataset sync --to /srv/dataset",
        "sfm-stream dataset sync elections storms --to /srv/dataset --prune",
    )
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--to", "root", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The dataset's directory."
)
@click.option("--prune", is_flag=True, help="Remove files of which the capture file is gone.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep there how the run went, for sfm-stream status.",
)
@click.option("--renew", is_flag=True, help="Write those again that have other columns than this release gives.")
@json_option
@place_options
def sync(
    names: tuple[str, ...],
    root: Path,
    prune: bool,
    renew: bool,
    keep: Path | None,
    as_json: bool,
    data_dir: Path | None,
    archive_dir: Path | None,
    state_dir: Path | None,
    config_dir: Path,
) -> None:
    """Write what is new in finished capture files into DIR/source=.../program=.../day=.../.

    NAME is a filter or a program; all of this host without one. All lines are rows, deletions as well: the column
    `line` tells which is which. A file that is there already is left as it is while its capture file is the same. Exit
    code 3: done, but something could not be read.
    """
    import time
    from dataclasses import asdict

    from sfm_stream.archive.job import outcome_kept
    from sfm_stream.errors import FindingsError
    from sfm_stream.export import chosen
    from sfm_stream.export.formats import FORMATS
    from sfm_stream.owner import become_owner, require_directory

    FORMATS["parquet"].require()
    from sfm_stream.export.dataset import sync as synchronize

    begun = time.monotonic()
    faults: list[str] = []
    require_directory(root)
    become_owner(root)
    with outcome_kept(keep, "dataset"):
        host = chosen.host(data_dir, archive_dir, state_dir, config_dir)
        streams = chosen.streams(names, host.places, faults.append)
        files = sum(not each.live for stream in streams for each in stream.files)
        with progress("Files", files) as advance:
            # A directory that could not be listed is no reason to take its files for gone.
            outcome = synchronize(streams, host.places, root, prune=prune and not faults, renew=renew, advance=advance)
        faults += outcome.faults
        seconds = time.monotonic() - begun
        if as_json:
            click.echo(json_text(asdict(outcome) | {"faults": faults, "seconds": round(seconds, 3)}))
        else:
            _say(outcome, seconds, prune=prune)
        if faults:
            raise FindingsError("" if as_json else "\n".join(faults))


def _say(outcome: SyncOutcome, seconds: float, *, prune: bool) -> None:
    """Prints what came of a run."""
    from sfm_stream.archive.job import count

    parts = [
        f"{count(outcome.written, 'file')} written ({count(outcome.rows, 'row')}) in {duration(seconds)}",
        f"{outcome.current:,} up to date",
    ]
    parts += [f"{outcome.removed:,} removed"] if outcome.removed else []
    parts += [f"{outcome.counts['unreadable']:,} lines are no JSON"] if outcome.counts["unreadable"] else []
    click.echo("; ".join(parts))
    if outcome.orphaned:
        gone = "their capture files are gone"
        gone += ", as far as could be looked at: they were left" if prune else "; --prune removes them"
        click.echo(f"note: {count(outcome.orphaned, 'file')}: {gone}", err=True)
    for program in outcome.outdated:
        note = f"{program}: files of an earlier release have other columns; --renew writes them again"
        click.echo(printable(f"note: {note}"), err=True)
