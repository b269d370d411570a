"""Compares the date tree with its manifests: is every file there, and does it hold what was captured?

The directory is listed before its manifest is read. An entry is always written before
its file is moved there, so a file that organizedata brings in meanwhile is never taken
for an unexpected one; and a listed file that is not there yet, but still lies loose in
the data directory, only waits to be moved.
"""

# Plain strings, not Path objects: a tree has millions of paths, and those would cost more than the work on them.
# ruff: noqa: PTH112, PTH116, PTH123

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import msgspec

from sfm_stream import names
from sfm_stream.archive import manifest, recorded
from sfm_stream.archive.filesystem import UNFINISHED, hash_file
from sfm_stream.archive.organize import KEPT_FINDINGS
from sfm_stream.archive.tree import TWO_DIGITS, YEAR, days, directories
from sfm_stream.table import printable

PASSING = 3600.0
"""Seconds for which an unfinished copy counts as one in the making."""

FaultKind = Literal["missing", "changed", "unreadable", "unexpected", "manifest"]


class Fault(msgspec.Struct, frozen=True):
    """One thing that is not as it should be.

    Attributes:
        kind: ``missing``: listed, but not there; ``changed``: other content than listed; ``unreadable``;
            ``unexpected``: there, but not listed; ``manifest``: the manifest itself is at fault.
        file: The file.
        detail: What was found, what should be.
    """

    kind: FaultKind
    file: str
    detail: str


class Findings(msgspec.Struct):
    """What an audit found.

    Attributes:
        days: Days looked at.
        files: Files that the manifests list.
        verified: Files whose content was read and is as listed.
        bytes: Bytes read.
        waiting: Listed files that organizedata has yet to move in.
        missing: Faults of each kind, as in `Fault`.
        changed: The same.
        unreadable: The same.
        unexpected: The same.
        manifest: The same.
        findings: The first of the faults.
    """

    days: int = 0
    files: int = 0
    verified: int = 0
    bytes: int = 0
    waiting: int = 0
    missing: int = 0
    changed: int = 0
    unreadable: int = 0
    unexpected: int = 0
    manifest: int = 0
    findings: list[Fault] = []

    @property
    def faults(self) -> int:
        """How many things are not as they should be."""
        return self.missing + self.changed + self.unreadable + self.unexpected + self.manifest


