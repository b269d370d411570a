"""Charts as SVG that stands in a page: no script, no picture files, colours from the page's style.

A chart is as wide as its place: what lies along it is given in percent, so that text keeps its size on a phone. Each
is described in words for those who do not see it, and a page puts the numbers in a table beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape
from typing import NamedTuple

from sfm_stream.record.gaps import Coverage
from sfm_stream.report.page_figures import gap_kind, within
from sfm_stream.table import duration, moment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOP, _BOTTOM = 10, 24
"""Pixels above the highest line, and below the lowest for the names of days."""


class Chart(NamedTuple):
    """A chart in two parts that stand beside each other.

    Attributes:
        axis: The numbers on the left, hidden from screen readers.
        plot: The rest.
    """

    axis: str
    plot: str


class TimeAxis(NamedTuple):
    """The time that a chart shows."""

    start: datetime
    end: datetime

    def percent(self, time: datetime) -> float:
        """Where a time lies in it, from 0 to 100."""
        whole = (self.end - self.start).total_seconds() or 1.0
        return min(100.0, max(0.0, 100 * (time - self.start).total_seconds() / whole))


def ticks(most: int, about: int = 4) -> list[int]:
    """Round numbers from 0 to `most` or a little more, about so many steps: 0, 200, 400, 600."""
    steps = (base * 10**power for power in itertools.count() for base in (1, 2, 5))
    step = next(each for each in steps if most <= each * about)
    return list(range(0, max(1, -(-most // step)) * step + 1, step))


def days(per_day: Mapping[date, int], start: date, end: date, name: str, height: int = 220) -> Chart:
    """Posts by day, as columns; of more than 120 days, by week."""
    step = 1 if (end - start).days < 120 else 7
    first = [start + timedelta(days=step * each) for each in range((end - start).days // step + 1)]
    sums = [sum(per_day.get(each + timedelta(days=more), 0) for more in range(step)) for each in first]
    lines = ticks(max(sums, default=0))
    scale = (height - _TOP - _BOTTOM) / lines[-1]
    width = 100 / len(first)
    columns = [
        f'<rect class="bar" x="{_n(width * (index + 0.1))}%" y="{_n(height - _BOTTOM - posts * scale)}"'
        f' width="{_n(width * 0.8)}%" height="{_n(posts * scale)}">'
        f"<title>{_of(each, step)}: {posts:,}</title></rect>"
        for index, (each, posts) in enumerate(zip(first, sums, strict=True))
        if posts
    ]
    marks = _named(len(first))
    names = "".join(
        _label(width * (index + 0.5), height - 7, f"{first[index].day} {first[index]:%b}", at_edge=len(first) > 4)
        for index in marks
    )
    plot = _svg(name, height, _grid(lines, scale, height) + "".join(columns) + names)
    return Chart(_axis(lines, scale, height), plot)


def _of(day: date, step: int) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}" if step == 1 else f"7 days from {day.day} {day:%b %Y}"


def _named(count: int, most: int = 5) -> list[int]:
    """Which of so many columns get their names: at most `most`, evenly apart."""
    step = max(1, -(-count // most))
    return list(range(0, count, step))


def hours(per_hour: Mapping[int, int], span: TimeAxis, name: str, height: int = 180) -> Chart:
    """Posts by hour, as an area in steps."""
    first = int((span.start - _EPOCH) // timedelta(hours=1))
    count = max(1, -int((span.start - span.end) // timedelta(hours=1)))
    values = [per_hour.get(first + index, 0) for index in range(count)]
    lines = ticks(max(values, default=0))
    inner = height - _TOP - _BOTTOM
    area = (
        f'<svg y="{_TOP}" width="100%" height="{inner}" viewBox="0 0 {count} {inner}" preserveAspectRatio="none">'
        f'<path class="area" d="{_steps(values, lines[-1], inner)}"/></svg>'
    )
    scale = inner / lines[-1]
    return Chart(
        _axis(lines, scale, height), _svg(name, height, _grid(lines, scale, height) + area + _dates(span, height - 7))
    )


def spark(values: Sequence[int], name: str, height: int = 28) -> str:
    """A small area without numbers, for a row of a table."""
    path = _steps(values, max(values, default=0) or 1, height)
    return (
        f'<svg class="spark" role="img" aria-label="{escape(name)}" width="100%" height="{height}" '
        f'viewBox="0 0 {max(1, len(values))} {height}" preserveAspectRatio="none">'
        f'<path class="area" d="{path}"/></svg>'
    )


def _steps(values: Sequence[int], most: int, height: int) -> str:
    """The outline of columns without space between, over a ground line; equal neighbours are one."""
    parts, before = [f"M0 {height}"], None
    for index, value in enumerate(values):
        if value != before:
            y = _n(height - height * value / most)
            parts.append(f"H{index}V{y}")
            before = value
    parts.append(f"H{len(values)}V{height}Z")
    return "".join(parts)


def strip(coverage: Coverage, span: TimeAxis, name: str, height: int = 26, *, dated: bool = True) -> str:
    """When a stream was connected, and its gaps by kind; what lies before its first connection is left empty."""
    inner = height - (_BOTTOM if dated else 0)
    parts = [f'<rect class="none" width="100%" height="{inner}"/>']
    if coverage.start is not None:
        begin, end = span.percent(coverage.start), span.percent(coverage.end)
        parts.append(f'<rect class="live" x="{_n(begin)}%" width="{_n(end - begin)}%" height="{inner}"/>')
        for kind in ("planned", "recovered", "lost"):  # what is worse lies above
            for gap in coverage.gaps:
                if gap_kind(gap) != kind:
                    continue
                left, right = span.percent(max(gap.start, coverage.start)), span.percent(gap.end or coverage.end)
                said = f"{kind}, {duration(within(gap, coverage))} from {moment(gap.start)}: {gap.cause}"
                parts.append(
                    f'<rect class="{kind}" x="{_n(left)}%" width="{_n(right - left)}%" height="{inner}">'
                    f"<title>{escape(said)}</title></rect>"
                )
    return _svg(name, height, "".join(parts) + (_dates(span, height - 7) if dated else ""), kind="strip")


def _dates(span: TimeAxis, y: int) -> str:
    """The names of some midnights below a chart of time."""
    days = [span.start + timedelta(days=each) for each in range((span.end - span.start).days + 1)]
    days = [each for each in days if each < span.end]
    marks = [days[index] for index in _named(len(days))]
    return "".join(_label(span.percent(day), y, f"{day.day} {day:%b}", line=True) for day in marks)


def _svg(name: str, height: int, inner: str, kind: str = "plot") -> str:
    return f'<svg class="{kind}" role="img" aria-label="{escape(name)}" width="100%" height="{height}">{inner}</svg>'


def _grid(lines: Sequence[int], scale: float, height: int) -> str:
    return "".join(
        f'<line class="{"ground" if not line else "grid"}" x2="100%" y1="{y}" y2="{y}"/>'
        for line in lines
        for y in [_n(round(height - _BOTTOM - line * scale) + 0.5)]
    )


def _axis(lines: Sequence[int], scale: float, height: int) -> str:
    """The numbers beside the lines."""
    texts = "".join(
        f'<text x="100%" y="{_n(height - _BOTTOM - line * scale + 4)}" text-anchor="end">{short(line)}</text>'
        for line in lines
    )
    return f'<svg class="axis" aria-hidden="true" width="100%" height="{height}">{texts}</svg>'


def short(number: int) -> str:
    """A round number in few signs: ``950``, ``1.5 k``, ``20 M``."""
    for unit, size in (("M", 1_000_000), ("k", 1000)):
        if number >= size:
            return f"{number / size:g} {unit}"
    return str(number)


def _label(percent: float, y: int, text: str, *, line: bool = False, at_edge: bool = True) -> str:
    anchor = "start" if line or (at_edge and percent < 4) else "end" if at_edge and percent > 96 else "middle"
    x = f"{_n(percent)}%"
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _n(number: float) -> str:
    """A number in few signs."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
