"""Compares what an archive's own records say of it: is every file there, and is it what was captured?

The tree says what is there, the manifests what should be, the programs' journals what was captured; and earlier audits
have counted what there was. What only one of them knows of is a finding, and so is whatever could not be looked at.

A directory is listed before its manifest is read. An entry is always written before
its file is moved there, so a file that organizedata brings in meanwhile is never taken
for an unexpected one; and a listed file that is not there yet, but still lies loose in
the data directory, only waits to be moved.
"""

# Plain strings, not Path objects: a tree has millions of paths, and those would cost more than the work on them.
# ruff: noqa: PTH208

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec

from sfm_stream import names, reading
from sfm_stream.archive import baseline, manifest, marker, recorded
from sfm_stream.archive.audit_files import NO_FILE, ListedFiles
from sfm_stream.archive.audit_outcome import AuditOutcome, FaultKind
from sfm_stream.archive.audit_walk import Walk
from sfm_stream.archive.tree import IRREGULAR, days, days_of, programs, scan
from sfm_stream.record.history import history_path
from sfm_stream.record.journal import journal_path
from sfm_stream.record.status import status_path
from sfm_stream.table import printable

Key = tuple[int, ...]
"""A day as numbers: year, month, day."""


class AuditedDay(msgspec.Struct, frozen=True):
    """A day of a program, wherever something is known of it.

    Attributes:
        program: The program.
        date: ``2026/11/24``, as its directory is named.
        trees: The trees that have a directory of it.
        recorded: What the program recorded of its files, by name.
    """

    program: str
    date: str
    trees: list[str]
    recorded: recorded.Files

    @property
    def path(self) -> str:
        """Its directory, from the root of a tree."""
        return f"{self.program}/{self.date}"