class Audit:
    """One audit of a date tree.

    Args:
        data_dir: Where loose capture files lie.
        archive_dir: Where the date tree is, if not in the data directory.
        state_dir: Where the programs' journals are.
        since: Days before this one are left out.
        sample: Percent of the files whose content is read, chosen at random; that they are there is always checked.

    Attributes:
        advance: Gets the number of listed files dealt with, now and then.
        found: What has been found so far.
    """

    def __init__(
        self,
        data_dir: Path,
        archive_dir: Path | None,
        state_dir: Path,
        *,
        since: date | None = None,
        sample: float = 100.0,
    ) -> None:
        self._data = str(data_dir)
        # What was sorted before there was an archive directory still lies in the data directory.
        self._trees = list(dict.fromkeys((str(archive_dir or data_dir), self._data)))
        self._tree = self._trees[0]
        self._state = state_dir
        self._since = f"{since:%Y/%m/%d}" if since else ""
        self._sample = sample / 100
        self._loose: dict[tuple[str, datetime, str], list[str]] | None = None
        self._program = ""
        self._records = recorded.ByDay(state_dir, "")
        self._chance = random.Random()  # noqa: S311 - picks samples, no secrets
        self.advance: Callable[[int], None] = lambda _count: None
        self.found = Findings(findings=[])

    def count(self) -> int:
        """How many files the manifests list, for a progress bar."""
        total = 0
        for tree in self._trees:
            for day in self._days(tree):
                try:
                    with open(f"{tree}/{day}/{manifest.NAME}", "rb") as file:
                        total += file.read().count(b"\n")
                except OSError:
                    continue
        return total

    def run(self) -> Findings:
        """Looks at it all."""
        for tree in self._trees:
            self._tree, self._program = tree, ""
            if not self._since:
                self._check_upper_levels()
            for day in self._days(tree):
                self._check_day(day)
        return self.found

    def _days(self, tree: str) -> Iterator[str]:
        for day in days(tree):
            if day.partition("/")[2] >= self._since:
                yield day

    def _check_upper_levels(self) -> None:
        """Nothing but the tree's own directories may lie above the days."""
        for program in directories(self._tree):
            if not directories(f"{self._tree}/{program}", YEAR):
                continue  # not of the tree; organizedata names it
            self._check_level(f"{self._tree}/{program}", set(directories(f"{self._tree}/{program}", YEAR)))
            for year in directories(f"{self._tree}/{program}", YEAR):
                path = f"{self._tree}/{program}/{year}"
                self._check_level(path, set(directories(path, TWO_DIGITS)))
                for month in directories(path, TWO_DIGITS):
                    self._check_level(f"{path}/{month}", set(directories(f"{path}/{month}", TWO_DIGITS)))

    def _check_level(self, path: str, own: set[str]) -> None:
        for name in self._names(path):
            if name not in own:
                self._find("unexpected", f"{path}/{name}", "nothing but directories of the date tree belongs here")

    def _names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(path))  # noqa: PTH208
        except OSError as error:
            self._find("unreadable", path, f"cannot be listed: {error.strerror}")
            return []

    def _check_day(self, day: str) -> None:
        directory = f"{self._tree}/{day}"
        present, others = self._list_day(directory)
        path = f"{directory}/{manifest.NAME}"
        try:
            listing = manifest.read(path)
        except OSError as error:
            self._find("unreadable", path, f"cannot be read: {error.strerror}")
            return
        self.found.days += 1
        if listing is None:
            if present:
                detail = f"{len(present)} files lie here, but there is no {manifest.NAME}; organizedata makes one"
                self._find("manifest", directory, detail)
            listing = manifest.Manifest(entries=dict.fromkeys(present, ""))
            present = set()
        for line in listing.faults:
            self._find("manifest", path, f"the line {printable(line)!r} is no entry, or contradicts another")
        if listing.torn:
            self._find("manifest", path, "the last line is cut short; the next organizedata of this day puts it right")
        for file in others:
            if not _passing(f"{directory}/{file}"):
                self._find("unexpected", f"{directory}/{file}", "not a capture file in its place")
        for file in sorted(present - listing.entries.keys()):
            self._find("unexpected", f"{directory}/{file}", "not in the manifest: it did not come by organizedata")
        self._check_files(day, {file: sha256 for file, sha256 in listing.entries.items() if sha256})

    def _list_day(self, directory: str) -> tuple[set[str], list[str]]:
        """The files of a day's hours, and what else lies there that is not the manifest."""
        present: set[str] = set()
        others = []
        for name in self._names(directory):
            hour = f"{directory}/{name}"
            if not TWO_DIGITS.fullmatch(name) or not os.path.isdir(hour):
                if name != manifest.NAME:
                    others.append(name)
                continue
            for inner in self._names(hour):
                if inner.startswith(".") or os.path.isdir(f"{hour}/{inner}"):
                    others.append(f"{name}/{inner}")
                else:
                    present.add(f"{name}/{inner}")
        return present, others

    def _check_files(self, day: str, entries: dict[str, str]) -> None:
        directory = f"{self._tree}/{day}"
        known = self._recorded_of(day)
        for file, sha256 in sorted(entries.items()):
            self.found.files += 1
            path = f"{directory}/{file}"
            said = known.get(file[3:], sha256)
            if said != sha256:
                self._find("manifest", path, f"listed as {sha256[:12]}…, but its program recorded {said[:12]}…")
            if self._chance.random() < self._sample:
                self._check_content(path, sha256)
            elif not os.path.lexists(path):
                self._miss(path, sha256)
            self.advance(1)
        if entries:
            self._check_recorded(day, set(known) - {file[3:] for file in entries})

    def _check_recorded(self, day: str, unlisted: set[str]) -> None:
        """What its program recorded, and a day's manifest lacks, must lie loose yet, or be listed in the other tree."""
        unlisted = {name for name in unlisted if not os.path.lexists(f"{self._data}/{name}")}
        for tree in self._trees if unlisted else []:
            with suppress(OSError):
                listing = manifest.read(f"{tree}/{day}/{manifest.NAME}")
                unlisted -= {file[3:] for file in listing.entries} if listing else set()
        for name in sorted(unlisted):
            detail = "recorded by its program, but neither listed nor waiting in the data directory"
            self._find("missing", f"{self._tree}/{day}/*/{name}", detail)

    def _recorded_of(self, day: str) -> dict[str, str]:
        """The sha256 that the program recorded of the day's files: a second witness beside the manifest."""
        program, _, when = day.partition("/")
        if program != self._program:
            self._program, self._records = program, recorded.ByDay(self._state, program)
        try:
            year, month, number = map(int, when.split("/"))
            return self._records.of(date(year, month, number))
        except (ValueError, OverflowError):
            return {}  # no day of the calendar

    def _check_content(self, path: str, sha256: str) -> None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            self._miss(path, sha256)
            return
        except OSError as error:
            self._find("unreadable", path, f"cannot be opened: {error.strerror}")
            return
        try:
            size = os.fstat(fd).st_size
            found = hash_file(fd)
            # An archive's worth of old files must not push the files in use out of memory.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            self._find("unreadable", path, f"cannot be read: {error.strerror}")
            return
        finally:
            os.close(fd)
        self.found.bytes += size
        if found == sha256:
            self.found.verified += 1
        else:
            self._find("changed", path, f"its sha256 is {found[:12]}…, and should be {sha256[:12]}… ({size} bytes)")

    def _miss(self, path: str, sha256: str) -> None:
        if self._still_loose(path.rpartition("/")[2], sha256):
            self.found.waiting += 1
        else:
            self._find("missing", path, "listed in the manifest, but not there")

    def _still_loose(self, name: str, sha256: str) -> bool:
        """Whether a listed file lies in the data directory yet; one that is to get a new name, under its old one."""
        if os.path.lexists(f"{self._data}/{name}"):
            return True
        capture = names.parse(name)
        if capture is None or capture.number == 1:
            return False
        if self._loose is None:
            self._loose = {}
            for each in self._names(self._data):
                if found := names.parse(each):
                    self._loose.setdefault((found.program, found.time, found.suffix), []).append(each)
        for each in self._loose.get((capture.program, capture.time, capture.suffix), []):
            with suppress(OSError), open(f"{self._data}/{each}", "rb") as file:
                if hash_file(file.fileno()) == sha256:
                    return True
        return False

    def _find(self, kind: FaultKind, file: str, detail: str) -> None:
        setattr(self.found, kind, getattr(self.found, kind) + 1)
        if len(self.found.findings) < KEPT_FINDINGS:
            self.found.findings.append(Fault(kind, printable(file), detail))


def _passing(path: str) -> bool:
    """Whether it is a copy that organizedata makes right now, or one that vanished meanwhile."""
    try:
        return path.endswith(UNFINISHED) and time.time() - os.stat(path).st_mtime < PASSING
    except FileNotFoundError:
        return True
