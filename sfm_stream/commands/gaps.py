"""The command `gaps`: what is missing, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfm_stream import clock, table
from sfm_stream.places import config_dir_option, program_named, programs, reach_state, state_dir_option
from sfm_stream.usage import examples

if TYPE_CHECKING:
    from sfm_stream.record.gaps import Coverage, Gap, Loss

_SUMMARY = (
    *("PROGRAM", "SINCE (UTC)", "CONNECTED", "COVERED"),
    *("PLANNED", "RECOVERED", "FAILURES", "LOSSES", "MESSAGES"),
)
_COLUMNS = ("PROGRAM", "FROM (UTC)", "TO (UTC)", "LENGTH", "KIND", "CAUSE")


@click.command(
    epilog=examples(
        "sfm-stream gaps",
        "sfm-stream gaps storms --since 2026-11-01",
        "sfm-stream gaps storms --format csv > gaps.csv",
    )
)
@click.argument("name", required=False)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    help="Leave out what ended before this time (UTC).",
)
@table.format_option
@table.json_option
@config_dir_option
@state_dir_option
def gaps(
    name: str | None, since: datetime | None, form: str, as_json: bool, config_dir: Path, state_dir: Path | None
) -> None:
    """Show when streams were not connected, when X lacked rules of theirs, and why; what was lost, and what X said.

    NAME is a filter or a program; all programs of this host without it. Exits with 3 where there are gaps
    that nobody asked for, losses, or lines that could not be read.
    """
    from sfm_stream.errors import FindingsError
    from sfm_stream.reading import UnreadableError
    from sfm_stream.record import journal, last_run, status
    from sfm_stream.record.gaps import coverage, unreadable_journal

    form = "json" if as_json else form
    state = reach_state(state_dir, config_dir)
    journals = state / "journal"
    chosen = programs(journals) if name is None else [program_named(name, journals)]
    now, begin = clock.now(), since.replace(tzinfo=UTC) if since else None
    found = []
    for program in chosen:
        try:
            outage = last_run.read(state, program, killed=not status.is_alive(state, program)).outage
            entries = journal.read(journal.journal_path(state, program))
            found.append(coverage(program, entries, outage, now, begin))
        except UnreadableError as error:
            found.append(unreadable_journal(program, now, str(error)))
    click.echo(_text(found, form))
    bad = sum(len(each.failures) + len(each.losses) + (each.start is None and not each.fault) for each in found)
    faults = [f"{bad} gaps or losses that nobody asked for"] if bad else []
    faults += [f"{each.program}: {note}" for each in found for note in _notes(each)]
    if faults:
        raise FindingsError("\n".join(faults) if form == "table" else "")


def _notes(found: Coverage) -> list[str]:
    """What could not be read: of a journal, and of what the source sent."""
    notes = [found.fault] if found.fault else []
    if found.unreadable:
        notes.append(f"{found.unreadable} unreadable entries of the journal skipped: what they told is not in this")
    if unread := sum(said.count for said in found.messages if said.unknown):
        notes.append(f"{unread} lines of the stream could not be read, or were too many to be kept")
    return notes


def _text(found: list[Coverage], form: str) -> str:
    if form == "json":
        return table.json_text(found)
    rows = [
        (
            each.program,
            table.moment(gap.start),
            table.moment(gap.end) if gap.end else "now",
            table.duration(gap.seconds),
            _kind(gap),
            gap.cause + (f" (X was asked to recover {gap.backfill_minutes} min)" if gap.backfill_minutes else ""),
        )
        for each in found
        for gap in each.gaps
    ]
    rows += [
        (each.program, table.moment(loss.time), *_extent(loss), "loss", loss.what)
        for each in found
        for loss in each.losses
    ]
    rows += [
        (
            each.program,
            table.moment(said.first),
            table.moment(said.last),
            f"{said.count} lines",
            "message",
            f"{said.kind}: {said.what}",
        )
        for each in found
        for said in each.messages
    ]
    rows.sort(key=lambda row: (row[0], row[1]))
    if form == "csv":
        return table.csv_text(_COLUMNS, rows)
    share = [
        (
            each.program,
            table.moment(each.start) if each.start else "unknown" if each.fault else "never connected",
            f"{each.connected:.4%}" if each.connected is not None else "-",
            f"{each.covered:.4%}" if each.covered is not None else "-",
            str(len(each.gaps) - len(each.failures) - len(each.recovered)),
            str(len(each.recovered)),
            str(len(each.failures)),
            str(len(each.losses)),
            str(sum(said.count for said in each.messages)),
        )
        for each in found
    ]
    summary = table.render(_SUMMARY, share)
    return "\n\n".join([summary, table.render(_COLUMNS, rows)] if rows else [summary])


def _kind(gap: Gap) -> str:
    """Whether a gap was made good, could not be, was asked for, or is a failure."""
    if gap.recovered is not None:
        return "recovered" if gap.recovered else "lost"
    return "planned" if gap.planned else "failure"


def _extent(loss: Loss) -> tuple[str, str]:
    """Until when, and how much."""
    if loss.rules:
        return table.moment(loss.end) if loss.end else "now", f"{loss.rules} rule{'s' * (loss.rules != 1)}"
    return "", f"{loss.posts or '?'} posts"
