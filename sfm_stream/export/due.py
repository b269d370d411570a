"""Which files of a scheduled export are due. Pure: what there is already tells what was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sfm_stream.export.declared import DeclaredExport
from sfm_stream.export.files import Span
from sfm_stream.export.formats import FORMATS

_SCHEDULES = {"daily": "day", "weekly": "week", "monthly": "month"}
_MOMENT = timedelta(seconds=1)
_LABELS = {
    "day": ("%Y-%m-%d", r"\d{4}-\d\d-\d\d"),
    "week": ("%G-W%V", r"\d{4}-W\d\d"),
    "month": ("%Y-%m", r"\d{4}-\d\d"),
}
"""How a file's name tells its span, and what such a label looks like; labels are ordered as their times are."""


class DueFile(NamedTuple):
    """A file that is to be made: its name, and what is in it."""

    name: str
    span: Span


def due(export: DeclaredExport, now: datetime, there: Mapping[str, datetime]) -> list[DueFile]:
    """The files that are to be made, the oldest first.

    A file is due from the beginning of the schedule's first day, week or month after its span. After a time in which
    none were made, all spans since the newest file are due; where there is no file yet, the last one alone.

    Args:
        export: What is asked.
        now: The time.
        there: The files of its directory, and when each was made.
    """
    suffix = FORMATS[export.format].suffix
    until = beginning(_SCHEDULES[export.schedule] if export.schedule else _own(export), now)
    if export.span == "all":
        name = f"{export.name}{suffix}"
        made = there.get(name)
        return [DueFile(name, Span(None, until))] if made is None or made < until else []
    text, label = _LABELS[export.span]
    ours = re.compile(rf"{re.escape(export.name)}-({label}){re.escape(suffix)}")
    newest = max((found[1] for name in there if (found := ours.fullmatch(name))), default=None)
    files: list[DueFile] = []
    end = beginning(export.span, until)
    while newest is None or (end - _MOMENT).strftime(text) > newest:
        start = beginning(export.span, end - _MOMENT)
        files.append(DueFile(f"{export.name}-{start.strftime(text)}{suffix}", Span(start, end)))
        if newest is None:
            break
        end = start
    return files[::-1]


def beginning(period: str, time: datetime) -> datetime:
    """The beginning of the day, week or month (UTC) that a time is in."""
    day = time.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def _own(export: DeclaredExport) -> str:
    return "week" if export.span == "all" else export.span
