"""All figures of a report, before any page shows them. Pure: summaries, coverage and settings in, figures out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec

from sfm_stream.record.gaps import Coverage, Gap
from sfm_stream.record.history import Change, Version, changes
from sfm_stream.report.summary import DaySummary, FileSummary, Tally
from sfm_stream.report.summary_files import CaptureFile, Holdings
from sfm_stream.settings.collection import Description
from sfm_stream.settings.declared import DeclaredFilter
from sfm_stream.settings.model import StreamSettings
from sfm_stream.sources.base import Source

_COMMON = frozenset(field.name for kind in (StreamSettings, DeclaredFilter) for field in msgspec.structs.fields(kind))
"""Settings that say how a stream of any source runs, not what it asks for."""
_NOTHING: tuple[object, ...] = ([], {}, None, False, "")


class TopEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that posts have, and how many posts have it.

    Attributes:
        what: A language, a hashtag, an address, an account.
        posts: How many.
        name: How people call an account; "" where that is not known.
    """

    what: str
    posts: int
    name: str = ""


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """The most frequent entries.

    Attributes:
        entries: The most frequent first.
        floor: A number may be too low by so much; 0 where all are exact.
    """

    entries: tuple[TopEntry, ...] = ()
    floor: int = 0


class AskedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of what was asked for.

    Attributes:
        time: When it was asked for.
        in_force: When the source was first seen to hold it; None where that is not known or does not apply.
        sha256: Of the settings file.
        asked: What changed in what is asked for; in the first one, all of it.
        other: Keys of how the stream runs that changed.
    """

    time: datetime
    in_force: datetime | None
    sha256: str
    asked: tuple[Change, ...]
    other: tuple[str, ...]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a day, by the day in their names.

    Attributes:
        day: Which (UTC).
        files: How many.
        posts: In them.
        deletes: Lines in them that say that something must go.
        bytes: As they lie on the disk.
        text: Uncompressed.
        duplicates: Posts that had come before; None where that was not recorded of each file.
        dollars: What the posts cost; None where the price is not known.
        manifest: The sha256 of the day's SHA256SUMS; "" where the files are not sorted yet.
        missing: Files that it lists and that are not there.
        unreadable: Files that could not be read to their ends.
    """

    day: date
    files: int
    posts: int
    deletes: int
    bytes: int
    text: int
    duplicates: int | None
    dollars: float | None
    manifest: str
    missing: int
    unreadable: int


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One capture file, as listed: `sha256` is what its manifest or its journal says, not computed again."""

    name: str
    sha256: str
    bytes: int
    posts: int
    fault: str


class StreamFigures(msgspec.Struct, kw_only=True):
    """One program.

    Attributes:
        program: Its name.
        name: That of its filter.
        source: As people call its source.
        description: In the words of those who collect.
        days: By day.
        files: In the order of their names.
        hours: Posts by hours since 1970, by the time that the source gives.
        undated: Posts without such a time.
        notices: Lines in which the source speaks of the stream.
        others: Lines that are nothing that this version knows.
        partial: Posts of which parts could not be read, and are not counted below.
        coverage: What is known of its connection; None where it has no journal.
        steps: What was asked for.
        languages: "" stands for none stated.
        tags: None where they are switched off, as the following two.
        links: Addresses.
        accounts: Those who posted.
        writing: Segments that are being written, and not counted.
        faults: What could not be looked at.
    """

    program: str
    name: str
    source: str
    description: Description
    days: tuple[Day, ...]
    files: tuple[File, ...]
    hours: dict[int, int]
    undated: int
    notices: int
    others: int
    partial: int
    coverage: Coverage | None
    steps: tuple[AskedVersion, ...]
    languages: Top | None
    tags: Top | None
    links: Top | None
    accounts: Top | None
    writing: int
    faults: tuple[str, ...]

    @property
    def posts(self) -> int:
        """In all its files."""
        return sum(day.posts for day in self.days)

    @property
    def deletes(self) -> int:
        """In all its files."""
        return sum(day.deletes for day in self.days)

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(day.bytes for day in self.days)

    @property
    def text(self) -> int:
        """Of all its files, uncompressed."""
        return sum(day.text for day in self.days)

    @property
    def dollars(self) -> float | None:
        """Of all its files; None where the price of some is not known."""
        return _sum_known(day.dollars for day in self.days)

    @property
    def duplicates(self) -> int | None:
        """In all its files; None where that is not known of some."""
        known = _sum_known(day.duplicates for day in self.days)
        return None if known is None else int(known)

    @property
    def per_day(self) -> dict[date, int]:
        """Posts by day (UTC), by the time that the source gives."""
        found: Counter[date] = Counter()
        for hour, posts in self.hours.items():
            found[date(1970, 1, 1) + timedelta(days=hour // 24)] += posts
        return dict(sorted(found.items()))


class Report(msgspec.Struct, kw_only=True):
    """What was collected on a host.

    Attributes:
        made: When.
        version: Of this package.
        host: Whose files these are.
        start: The first day.
        end: The last day, included.
        description: Of the whole.
        streams: By program.
        faults: What could not be looked at, besides what each stream says.
        without: The lists that were switched off.
        top: The most entries of a list.
    """

    made: datetime
    version: str
    host: str
    start: date
    end: date
    description: Description
    streams: tuple[StreamFigures, ...]
    faults: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    top: int = 20

    @property
    def posts(self) -> int:
        """Of all streams."""
        return sum(each.posts for each in self.streams)

    @property
    def bytes(self) -> int:
        """Of all streams."""
        return sum(each.bytes for each in self.streams)

    @property
    def files(self) -> int:
        """Of all streams."""
        return sum(len(each.files) for each in self.streams)

    @property
    def dollars(self) -> float | None:
        """Of all streams; None where a price is not known."""
        return _sum_known(each.dollars for each in self.streams)

    @property
    def per_day(self) -> dict[date, int]:
        """Posts by day (UTC) of all streams."""
        found: Counter[date] = Counter()
        for each in self.streams:
            found.update(each.per_day)
        return dict(sorted(found.items()))

    @property
    def days(self) -> list[date]:
        """All days, in order."""
        return [self.start + timedelta(days=each) for each in range((self.end - self.start).days + 1)]

    @property
    def all_faults(self) -> list[str]:
        """What could not be looked at."""
        return [*self.faults, *(f"{each.program}: {fault}" for each in self.streams for fault in each.faults)]


def days(
    place: Holdings, summaries: Mapping[str, FileSummary], price: Callable[[date], float | None]
) -> tuple[tuple[Day, ...], tuple[File, ...]]:
    """The days and files of a program, from what lies there and what is in it.

    Args:
        place: What lies there.
        summaries: By file name.
        price: Dollars a post on a day; None where that is not known.
    """
    found, files = [], []
    missing = Counter(day for name in place.missing if (day := _day_in(name)))
    for day in sorted({*place.days, *missing}):
        there: Mapping[str, CaptureFile] = place.days.get(day, {})
        inner = [(each, summaries[name]) for name, each in sorted(there.items())]
        files += [
            File(name=each.name, sha256=each.sha256, bytes=each.size, posts=held.posts, fault=held.fault)
            for each, held in inner
        ]
        posts, a_post = sum(held.posts for _, held in inner), price(day)
        duplicates = _sum_known(each.duplicates for each, _ in inner)
        found.append(
            Day(
                day=day,
                files=len(inner),
                posts=posts,
                deletes=sum(held.deletes for _, held in inner),
                bytes=sum(each.size for each, _ in inner),
                text=sum(held.text for _, held in inner),
                duplicates=None if duplicates is None else int(duplicates),
                dollars=None if a_post is None else round(posts * a_post, 6),
                manifest=place.manifests.get(day, ""),
                missing=missing[day],
                unreadable=sum(bool(held.fault) for _, held in inner),
            )
        )
    return tuple(found), tuple(files)


_DAY = re.compile(r"-(\d{4})-(\d\d)-(\d\d)T")


def _day_in(name: str) -> date | None:
    found = _DAY.search(name)
    return date(int(found[1]), int(found[2]), int(found[3])) if found else None


def asks(source: Source) -> dict[str, object]:
    """The settings that say what streams of a source ask for, as entries of ``sfm_filters`` do, with their defaults."""
    declared = {field.name for field in msgspec.structs.fields(source.inventory().filter)} - _COMMON
    own = [field for field in msgspec.structs.fields(source.settings) if field.name in declared]
    defaults = {field.name: None if field.default is msgspec.NODEFAULT else field.default for field in own}
    asked: dict[str, object] = msgspec.json.decode(msgspec.json.encode(defaults))  # as the history has them
    return asked


def steps(versions: Sequence[Version], asks: Mapping[str, object]) -> Iterator[AskedVersion]:
    """What was asked for, version by version; what says only how the stream runs is named, not shown.

    Args:
        versions: The settings.
        asks: See the function of that name. What is at its default in the first version asks for nothing.
    """
    before: Mapping[str, object] = {}
    for version in versions:
        asked, other = [], []
        for change in changes(before, version.settings):
            key = re.split(r"[.\[]", change.key)[0]
            if key in asks:
                if before or (change.after not in _NOTHING and change.after != asks[key]):
                    asked.append(change)
            elif before:
                other.append(change.key)
        before = version.settings
        yield AskedVersion(
            time=version.time,
            in_force=version.in_force,
            sha256=version.sha256,
            asked=tuple(asked),
            other=tuple(other),
        )


def top(tally: Tally, number: int, names: Mapping[str, str] | None = None) -> Top:
    """The most frequent entries of a tally, accounts with their names."""
    entries = [TopEntry(what=what, posts=posts, name=(names or {}).get(what, "")) for what, posts in tally.top(number)]
    return Top(entries=tuple(entries), floor=tally.floor)


def hours(total: DaySummary) -> dict[int, int]:
    """Posts by hour, over all files."""
    found: Counter[int] = Counter()
    for file in total.files.values():
        found.update(file.hours)
    return dict(sorted(found.items()))


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps of one cause and kind: ``lost``, ``recovered`` or ``planned``, with the seconds within the report."""

    cause: str
    kind: str
    gaps: int
    seconds: float


