"""`sfm-stream organizedata`: finished files go into the date tree."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfm_stream import clock
from sfm_stream.archive.job import count, keep_outcome, place_options, take_places
from sfm_stream.table import duration, json_option, json_text, printable, progress, render, size
from sfm_stream.usage import examples

if TYPE_CHECKING:
    from sfm_stream.archive.organize import Organizer
    from sfm_stream.archive.outcome import OrganizeOutcome


@click.command(
    epilog=examples(
        "sudo sfm-stream organizedata --dry-run",
        "sudo sfm-stream organizedata --archive-dir /mnt/archive/sfm",
    )
)
@place_options
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would be done.")
@click.option(
    "--adopt",
    is_flag=True,
    help="List capture files that lie unlisted in days which have a manifest, too; cut off entries that a crash tore.",
)
@click.option(
    "--new-archive",
    is_flag=True,
    help="Take the directory of --archive-dir as it is now for the archive; after a change of disks.",
)
@click.option("--verbose", is_flag=True, help="Print each file.")
@json_option
def organizedata(
    data_dir: Path,
    archive_dir: Path | None,
    state_dir: Path | None,
    dry_run: bool,
    adopt: bool,
    new_archive: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Move finished capture files into the date tree, each with its entry in its day's SHA256SUMS.

    Files that are still being written stay; names that are not understood stay and are listed. It reads SFM's names
    as well, and takes up days that SFM laid out. Exit code 3: done, but something needs a look. Killed or run again,
    it goes on where it was.
    """
    from sfm_stream.archive.findings import KEPT
    from sfm_stream.archive.organize import Organizer
    from sfm_stream.errors import FindingsError, StorageError

    if new_archive and archive_dir is None:
        raise click.UsageError("--new-archive needs --archive-dir.")
    state_dir = take_places(data_dir, archive_dir, state_dir)
    begun = clock.now()

    def tell(line: str, detail: bool) -> None:
        # What was found comes in a table at the end, but there may be more of it than that shows.
        if verbose and not as_json and (detail or organizer.outcome.faults > KEPT):
            click.echo(printable(line))

    organizer = Organizer(
        data_dir, archive_dir, state_dir, dry_run=dry_run, adopt=adopt, new_archive=new_archive, tell=tell
    )
    outcome, exit_code = organizer.outcome, 0
    error: StorageError | None = None
    try:
        _run(organizer, quiet=verbose or as_json)
        exit_code = FindingsError.exit_code if outcome.faults else 0
    except StorageError as problem:
        error, exit_code = problem, problem.exit_code
    report = _report(outcome, error, begun) | {
        "data_dir": str(data_dir),
        "archive_dir": str(archive_dir or data_dir),
        "dry_run": dry_run,
        "exit_code": exit_code,
    }
    if not dry_run:
        keep_outcome(state_dir, "organize", report)
    if as_json:
        click.echo(json_text(report))
    else:
        _print(outcome, report["seconds"], dry_run)
    if error:
        raise error
    if outcome.faults:
        raise FindingsError(f"{count(outcome.faults, 'thing needs', 'things need')} a look")


def _run(organizer: Organizer, *, quiet: bool) -> None:
    if quiet:
        organizer.run()
        return
    with progress("Sorting", organizer.count) as advance:
        organizer.advance = advance
        organizer.run()


def _report(outcome: OrganizeOutcome, error: Exception | None, begun: datetime) -> dict[str, Any]:
    import msgspec

    return {
        "time": clock.text(begun),
        "seconds": round((clock.now() - begun).total_seconds(), 3),
        "error": str(error) if error else None,
    } | msgspec.structs.asdict(outcome)


def _print(outcome: OrganizeOutcome, seconds: float, dry_run: bool) -> None:
    if outcome.findings:
        rows = [(finding.kind, finding.file, finding.detail) for finding in outcome.findings]
        click.echo(render(("WHAT", "FILE", "DETAIL"), rows))
        if more := outcome.faults - len(rows):
            click.echo(f"and {more:,} more; --verbose prints each")
    would = "would be " if dry_run else ""
    parts = [f"{count(outcome.moved, 'file')} ({size(outcome.bytes)}) {would}moved in {duration(seconds)}"]
    for number, text in (
        (outcome.known, f"{would}removed, the same content is in the archive"),
        (outcome.adopted, f"that lay in the archive {would}listed"),
        (outcome.waiting, "still being written"),
        (outcome.unknown, "not understood"),
        (outcome.renamed, f"{would}kept under a new name"),
        (outcome.damaged, "not as recorded"),
        (outcome.unreadable, "unreadable"),
        (outcome.blocked, "not to be sorted into"),
    ):
        if number:
            parts.append(f"{number:,} {text}")
    click.echo("; ".join(parts))
