"""Every table of a report, once: as CSV, and for what a page shows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sfm_stream import clock
from sfm_stream.report.page_figures import Report, StreamFigures, Top, causes, gap_kind, total_seconds
from sfm_stream.report.summary import time_of
from sfm_stream.table import csv_text


class Table(NamedTuple):
    """Rows under column names.

    Attributes:
        name: That of its file, without ``.csv``.
        header: The columns.
        rows: None is an empty cell.
    """

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]


def tables(report: Report) -> Iterator[Table]:
    """All tables but those of files; each row begins with its program."""
    yield _streams(report)
    yield Table("posts-by-hour", ("program", "hour", "posts"), list(_hours(report)))
    yield Table("posts-by-day", ("program", "day", "posts"), list(_days(report)))
    header = ("program", "start", "end", "seconds", "kind", "cause", "backfill_minutes")
    yield Table("gaps", header, list(_gaps(report)))
    yield Table("gap-causes", ("program", "kind", "cause", "gaps", "seconds"), list(_causes(report)))
    yield Table("losses", ("program", "start", "end", "posts", "rules", "what"), list(_losses(report)))
    asked = ("program", "asked_for", "in_force", "settings_sha256", "key", "change")
    yield Table("asked-for", asked, list(_asked(report)))
    yield Table("languages", ("program", "language", "posts"), _top(report, "languages"))
    for name, column in (("tags", "hashtag"), ("links", "link")):
        if name not in report.without:
            yield Table(name, ("program", column, "posts"), _top(report, name))
    if "accounts" not in report.without:
        yield Table("accounts", ("program", "account", "name", "posts"), _top(report, "accounts"))
    yield _volume(report)


def _streams(report: Report) -> Table:
    header = (
        *("program", "source", "title", "posts", "deletes_seen", "duplicates", "files", "bytes", "dollars"),
        *("connected", "covered", "seconds_lost", "seconds_recovered", "seconds_planned", "losses"),
    )
    rows = []
    for each in report.streams:
        found = each.coverage
        lengths = (total_seconds(found, which) for which in ("lost", "recovered", "planned"))
        rows.append(
            (
                *(each.program, each.source, each.description.title or None, each.posts, each.deletes, each.duplicates),
                *(len(each.files), each.bytes, each.dollars),
                *((found.connected, found.covered) if found else (None, None)),
                *lengths,
                len(found.losses) if found else None,
            )
        )
    return Table("streams", header, rows)


def _hours(report: Report) -> Iterator[Sequence[object]]:
    for each in report.streams:
        for hour, posts in each.hours.items():
            yield each.program, _text(time_of(hour)), posts


def _days(report: Report) -> Iterator[Sequence[object]]:
    for each in report.streams:
        for day, posts in each.per_day.items():
            yield each.program, day, posts


def _gaps(report: Report) -> Iterator[Sequence[object]]:
    for each in report.streams:
        for gap in each.coverage.gaps if each.coverage else ():
            end = _text(gap.end) if gap.end else None
            yield each.program, _text(gap.start), end, gap.seconds, gap_kind(gap), gap.cause, gap.backfill_minutes


def _causes(report: Report) -> Iterator[Sequence[object]]:
    for each in report.streams:
        for row in causes(each.coverage) if each.coverage else ():
            yield each.program, row.kind, row.cause, row.gaps, row.seconds


def _losses(report: Report) -> Iterator[Sequence[object]]:
    for each in report.streams:
        for loss in each.coverage.losses if each.coverage else ():
            end = _text(loss.end) if loss.end else None
            yield each.program, _text(loss.time), end, loss.posts, loss.rules or None, loss.what


def _asked(report: Report) -> Iterator[Sequence[object]]:
    for each in report.streams:
        for step in each.steps:
            in_force = _text(step.in_force) if step.in_force else None
            for change in step.asked:
                yield each.program, _text(step.time), in_force, step.sha256, change.key, str(change)
            for key in step.other:
                yield each.program, _text(step.time), in_force, step.sha256, key, None


def _top(report: Report, name: str) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for each in report.streams:
        found: Top | None = getattr(each, name)
        for entry in found.entries if found else ():
            cells = (entry.what, entry.name or None) if name == "accounts" else (entry.what,)
            rows.append((each.program, *cells, entry.posts))
    return rows


def _volume(report: Report) -> Table:
    header = (
        *("program", "day", "files", "posts", "deletes_seen", "duplicates", "bytes", "bytes_uncompressed", "dollars"),
        *("manifest_sha256", "files_missing", "files_unreadable"),
    )
    rows = [
        (
            *(each.program, day.day, day.files, day.posts, day.deletes, day.duplicates, day.bytes, day.text),
            *(day.dollars, day.manifest or None, day.missing, day.unreadable),
        )
        for each in report.streams
        for day in each.days
    ]
    return Table("volume", header, rows)


def files_of(stream: StreamFigures) -> str:
    """The files of a stream as CSV; the same bytes as long as the files are the same."""
    rows = [(file.name, file.sha256 or None, file.bytes, file.posts, file.fault or None) for file in stream.files]
    return csv_text(("file", "sha256", "bytes", "posts", "fault"), rows) + "\n"


def _text(time: datetime) -> str:
    return clock.text(time)