def gap_kind(gap: Gap) -> str:
    """``lost``, ``recovered``, or ``planned``: asked for, and made good by nobody."""
    if gap.recovered:
        return "recovered"
    return "lost" if gap.lost else "planned"


def within(gap: Gap, coverage: Coverage) -> float:
    """Seconds of a gap that lie in the time of the report."""
    start = max(gap.start, coverage.start or gap.start)
    return max(0.0, (min(gap.end or coverage.end, coverage.end) - start).total_seconds())


def total_seconds(coverage: Coverage | None, kind: str) -> float | None:
    """How long the gaps of a kind last; None where nothing is known of them."""
    if coverage is None or coverage.fault or coverage.start is None:
        return None
    return sum(within(gap, coverage) for gap in coverage.gaps if gap_kind(gap) == kind)


def causes(coverage: Coverage) -> list[Cause]:
    """Its gaps by kind and cause, the longest first."""
    found: dict[tuple[str, str], list[float]] = {}
    for gap in coverage.gaps:
        found.setdefault((gap_kind(gap), gap.cause), []).append(within(gap, coverage))
    rows = [
        Cause(cause=cause, kind=which, gaps=len(lengths), seconds=sum(lengths))
        for (which, cause), lengths in found.items()
    ]
    order = ("lost", "recovered", "planned")
    return sorted(rows, key=lambda each: (order.index(each.kind), -each.seconds, each.cause))


def _sum_known(numbers: Iterable[float | None]) -> float | None:
    total: float = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total
