"""`sfm-stream audit`: is the archive still what was captured?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfm_stream import clock
from sfm_stream.archive.job import count, keep_outcome, place_options
from sfm_stream.owner import become_owner
from sfm_stream.table import duration, json_option, json_text, progress, render, size

if TYPE_CHECKING:
    from sfm_stream.archive.audit import Findings


@click.command()
@place_options
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Leave out days before (2026-11-24).")
@click.option(
    "--sample",
    type=click.FloatRange(0, 100),
    default=100,
    show_default=True,
    metavar="PERCENT",
    help="Read the content of so many files, chosen at random; that all are there is checked always.",
)
@json_option
def audit(
    data_dir: Path,
    archive_dir: Path | None,
    state_dir: Path,
    since: datetime | None,
    sample: float,
    as_json: bool,
) -> None:
    """Compare the date tree with its manifests, file by file.

    Reports what is missing, changed, unreadable or unexpected. Exit code 3: there is something of that.
    """
    from sfm_stream.archive.audit import Audit
    from sfm_stream.errors import FindingsError, UsageError

    tree = archive_dir or data_dir
    if not tree.is_dir():
        raise UsageError(f"{tree}: no such directory; name the archive with --dir or --archive-dir")
    become_owner(data_dir, state_dir)
    begun = clock.now()
    work = Audit(data_dir, archive_dir, state_dir, since=since.date() if since else None, sample=sample)
    with progress("Verifying", work.count) as advance:
        work.advance = advance
        found = work.run()
    report = _report(found, begun) | {
        "data_dir": str(data_dir),
        "archive_dir": str(tree),
        "since": f"{since:%Y-%m-%d}" if since else None,
        "sample": sample,
        "exit_code": FindingsError.exit_code if found.faults else 0,
    }
    keep_outcome(state_dir, "audit", report)
    if as_json:
        click.echo(json_text(report))
    else:
        _print(found, float(str(report["seconds"])))
    if found.faults:
        raise FindingsError(f"{count(found.faults, 'thing is', 'things are')} not as they should be")


def _report(found: Findings, begun: datetime) -> dict[str, object]:
    import msgspec

    seconds = round((clock.now() - begun).total_seconds(), 3)
    return {"time": clock.text(begun), "seconds": seconds} | msgspec.structs.asdict(found)


def _print(found: Findings, seconds: float) -> None:
    if found.findings:
        click.echo(render(("WHAT", "FILE", "DETAIL"), [(each.kind, each.file, each.detail) for each in found.findings]))
        if more := found.faults - len(found.findings):
            click.echo(f"and {more:,} more")
    read = f"{found.verified:,} read ({size(found.bytes)}) and as listed, in {duration(seconds)}"
    parts = [f"{count(found.days, 'day')}, {count(found.files, 'file')}: {read}"]
    for number, text in (
        (found.missing, "missing"),
        (found.changed, "changed"),
        (found.unreadable, "unreadable"),
        (found.unexpected, "unexpected"),
        (found.manifest, "faults of manifests"),
        (found.waiting, "not moved yet"),
    ):
        if number:
            parts.append(f"{number:,} {text}")
    click.echo("; ".join(parts))
