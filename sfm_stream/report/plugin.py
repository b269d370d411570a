"""The view as monitoring plugins put it: an exit code, one line, and performance data behind a bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sfm_stream.archive.job import count
from sfm_stream.report.view import HostView, Severity, StreamView, Trouble, TroubleKind, worst
from sfm_stream.table import printable

CODES = {Severity.OK: 0, Severity.WARNING: 1, Severity.CRITICAL: 2, Severity.UNKNOWN: 3}
OF_EVERY_STREAM = (TroubleKind.SUPERVISOR,)
"""Troubles of the host without which nothing can be said of a single stream either."""


def line(host: HostView, streams: Sequence[StreamView], *, whole: bool) -> tuple[int, str]:
    """The exit code, and the line.

    Args:
        host: The host.
        streams: The streams that are checked.
        whole: Whether the host is checked, too: where no stream was named.
    """
    mine = [each for each in host.troubles if whole or each.kind in OF_EVERY_STREAM]
    found = [("", each) for each in mine]
    found += [(stream.program, each) for stream in streams for each in stream.troubles]
    severity = worst(trouble for _, trouble in found)
    said = "; ".join(_said(*each) for each in sorted(found, key=lambda each: -each[1].severity.rank))
    well = sum(each.well for each in streams)
    all_of_them = count(len(streams), "stream")
    how_many = f"{all_of_them}, all well" if not found else f"{well} of {all_of_them} well"
    text = f"SFM {severity.upper()}: {how_many}{f': {said}' if said else ''}"
    data = " ".join(_performance(host, streams, whole=whole))
    return CODES[severity], printable(f"{text.replace('|', '/')} | {data}")


def _said(program: str, trouble: Trouble) -> str:
    return f"{program or 'host'}: {' '.join(trouble.text.split())}"


def _performance(host: HostView, streams: Sequence[StreamView], *, whole: bool) -> Iterator[str]:
    yield f"streams={len(streams)};;;0"
    yield f"well={sum(each.well for each in streams)};;;0;{len(streams)}"
    for each in streams:
        name = each.program
        if each.per_minute is not None:
            yield f"'{name} posts_per_minute'={each.per_minute:g};;;0"
        yield f"'{name} posts_today'={each.posts_today};;;0"
        yield f"'{name} gap_today'={each.gap_seconds_today:g}s;;;0"
        if each.covered is not None:
            yield f"'{name} covered'={100 * each.covered:.3f}%;;;0;100"
        if each.this_month:
            yield f"'{name} posts_this_month'={each.this_month};;;0;{each.per_month or ''}"
    for disk in host.disks if whole else ():
        if disk.free is not None:
            yield f"'disk {disk.use}'={disk.free}B;;{disk.floor}:;0;{disk.size}"
