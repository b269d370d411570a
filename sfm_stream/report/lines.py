"""The view as a person reads it on a terminal: a row a stream, and the host below. The controller shows it as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sfm_stream import table
from sfm_stream.report.view import DiskView, HostView, JobView, Overview, StreamView

COLUMNS = (
    *("PROGRAM", "SUPERVISOR", "STATE", "FOR", "LAST BYTE", "LAST POST", "/MIN", "USUAL", "TODAY", "VOLUME"),
    *("GAPS", "24 H", "RULES", "MONTH", "COST", "NOTE"),
)
RIGHT = ("FOR", "LAST BYTE", "LAST POST", "/MIN", "USUAL", "TODAY", "VOLUME", "GAPS", "24 H", "MONTH", "COST")


def text(view: Overview, config_dir: object) -> str:
    """All of it."""
    streams = [row(each, view) for each in view.streams]
    shown = table.render(COLUMNS, streams, right=RIGHT) if streams else f"No streams in {config_dir}."
    return "\n".join([shown, "", table.pairs(dict(host(view.host, view.time)))])


def row(stream: StreamView, view: Overview) -> tuple[object, ...]:
    """The cells of one stream; the times in it say how long ago something was."""
    now = view.time
    seen = view.host.supervisor == "answers"
    limit = f" of {stream.per_month}" if stream.per_month else ""
    known = stream.since is not None
    return (
        stream.program,
        stream.supervisor or ("-" if seen or view.host.supervisor == "not asked" else view.host.supervisor),
        stream.state,
        _ago(stream.since, now),
        _ago(stream.last_byte, now),
        _ago(stream.last_post, now),
        _rate(stream.per_minute),
        _rate(stream.usual),
        stream.posts_today if known else None,
        table.size(stream.bytes_today) if known else None,
        _gaps(stream),
        f"{stream.covered:.2%}" if stream.covered is not None else None,
        (f"{stream.rules_missing} missing" if stream.rules_missing else stream.rules) or None,
        f"{stream.this_month}{limit}" if known else None,
        f"${stream.dollars:,.2f}" if known else None,
        stream.note,
    )


def host(found: HostView, now: datetime) -> Iterator[tuple[str, str]]:
    """What is to be said of the host, line by line."""
    yield "supervisord", found.supervisor
    yield from found.others.items()
    for disk in found.disks:
        yield f"disk of the {disk.use}", _disk(disk)
    for job in found.jobs:
        yield job.name, _job(job, now)
    yield "alerts", found.alerts or "not sent"
    yield "release", found.version
    if found.planned:
        yield "planned work", f"until {table.moment(found.planned)} UTC: no alerts"
    if found.troubles:
        yield "troubles", "; ".join(each.text for each in found.troubles)


def digest(view: Overview) -> str:
    """All of it for a letter: lines, since a wide table is unreadable there."""
    lines = [
        f"{each.program}: {each.state}; {each.posts_today} posts today, {table.size(each.bytes_today)}"
        f"{f', {each.covered:.2%} of 24 h covered' if each.covered is not None else ''}"
        f"{f'; {each.note}' if each.note else ''}"
        for each in view.streams
    ]
    return "\n".join(
        map(table.printable, [*lines, "", *(f"{name}: {said}" for name, said in host(view.host, view.time))])
    )


def reasons(view: Overview, streams: Sequence[StreamView]) -> list[str]:
    """Why all is not well, a line each; nothing where it is."""
    failing = [each.program for each in streams if not each.well]
    lines = [f"not well: {', '.join(failing)}"] if failing else []
    return lines + [f"this host: {each.text}" for each in view.host.troubles]


def _disk(disk: DiskView) -> str:
    if disk.free is None:
        return f"{disk.path}: cannot be looked at"
    left = "" if disk.days is None else f"; full in {disk.days:,.0f} days at {table.size(disk.per_day or 0)} a day"
    floor = f", of which {table.size(disk.floor)} must stay" if disk.floor else ""
    return f"{table.size(disk.free)} of {table.size(disk.size)} free{floor}{left} ({disk.path})"


def _job(job: JobView, now: datetime) -> str:
    when = f", last run {_ago(job.time, now)} ago" if job.time else ""
    code = f" (exit code {job.exit_code})" if job.exit_code else ""
    return f"{job.verdict}{code}{when}"


def _ago(time: datetime | None, now: datetime) -> str | None:
    if time is None:
        return None
    seconds = max(0.0, (now - time).total_seconds())
    return table.duration(round(seconds)) if seconds >= 1 else "0 s"


def _rate(rate: float | None) -> str | None:
    return None if rate is None else f"{rate:.1f}" if rate < 9.95 else f"{rate:,.0f}"


def _gaps(stream: StreamView) -> str | None:
    if stream.gaps_today is None:
        return None
    return f"{stream.gaps_today}, {table.duration(stream.gap_seconds_today)}" if stream.gaps_today else "0"
