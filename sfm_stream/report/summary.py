"""What is in capture files, counted once: of each file a few numbers, of each day what occurs most.

Pure: lines in, counts out. Where the counts are kept is the matter of `sfm_stream.report.summary_store`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from sfm_stream.sources.lines import Features, LineKind

VERSION = 2
"""Of how lines are counted. Where it rises, every file is read again."""
KEPT = 1000
"""Entries that are kept of a day's tags, links and accounts each."""
LONGEST = 300
"""Characters of an address; what follows is cut."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Tally(msgspec.Struct):
    """How often each of many things occurs.

    Attributes:
        counts: The most frequent ones.
        floor: A count here may be too low by so much: those of others that were left out were not larger.
    """

    counts: dict[str, int] = {}
    floor: int = 0

    def add(self, other: Tally) -> None:
        """Counts what another has counted."""
        mine = self.counts
        for key, number in other.counts.items():
            mine[key] = mine.get(key, 0) + number
        self.floor += other.floor

    def top(self, number: int) -> list[tuple[str, int]]:
        """The most frequent first; of equal ones, the first by name."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:number]

    def cut(self, kept: int) -> Tally:
        """The same with at most so many entries."""
        if len(self.counts) <= kept:
            return self
        first = self.top(kept + 1)
        return Tally(dict(first[:kept]), self.floor + first[kept][1])


class FileSummary(msgspec.Struct, omit_defaults=True):
    """What one capture file holds.

    Attributes:
        sha256: Of its bytes, as the manifest or the journal has it; "" where neither does.
        size: Its bytes, compressed.
        modified: When it was last changed, in nanoseconds since 1970.
        hours: Posts by the hour in which the source says that they were sent, in hours since 1970.
        undated: Posts without such a time.
        deletes: Lines that say that something must go.
        notices: Lines in which the source speaks of the stream.
        others: Lines that are nothing that this version knows.
        partial: Posts of which parts were not as the source describes them, and are not counted.
        text: Bytes of its lines, uncompressed.
        fault: Why it could not be read to its end; "" where it could.
    """

    sha256: str = ""
    size: int = 0
    modified: int = 0
    hours: dict[int, int] = {}
    undated: int = 0
    deletes: int = 0
    notices: int = 0
    others: int = 0
    partial: int = 0
    text: int = 0
    fault: str = ""

    @property
    def posts(self) -> int:
        """Posts in it, those without a time included."""
        return sum(self.hours.values()) + self.undated

    def is_of(self, sha256: str, size: int, modified: int) -> bool:
        """Whether it describes a file of these properties: one that was only moved is the same."""
        if self.size != size:
            return False
        return self.sha256 == sha256 if sha256 and self.sha256 else self.modified == modified


class DaySummary(msgspec.Struct):
    """What the files of one program and day hold, a file's day being the one in its name.

    Attributes:
        version: See `VERSION`.
        files: By name.
        langs: Posts by language; "" for those without one.
        tags: Posts by hashtag.
        links: Posts by what they link to.
        accounts: Posts by account.
        names: How people call accounts, as last seen.
    """

    version: int = VERSION
    files: dict[str, FileSummary] = {}
    langs: Tally = msgspec.field(default_factory=Tally)
    tags: Tally = msgspec.field(default_factory=Tally)
    links: Tally = msgspec.field(default_factory=Tally)
    accounts: Tally = msgspec.field(default_factory=Tally)
    names: dict[str, str] = {}

    def add(self, other: DaySummary) -> None:
        """Counts the files of another day, or more files of the same one."""
        self.files.update(other.files)
        self.langs.add(other.langs)
        self.tags.add(other.tags)
        self.links.add(other.links)
        self.accounts.add(other.accounts)
        self.names.update(other.names)

    def cut(self, kept: int = KEPT) -> None:
        """Forgets all but the most frequent entries."""
        self.tags, self.links, self.accounts = (each.cut(kept) for each in (self.tags, self.links, self.accounts))
        self.names = {account: name for account, name in self.names.items() if account in self.accounts.counts}


def count(lines: Iterable[bytes], features: Callable[[bytes], Features], file: FileSummary) -> DaySummary:
    """Counts the lines of one file.

    Args:
        lines: Its lines; an `OSError` or `EOFError` ends them, and becomes the file's fault.
        features: Of the source that they came from.
        file: Which file it is; takes the numbers.

    Returns:
        What occurs in it; `files` is left empty.
    """
    hours: Counter[int] = Counter()
    langs: Counter[str] = Counter()
    tags: Counter[str] = Counter()
    links: Counter[str] = Counter()
    accounts: Counter[str] = Counter()
    names: dict[str, str] = {}
    kinds: Counter[LineKind] = Counter()
    hour = timedelta(hours=1)
    try:
        for line in lines:
            file.text += len(line) + 1
            if not line.strip():
                continue
            found = features(line)
            kinds[found.kind] += 1
            if found.kind is not LineKind.POST:
                continue
            if found.time is None:
                file.undated += 1
            else:
                hours[(found.time - _EPOCH) // hour] += 1
            file.partial += found.partial
            for language in found.langs or ("",):
                langs[language] += 1
            for tag in found.tags:
                tags[tag] += 1
            for link in found.links:
                links[link[:LONGEST]] += 1
            if found.account:
                accounts[found.account] += 1
                if found.name:
                    names[found.account] = found.name
    except (OSError, EOFError) as error:
        file.fault = str(error) or type(error).__name__
    file.hours = dict(hours)
    file.deletes, file.notices = kinds[LineKind.DELETE], kinds[LineKind.NOTICE]
    file.others = kinds[LineKind.OTHER]
    return DaySummary(
        langs=Tally(dict(langs)), tags=Tally(dict(tags)), links=Tally(dict(links)), accounts=Tally(dict(accounts)),
        names=names,
    )  # fmt: skip


def time_of(hour: int) -> datetime:
    """When an hour since 1970 begins (UTC)."""
    return _EPOCH + timedelta(hours=hour)
