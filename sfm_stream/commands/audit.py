"""`sfm-stream audit`: is the archive still what was captured?"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfm_stream import clock
from sfm_stream.archive.job import count, keep_outcome, place_options, take_places
from sfm_stream.table import duration, json_option, json_text, progress, render, size
from sfm_stream.usage import examples

if TYPE_CHECKING:
    from sfm_stream.archive.audit_outcome import AuditOutcome


_PLACE = re.compile(r"[^/]+(/\d{1,4}(/\d\d(/\d\d)?)?)?", re.ASCII)


def _places(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not _PLACE.fullmatch(value):
            raise click.BadParameter(
                f"{value!r} is not PROGRAM[/YYYY[/MM[/DD]]], such as twitterfilter-storms/2026/11/24"
            )
    return values


@click.command(
    epilog=examples(
        "sfm-stream audit",
        "sfm-stream audit --sample 5 --since 2026-11-01",
        "sfm-stream audit --accept twitterfilter-storms/2026/11/03",
    )
)
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
@click.option(
    "--accept",
    multiple=True,
    metavar="PLACE",
    callback=_places,
    help="PROGRAM[/YYYY[/MM[/DD]]]: what is gone or was changed there is meant so, from now on; may be repeated.",
)
@json_option
def audit(
    data_dir: Path,
    archive_dir: Path | None,
    state_dir: Path | None,
    since: datetime | None,
    sample: float,
    accept: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare the date tree, its manifests, the programs' journals and what earlier audits counted, file by file.

    Reports what is missing, changed, unreadable or unexpected, or known to only one of them. Exit code 3: there is
    something of that, or there is nothing to audit.
    """
    from sfm_stream.archive.audit import Audit
    from sfm_stream.errors import FindingsError, UsageError

    tree = archive_dir or data_dir
    if not os.path.lexists(tree):
        raise UsageError(f"{tree}: no such directory; name the archive with --dir or --archive-dir")
    state_dir = take_places(data_dir, archive_dir, state_dir)
    if accept and state_dir is None:
        raise UsageError("--accept needs a state directory to keep it in: --state-dir")
    begun = clock.now()
    since_day = since.date() if since else None
    work = Audit(data_dir, archive_dir, state_dir, since=since_day, sample=sample, accept=accept)
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
    try:
        work.keep()
    except OSError as error:
        click.echo(f"sfm-stream: {state_dir}: what was counted cannot be kept there: {error.strerror}", err=True)
    if as_json:
        click.echo(json_text(report))
    else:
        _print(found, float(str(report["seconds"])))
    if found.faults:
        raise FindingsError(f"{count(found.faults, 'thing is', 'things are')} not as they should be")


def _report(found: AuditOutcome, begun: datetime) -> dict[str, object]:
    import msgspec

    seconds = round((clock.now() - begun).total_seconds(), 3)
    return {"time": clock.text(begun), "seconds": seconds} | msgspec.structs.asdict(found)


def _print(found: AuditOutcome, seconds: float) -> None:
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
        (found.irregular, "links or other things in the place of files"),
        (found.unexpected, "unexpected"),
        (found.manifest, "faults of manifests"),
        (found.journal, "faults of journals"),
        (found.waiting, "not moved yet"),
        (found.accepted, "days gone, as accepted"),
    ):
        if number:
            parts.append(f"{number:,} {text}")
    click.echo("; ".join(parts))