class Audit:
    """One audit of a date tree.

    Args:
        data_dir: Where loose capture files lie.
        archive_dir: Where the date tree is, if not in the data directory.
        state_dir: Where the programs' journals are, and what earlier audits counted; None where there is none.
        since: Days before this one are left out.
        sample: Percent of the files whose content is read, chosen at random; that they are there is always checked.
        accept: Places, ``<program>[/<YYYY>[/<MM>[/<DD>]]]``, below which what is gone or changed is taken as meant.

    Attributes:
        advance: Gets the number of listed files dealt with, now and then.
        found: What has been found so far.
    """

    def __init__(
        self,
        data_dir: Path,
        archive_dir: Path | None,
        state_dir: Path | None,
        *,
        since: date | None = None,
        sample: float = 100.0,
        accept: Iterable[str] = (),
    ) -> None:
        self._data = str(data_dir)
        # What was sorted before there was an archive directory still lies in the data directory.
        self._trees = list(dict.fromkeys((str(archive_dir or data_dir), self._data)))
        self._state = state_dir
        self._since = f"{since:%Y/%m/%d}" if since else ""
        self._first: Key = _key(self._since) if since else ()
        self._sample = sample / 100
        self._chance = random.Random()  # noqa: S311 - picks samples, no secrets
        self._accept = tuple(accept)
        self._baseline = baseline.Baseline()
        self.advance: Callable[[int], None] = lambda _count: None
        self.found = AuditOutcome(findings=[])
        self._walk = Walk(self._since, self.found)
        self._files = ListedFiles(self._data, self.found)

    def count(self) -> int:
        """How many files the manifests list, for a progress bar."""
        total = 0
        for tree in self._trees:
            with suppress(OSError):
                for day in days(tree, lambda *_trouble: None):
                    if day.partition("/")[2] >= self._since:
                        total += (manifest.read_bytes(f"{tree}/{day}/{manifest.NAME}") or b"").count(b"\n")
        return total

    def run(self) -> AuditOutcome:
        """Checks everything."""
        self._read_baseline()
        self._look_at_marker()
        roots = {tree: self._look_at_root(tree) for tree in self._trees}
        everyone = {*self._baseline.programs, *self._journals(), *(name for root in roots.values() for name in root)}
        for program in sorted(everyone):
            self._check_program(program, [tree for tree in self._trees if program in roots[tree]])
        if not self.found.days and not self.found.waiting:
            since = f" since {self._since.replace('/', '-')}" if self._since else ""
            self._find(
                "empty", self._trees[0], f"nothing to audit: no day{since} is here; --dir and --archive-dir name it"
            )
        return self.found

    def keep(self) -> None:
        """Keeps what was counted for the next audit.

        Raises:
            OSError: It cannot be written.
        """
        if self._state:
            baseline.write(self._state, Path(self._data), self._baseline)

    def _read_baseline(self) -> None:
        try:
            if self._state:
                self._baseline = baseline.read(self._state, Path(self._data))
        except reading.UnreadableError as error:
            self._find(
                "unreadable", str(self._state), f"what earlier audits counted is lost; counting starts over: {error}"
            )
        for place in self._accept:
            self._baseline.accept(place)

    def _look_at_marker(self) -> None:
        if len(self._trees) == 1 or not self._state:
            return
        try:
            place = marker.look(Path(self._trees[0]), self._state)
        except OSError as error:
            self._find("unreadable", f"{self._trees[0]}/{marker.NAME}", f"cannot be read: {error.strerror}")
        except reading.UnreadableError as error:
            self._find("unreadable", str(self._state), str(error))
        else:
            if place.fault:
                self._find("missing", self._trees[0], place.fault)

    def _look_at_root(self, tree: str) -> list[str]:
        """The programs that have a directory at the root of a tree; what else lies there is found."""
        try:
            root = scan(tree)
        except OSError as error:
            self._walk.unseen.add("")
            self._find("unreadable", tree, f"cannot be listed: {error.strerror}")
            return []
        for name, kind in sorted(root.items()):
            if name.startswith("."):
                continue
            if kind in ("link", "special"):
                self._walk.unseen.add(name)
                self._find("irregular", f"{tree}/{name}", IRREGULAR[kind])
            elif kind == "file" and tree != self._data:  # loose files are left to organizedata
                self._find("unexpected", f"{tree}/{name}", "nothing but directories of programs belongs here")
        return programs(root)

    def _journals(self) -> list[str]:
        """The programs that have a journal, or had one."""
        found = set()
        for path in (journal_path, history_path) if self._state else ():
            assert self._state  # noqa: S101 - for the type checker
            folder = path(self._state, "x").parent
            try:
                found |= {name.removesuffix(".jsonl") for name in os.listdir(folder) if name.endswith(".jsonl")}
            except FileNotFoundError:
                continue
            except OSError as error:
                self._find("journal", str(folder), f"cannot be listed: {error.strerror}")
        return sorted(found)

    def _check_program(self, program: str, trees: list[str]) -> None:
        counts = self._baseline.program(program)
        there: dict[Key, list[tuple[str, str]]] = {}
        for tree in trees:
            for day in days_of(tree, program, self._walk.reporter(tree)):
                date_of = day.partition("/")[2]
                there.setdefault(_key(date_of), []).append((tree, date_of))
        if trees and not there and not self._walk.is_unseen(program):
            self._find("unexpected", f"{trees[0]}/{program}", "a directory without any day of a date tree")
        records = recorded.ByDay(self._state, program)
        # Days come from three sides, in order, and are merged: a journal of years is never held in memory as a whole.
        known = sorted({*there, *map(_key, counts.days)})
        stream = merge(((key, None) for key in known), self._recorded(records), key=itemgetter(0))
        absent: list[tuple[str, int]] = []
        for key, group in groupby(stream, key=itemgetter(0)):
            files = next((files for _, files in group if files), {})
            if key >= self._first:
                absent += self._check_day(program, key, there.get(key, []), files)
        for day_of, files in sorted(records.late.items()):
            key = _key(f"{day_of:%Y/%m/%d}")
            if key >= self._first:
                self._check_late(program, there.get(key, []), files)
        self._report_absent(program, absent, whole=not there)
        self._check_journal(program, records)

    def _recorded(self, records: recorded.ByDay) -> Iterator[tuple[Key, recorded.Files]]:
        try:
            for day, files in records.days():
                yield _key(f"{day:%Y/%m/%d}"), files
        except reading.UnreadableError as error:
            self._find("journal", str(error).partition(": ")[0], str(error).partition(": ")[2])

    def _check_day(
        self, program: str, key: Key, there: list[tuple[str, str]], files: recorded.Files
    ) -> list[tuple[str, int]]:
        """Checks one day, wherever it is; where it is nowhere, gives it back with the number of its files."""
        if not there:
            date_of = "/".join(f"{number:02d}" for number in key)
            return self._check_absent(program, date_of, files)
        day = AuditedDay(program, there[0][1], [tree for tree, _ in there], files)
        raws: list[bytes] = []
        seen: set[str] = set()
        for tree in day.trees:
            seen |= self._check_directory(tree, day, raws)
        self._compare_baseline(day, raws)
        # What could not be looked into is reported as such; its files are not missing for that.
        if self._walk.is_unseen(day.path):
            return []
        for name in sorted(files.keys() - seen):
            self._miss_recorded(f"{day.trees[0]}/{day.path}", name)
        return []

    def _check_absent(self, program: str, date_of: str, files: recorded.Files) -> list[tuple[str, int]]:
        gone = [name for name in files if not self._files.lies_loose(name)]
        self.found.waiting += len(files) - len(gone)
        listed = self._baseline.program(program).days.get(date_of, [])
        number = max(len(gone), sum(each.files for each in listed))
        if not number or self._walk.is_unseen(f"{program}/{date_of}"):
            return []
        if self._baseline.accepts(f"{program}/{date_of}"):
            self.found.accepted += 1
            return []
        return [(date_of, number)]

    def _report_absent(self, program: str, absent: list[tuple[str, int]], *, whole: bool) -> None:
        """A program that is gone as a whole is one finding; else each day is."""
        path = f"{self._trees[0]}/{program}"
        if whole and len(absent) > 1:
            files = sum(number for _, number in absent)
            span = f"{absent[0][0]} to {absent[-1][0]}"
            detail = f"{files:,} files of {len(absent):,} days, {span}, were recorded or counted before; none is here"
            self._find("missing", path, detail)
            return
        for date_of, number in absent:
            detail = f"the whole day is gone; {number:,} of its files were recorded by its program or counted before"
            self._find("missing", f"{path}/{date_of}", detail)

    def _check_late(self, program: str, there: list[tuple[str, str]], files: recorded.Files) -> None:
        """What was recorded long after its day is looked for in the day's manifests once more."""
        if there and self._walk.is_unseen(f"{program}/{there[0][1]}"):
            return
        listed: set[str] = set()
        for tree, date_of in there:
            with suppress(OSError):
                listing = manifest.read(f"{tree}/{program}/{date_of}/{manifest.NAME}")
                listed |= {file[3:] for file in listing.entries} if listing else set()
        for name in sorted(files.keys() - listed):
            folder = names.parse(name)
            if folder and not self._baseline.accepts(str(folder.folder.parent)):
                self._miss_recorded(f"{self._trees[0]}/{folder.folder.parent}", name)

    def _miss_recorded(self, directory: str, name: str) -> None:
        if self._files.lies_loose(name):
            self.found.waiting += 1
        else:
            detail = "recorded by its program, but neither listed nor waiting in the data directory"
            self._find("missing", f"{directory}/*/{name}", detail)

    def _check_journal(self, program: str, records: recorded.ByDay) -> None:
        """A journal that is damaged, shorter than it was, or gone is no evidence any more."""
        if not self._state:
            return
        path = journal_path(self._state, program)
        counts = self._baseline.program(program)
        if records.damaged:
            detail = f"{records.damaged:,} of its lines cannot be read; what they recorded is compared with nothing"
            self._find("journal", str(path), detail)
        if counts.recorded > records.files:
            detail = f"it recorded {counts.recorded:,} files at an earlier audit, and {records.files:,} now"
            self._find("journal", str(path), detail)
        elif not os.path.lexists(path) and any(
            os.path.lexists(of(self._state, program)) for of in (history_path, status_path)
        ):
            self._find("journal", str(path), "is not there, though its program has run on this host")
        counts.recorded = max(counts.recorded, records.files)

    def _compare_baseline(self, day: AuditedDay, raws: list[bytes]) -> None:
        """A manifest only ever grows: what an earlier audit read of it must stand at its beginning."""
        counts = self._baseline.program(day.program)
        earlier = counts.days.get(day.date, [])
        changed = [each for each in earlier if not any(each.begins(raw) for raw in raws)]
        for each in changed:
            path = f"{day.trees[0]}/{day.path}/{manifest.NAME}"
            detail = f"an earlier audit read {each.files:,} entries in it, which do not stand there as they did"
            self._find("manifest", path, detail)
        # A changed manifest is not taken into the baseline: the next audit has to report it, too, until it is accepted.
        if not changed and raws:
            counts.days[day.date] = [baseline.listed(raw, manifest.parse(raw)) for raw in raws]

    def _check_directory(self, tree: str, day: AuditedDay, raws: list[bytes]) -> set[str]:
        """Checks a day's directory in one tree.

        Returns:
            The names of the files that are listed, or that wait for a manifest. `raws` gets the manifest.
        """
        directory = f"{tree}/{day.path}"
        present, shut = self._walk.list_day(directory, day.path)
        path = f"{directory}/{manifest.NAME}"
        try:
            raw = manifest.read_bytes(path)
        except OSError as error:
            self._walk.unseen.add(day.path)
            self._find(
                "irregular" if error.errno in NO_FILE else "unreadable", path, f"cannot be read: {error.strerror}"
            )
            return set()
        self.found.days += 1
        if raw is None:
            return self._check_without_manifest(directory, present)
        raws.append(raw)
        listing = manifest.parse(raw)
        for line in listing.faults:
            self._find("manifest", path, f"the line {printable(line)!r} is no entry, or contradicts another")
        if listing.torn:
            self._find("manifest", path, "the last line is cut short; organizedata --adopt cuts it off")
        for file in sorted(present - listing.entries.keys()):
            fix = "organizedata --adopt lists it, or move it away" if names.parse(file[3:]) else "move it away"
            self._find(
                "unexpected", f"{directory}/{file}", f"not in the manifest: it did not come by organizedata; {fix}"
            )
        self._check_files(directory, day, {file: sha for file, sha in listing.entries.items() if file[:2] not in shut})
        return {file[3:] for file in listing.entries}

    def _check_without_manifest(self, directory: str, present: set[str]) -> set[str]:
        captures = {file for file in present if names.parse(file[3:])}
        if captures:
            detail = f"{len(captures)} files lie here, but there is no {manifest.NAME}; organizedata makes one"
            self._find("manifest", directory, detail)
        for file in sorted(present - captures):
            self._find("unexpected", f"{directory}/{file}", "not the name of a capture file; move it away")
        if not present:
            self._find("unexpected", directory, "a day without files and without a manifest")
        return {file[3:] for file in captures}

    def _check_files(self, directory: str, day: AuditedDay, entries: dict[str, str]) -> None:
        digests = set(entries.values())
        own = f"{day.program}-{day.date.replace('/', '-')}T"
        for file, sha256 in sorted(entries.items()):
            self.found.files += 1
            path = f"{directory}/{file}"
            name = file[3:]
            if name.endswith(names.SUFFIXES) and not name.startswith(f"{own}{file[:2]}"):
                detail = "its name belongs to another place of the tree; was it moved, or a directory renamed?"
                self._find("unexpected", path, detail)
            said = day.recorded.get(name, [])
            if said and said[-1].sha256 not in digests:
                detail = f"listed as {sha256[:12]}…, but its program recorded {said[-1].sha256[:12]}…"
                self._find("manifest", path, detail)
            if self._chance.random() < self._sample:
                self._files.check_content(path, sha256)
            else:
                self._files.check_there(path, sha256, {each.bytes for each in said if each.sha256 == sha256})
            self.advance(1)

    def _find(self, kind: FaultKind, file: str, detail: str) -> None:
        self.found.add(kind, file, detail)


def _key(date_of: str) -> Key:
    return tuple(map(int, date_of.split("/")))
