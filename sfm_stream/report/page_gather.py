"""Gathers what a report needs from a host: its files, journals and histories. Whatever cannot be read is a finding."""

from __future__ import annotations

import os
import socket
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import msgspec

from sfm_stream import __version__, clock, names, reading
from sfm_stream.archive import tree
from sfm_stream.record import history, journal, last_run, status
from sfm_stream.record.gaps import Coverage, coverage, unreadable_journal
from sfm_stream.record.history import Version
from sfm_stream.report import page_figures as figures
from sfm_stream.report.summary import DaySummary
from sfm_stream.report.summary_files import Holdings, find, summarize
from sfm_stream.report.summary_store import Store
from sfm_stream.settings.collection import Collection, Description
from sfm_stream.sources import registry
from sfm_stream.sources.base import Source

LISTS = ("languages", "tags", "links", "accounts")


class ReportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is to be about.

    Attributes:
        programs: In this order.
        state_dir: Where journals, histories and summaries lie.
        data_dir: Where programs put their files.
        archive_dir: Where the date tree is; may be the same.
        start: The first day; None for that of the first file.
        end: The last day, included; None for today.
        without: Those of `LISTS` that are switched off.
        top: The most entries of a list.
        collection: What is said of it.
    """

    programs: tuple[str, ...]
    state_dir: Path
    data_dir: Path
    archive_dir: Path
    start: date | None
    end: date | None
    without: tuple[str, ...]
    top: int
    collection: Collection


def programs_of(state_dir: Path, *directories: Path) -> list[str]:
    """All programs that left a journal here, or files.

    Raises:
        NotAllowedError: This user may not see them.
        OSError: A directory cannot be read.
    """
    found = {path.stem for path in reading.matching(state_dir / "journal", "*.jsonl")}
    for directory in directories:
        entries = tree.scan(str(directory))
        found |= {name for name in tree.programs(entries) if any(tree.days_of(str(directory), name, lambda *_: None))}
        loose = (names.parse(name) for name, kind in entries.items() if kind == "file")
        found |= {capture.program for capture in loose if capture}
    return sorted(found)


Places = dict[str, Holdings]
"""What lies on the host, by program."""


def look(wanted: ReportRequest) -> Places:
    """Finds the finished files of all programs.

    Raises:
        OSError: A directory cannot be read.
    """
    data, archive, end = str(wanted.data_dir), str(wanted.archive_dir), wanted.end or clock.now().date()
    return {each: find(each, data, archive, wanted.state_dir, wanted.start, end) for each in wanted.programs}


def files_in(places: Places) -> int:
    """How many files were found."""
    return sum(len(files) for place in places.values() for files in place.days.values())


def gather(
    wanted: ReportRequest, places: Places, store: Store, advance: Callable[[int], None] = lambda _: None
) -> figures.Report:
    """The figures of a report; `advance` gets each file that is done."""
    now = clock.now()
    end = wanted.end or now.date()
    first = min((min(place.days) for place in places.values() if place.days), default=end)
    start = wanted.start or first
    streams = [_stream(program, place, wanted, (start, end), now, store, advance) for program, place in places.items()]
    return figures.Report(
        made=now,
        version=__version__,
        host=socket.gethostname(),
        start=start,
        end=end,
        description=Description(**{key: getattr(wanted.collection, key) for key in Description.__struct_fields__}),
        streams=tuple(streams),
        without=wanted.without,
        top=wanted.top,
    )


def _stream(
    program: str,
    place: Holdings,
    wanted: ReportRequest,
    span: tuple[date, date],
    now: datetime,
    store: Store,
    advance: Callable[[int], None],
) -> figures.StreamFigures:
    source_name, name = registry.source_of(program), registry.filter_of(program)
    source = registry.source(source_name)
    faults = list(place.faults)
    since, until = _midnight(span[0]), min(now, _midnight(span[1] + timedelta(days=1)))
    known = _versions(wanted.state_dir, program, faults)
    total = DaySummary()
    for day, files in sorted(place.days.items()):
        total.add(summarize(program, day, files, source, store, advance))
        if len(total.accounts.counts) > _MOST:
            total.cut(_MOST // 2)
    days, listed = figures.days(place, total.files, Prices(known, source))
    faults += [f"{each.name}: cannot be read to its end: {each.fault}" for each in listed if each.fault]
    faults += [f"{each}: is listed, and is not there" for each in place.missing]
    return figures.StreamFigures(
        program=program,
        name=name,
        source=source.title,
        description=wanted.collection.filters.get(program, Description()),
        days=days,
        files=listed,
        hours=figures.hours(total),
        undated=sum(each.undated for each in total.files.values()),
        notices=sum(each.notices for each in total.files.values()),
        others=sum(each.others for each in total.files.values()),
        partial=sum(each.partial for each in total.files.values()),
        coverage=_coverage(program, wanted.state_dir, since, until, faults),
        steps=tuple(_within(figures.asks(source), known, since, until)),
        writing=place.writing,
        **_tops(total, wanted.without, wanted.top),
        faults=tuple(faults),
    )


_MOST = 200_000
"""Accounts that are held of a program at a time, which bounds the memory of a report over years."""


def _tops(total: DaySummary, without: Sequence[str], number: int) -> dict[str, figures.Top | None]:
    tallies = {"languages": total.langs, "tags": total.tags, "links": total.links, "accounts": total.accounts}
    return {
        name: None if name in without else figures.top(tally, number, total.names if name == "accounts" else None)
        for name, tally in tallies.items()
    }


def _coverage(program: str, state_dir: Path, since: datetime, until: datetime, faults: list[str]) -> Coverage | None:
    path = journal.journal_path(state_dir, program)
    if not os.path.lexists(path):
        return None  # of SFM's files, for instance
    try:
        outage = last_run.read(state_dir, program, killed=not status.is_alive(state_dir, program)).outage
        found = coverage(program, journal.read(path), outage, until, since)
    except reading.UnreadableError as error:
        faults.append(str(error))
        return unreadable_journal(program, until, str(error))
    if found.unreadable:
        faults.append(f"{found.unreadable} unreadable entries of the journal: what they told is not in this")
    return found


def _versions(state_dir: Path, program: str, faults: list[str]) -> Sequence[Version]:
    try:
        known = history.versions(state_dir, program)
    except reading.UnreadableError as error:
        faults.append(str(error))
        return ()
    if known.skipped:
        faults.append(f"{known.skipped} unreadable versions of its settings")
    return known


def _within(
    asks: Mapping[str, object], known: Sequence[Version], since: datetime, until: datetime
) -> list[figures.AskedVersion]:
    """The steps of a time; of the first, which was asked for before, all that it asks for."""
    times = {version.time for version in history.during(known, since, until)}
    first = next((index for index, version in enumerate(known) if version.time in times), None)
    if first is None:
        return []
    whole, *later = figures.steps(known[first:], asks)
    return [whole, *(step for step in later if step.time in times)]


class Prices:
    """What a post costs on a day, by the settings that were asked for last before the end of that day."""

    def __init__(self, known: Sequence[Version], source: Source) -> None:
        self._times = [version.time for version in known]
        self._prices = [_price(version, source) for version in known]

    def __call__(self, day: date) -> float | None:
        """Dollars; None where no settings tell."""
        index = bisect_right(self._times, _midnight(day + timedelta(days=1))) - 1
        return self._prices[index] if index >= 0 else None


def _price(version: Version, source: Source) -> float | None:
    try:
        stream = msgspec.convert(version.settings, source.settings, strict=False)
    except msgspec.ValidationError:
        return None
    price: float = stream.budget.price
    return price


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
