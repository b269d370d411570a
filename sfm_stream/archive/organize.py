"""Moves finished capture files into the date tree, each with its entry in its day's manifest.

The order of effects, batch by batch, makes a crash harmless at any point:

1. entries for all files of the batch are appended to their days' manifests, and synced;
2. the files are moved (renamed; to another filesystem copied and read back), and the directories synced;
3. what was copied, or was there already with the same content, is removed from the data directory.

A run after a crash finds its entries already written and its files either still
loose or in place, and goes on from there. Two runs at once are kept apart by a lock;
even without it no file could be replaced by another.
"""

# Plain strings, not Path objects: a run may touch millions of paths, and those would cost more than the work on them.
# ruff: noqa: PTH112, PTH123

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Literal

import msgspec

from sfm_stream import names, reading
from sfm_stream.archive import manifest, recorded
from sfm_stream.archive.access import DayAccess
from sfm_stream.archive.filesystem import Filesystem, hash_file, same_content
from sfm_stream.archive.identity import check_identity
from sfm_stream.archive.open_files import Writers
from sfm_stream.archive.placement import Loose, Placement, day_of, place
from sfm_stream.archive.tree import IRREGULAR, YEAR, Trouble, day_files, days, days_of, kind_of, lock, programs, scan
from sfm_stream.errors import StorageError
from sfm_stream.table import printable

BATCH_FILES = 20_000
BATCH_BYTES = 1 << 30
"""A batch ends at this many files, or this many bytes to read; memory and repeated work after a crash depend on it."""
KEPT_FINDINGS = 1000

FindingKind = Literal["unknown", "renamed", "damaged", "unreadable", "blocked"]


class Finding(msgspec.Struct, frozen=True):
    """Something that a person should look at.

    Attributes:
        kind: ``unknown`` name; ``renamed`` because another content has its name; ``damaged``: not as its program
            recorded it; ``unreadable``; ``blocked``: a directory or manifest that files belong in cannot be used.
        file: The file.
        detail: What was found, and what was done or is to do.
    """

    kind: FindingKind
    file: str
    detail: str


class Outcome(msgspec.Struct):
    """What a run did.

    Attributes:
        moved: Files that are now in the date tree (in a dry run: that would be).
        bytes: Their size in all.
        known: Files removed because the tree has the same content under the same name.
        waiting: Files left alone because a process still writes them.
        adopted: Files that lay in the tree already, laid there by SFM or by hand, and are now in a manifest.
        unknown: Names that were not understood.
        renamed: Files kept under a new name, for another content has their own.
        damaged: Files that are not as their program recorded them.
        unreadable: Files and directories that could not be read.
        blocked: Directories and manifests that files belong in, and that cannot be used; their files stay loose.
        findings: The first of the last five kinds, one each.
    """

    moved: int = 0
    bytes: int = 0
    known: int = 0
    waiting: int = 0
    adopted: int = 0
    unknown: int = 0
    renamed: int = 0
    damaged: int = 0
    unreadable: int = 0
    blocked: int = 0
    findings: list[Finding] = []

    @property
    def faults(self) -> int:
        """How many things a person should look at."""
        return self.unknown + self.renamed + self.damaged + self.unreadable + self.blocked


class _Vetted(msgspec.Struct, frozen=True):
    """A loose file that may be moved.

    Attributes:
        loose: The file.
        recorded: The sha256 that its program recorded, if any.
        read: The sha256 of what it holds, where it was read.
    """

    loose: Loose
    recorded: str = ""
    read: str = ""

    @property
    def damaged(self) -> bool:
        """Whether it is known not to hold what its program recorded."""
        return bool(self.recorded and self.read) and self.recorded != self.read


class _Step(msgspec.Struct, frozen=True):
    loose: Loose
    place: Placement
    target: str
    damaged: bool


class Organizer:
    """One run over a data directory.

    Args:
        data_dir: Where loose capture files lie.
        archive_dir: Where the date tree is; the data directory itself, unless told otherwise.
        state_dir: Where the programs' journals are; None where there is none.
        dry_run: Change nothing, only tell what would be done.
        adopt: List files, too, that lie unlisted in days that have a manifest, and cut off entries that a crash tore.
        new_archive: Take `archive_dir` as it is now for the archive, whatever was there before.
        filesystem: Carries out the effects.
        tell: Gets one line for each thing done (True) or found (False: worth telling always).

    Attributes:
        advance: Gets the number of files dealt with, now and then.
        outcome: What has been done so far.
    """

    def __init__(
        self,
        data_dir: Path,
        archive_dir: Path | None,
        state_dir: Path | None,
        *,
        dry_run: bool = False,
        adopt: bool = False,
        new_archive: bool = False,
        filesystem: Filesystem | None = None,
        tell: Callable[[str, bool], None] = lambda _line, _detail: None,
    ) -> None:
        self._data = str(data_dir)
        self._tree = str(archive_dir or data_dir)
        self._state = state_dir
        self._dry = dry_run
        self._adopt = adopt
        self._new_archive = new_archive
        self._do = filesystem or Filesystem()
        self._tell = tell
        self.advance: Callable[[int], None] = lambda _count: None
        self._writers = Writers()
        self._first_pass = True
        self._told: set[str] = set()
        self._access = {tree: DayAccess(tree) for tree in (self._tree, self._data)}
        self._shut: set[str] = set()
        self.outcome = Outcome(findings=[])

    def count(self) -> int:
        """How many files there are to move or to list, for a progress bar."""
        with os.scandir(self._data) as entries:
            files = sum(names.parse(entry.name) is not None for entry in entries)
        for tree in dict.fromkeys((self._tree, self._data)):
            with suppress(OSError):
                for day in days(tree, lambda *_trouble: None):
                    if not os.path.lexists(f"{tree}/{day}/{manifest.NAME}"):
                        files += len(day_files(f"{tree}/{day}"))
        return files

    def run(self) -> Outcome:
        """Does it all.

        Raises:
            LockedError: Another run is at work on one of the directories.
            StorageError: A directory is missing or cannot be written; what was done so far stays done.
        """
        try:
            with self._locked():
                if self._tree != self._data and self._state:
                    check_identity(self._tree, self._data, self._state, accept=self._new_archive, keep=not self._dry)
                # A directory that changes while it is read may hide an entry, hence again until nothing is left to do.
                while True:
                    before = self.outcome.moved + self.outcome.known
                    for batch in self._batches():
                        self._sort_in(batch)
                    self._first_pass = False
                    if self._dry or self.outcome.moved + self.outcome.known == before:
                        break
                self._take_up_old_days()
        except reading.UnreadableError as error:
            raise StorageError(str(error)) from error
        except OSError as error:
            where = error.filename2 or error.filename or self._tree
            raise StorageError(
                f"{os.fsdecode(where)}: {error.strerror}; what was moved before is safe, run again when it is cured"
            ) from error
        return self.outcome

    @contextmanager
    def _locked(self) -> Iterator[None]:
        held = []
        try:
            for path in sorted({self._data, self._tree}):
                if not os.path.isdir(path):
                    raise StorageError(f"{path}: no such directory")
                if not self._dry:
                    held.append(lock(path))
            yield
        finally:
            for fd in held:
                os.close(fd)

    def _batches(self) -> Iterator[list[Loose]]:
        batch: list[Loose] = []
        size = 0
        with os.scandir(self._data) as entries:
            for found in entries:
                name = found.name
                if name.startswith(".") or name.endswith(names.PART):
                    continue
                capture = names.parse(name)
                if capture is None or not found.is_file(follow_symlinks=False):
                    self._report_unknown(found)
                    continue
                try:
                    status = found.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                batch.append(Loose(name, capture, day_of(capture), status.st_size, status.st_mtime_ns, status.st_ino))
                size += status.st_size
                if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
                    yield batch
                    batch, size = [], 0
        if batch:
            yield batch

    def _report_unknown(self, found: os.DirEntry[str]) -> None:
        if not self._first_pass or found.name == "lost+found":
            return
        kind = kind_of(found)
        detail = "not the name of a capture file; left where it is"
        if names.is_damaged(found.name):
            detail = "a damaged segment, kept beside the file with what is certain of it: look at it, then take it away"
        if kind == "directory":
            try:
                inner = scan(found.path)
            except OSError as error:
                self._trouble(found.path, "unreadable", f"cannot be listed: {error.strerror}")
                return
            if not names.parse(found.name) and (not inner or any(map(YEAR.fullmatch, inner))):
                return
            detail = "a directory that is no date tree; left as it is"
        elif kind != "file":
            detail = f"{IRREGULAR[kind]}; left as it is"
        self._find("unknown", found.path, detail)

    def _sort_in(self, batch: list[Loose]) -> None:
        batch.sort(key=lambda loose: (loose.day, loose.name))
        vetted = list(self._vet(batch))
        steps: list[_Step] = []
        touched: set[str] = set()
        for day, files in groupby(vetted, key=lambda each: each.loose.day):
            steps.extend(self._list_day(day, list(files), touched))
        if self._dry:
            for step in steps:
                self._count(step)
        else:
            self._do.sync(touched)
            self._carry_out(steps)
        if self._first_pass:
            self.advance(len(batch))

    def _vet(self, batch: list[Loose]) -> Iterator[_Vetted]:
        """The files that may be moved, with what is known of their content."""
        for program, files in groupby(batch, key=lambda loose: loose.capture.program):
            group = list(files)
            try:
                known = self._recorded(program, {loose.name for loose in group})
            except reading.UnreadableError as error:
                self._block(
                    f"{self._state}/journal/{program}.jsonl", f"{error}; files of {program} stay where they are"
                )
                continue
            for loose in group:
                said = known.get(loose.name)
                recorded_sha256 = said.sha256 if said else ""
                if said and said.bytes in (loose.size, -1):
                    # RecordedFile by its program, as its size confirms; to read it all again is the audit's work.
                    yield _Vetted(loose, recorded_sha256)
                    continue
                read = self._read(f"{self._data}/{loose.name}", (loose.size, loose.modified, loose.inode))
                if read is not None:
                    yield _Vetted(loose, recorded_sha256, read)

    def _recorded(self, program: str, files: set[str]) -> dict[str, recorded.RecordedFile]:
        return recorded.look_up(self._state, program, files) if self._state else {}

    def _read(self, path: str, expected: tuple[int, int, int] | None = None) -> str | None:
        """The sha256 of a file at rest (empty in a dry run); None where it is being written, unreadable or gone."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report_unreadable(path, error)
            return None
        try:
            if not self._writers.writes(fd):
                sha256 = "" if self._dry else hash_file(fd)
                after = os.fstat(fd)
                if expected in (None, (after.st_size, after.st_mtime_ns, after.st_ino)):
                    return sha256
            self._wait(path)
        except OSError as error:
            self._report_unreadable(path, error)
        finally:
            os.close(fd)
        return None

    def _list_day(self, day: str, files: list[_Vetted], touched: set[str]) -> list[_Step]:
        """Plans one day and appends the entries it needs; `touched` gets what must be synced before any move."""
        directory = f"{self._tree}/{day}"
        if not self._can_use(day, {f"{each.loose.capture.time.hour:02d}" for each in files}):
            return []
        listing = self._manifest_of(day)
        if listing is None:
            for each in files if directory not in self._shut else []:
                self._wait(f"{self._data}/{each.loose.name}")
            return []
        steps: list[_Step] = []
        lines: list[str] = []
        taken: set[str] = set()
        for each in files:
            source = f"{self._data}/{each.loose.name}"
            try:
                found = self._place(each, directory, listing.entries, taken)
                if found.file not in listing.entries:
                    lines.append(manifest.entry("" if self._dry else self._claim(each, found.file[3:]), found.file))
            except FileNotFoundError:
                continue  # somebody took it away meanwhile
            except OSError as error:
                self._report_unreadable(error.filename or source, error)
                continue
            taken.add(found.file)
            steps.append(_Step(each.loose, found, f"{directory}/{found.file}", each.damaged))
        if not self._dry and steps:
            self._make(directory, touched)
            self._append(day, listing, lines, touched)
        return steps

    def _place(self, each: _Vetted, directory: str, listed: dict[str, str], taken: set[str]) -> Placement:
        return place(
            each.loose,
            listed,
            taken,
            lambda name: self._claim(each, name),
            lambda file: os.path.lexists(f"{directory}/{file}"),
            lambda file: _same(f"{self._data}/{each.loose.name}", f"{directory}/{file}"),
            lambda name: os.path.lexists(f"{self._data}/{name}"),
        )

    def _claim(self, each: _Vetted, name: str) -> str:
        """The sha256 that a manifest gives to the file under `name`: under its own, what its program recorded."""
        if each.recorded and name == each.loose.name:
            return each.recorded
        if each.read:
            return each.read
        with open(f"{self._data}/{each.loose.name}", "rb") as file:
            return hash_file(file.fileno())

    def _append(self, day: str, listing: manifest.Manifest, lines: list[str], touched: set[str]) -> None:
        path = f"{self._tree}/{day}/{manifest.NAME}"
        if listing.torn:
            self._do.truncate(path, listing.length)
            touched.add(path)
        if lines:
            self._do.append(path, "".join(lines))
            touched.update((path, f"{self._tree}/{day}"))

    def _carry_out(self, steps: list[_Step]) -> None:
        touched: set[str] = set()
        obsolete: list[Loose] = []
        made: set[str] = set()
        for step in steps:
            source = f"{self._data}/{step.loose.name}"
            parent = step.target.rpartition("/")[0]
            if parent not in made:
                self._make(parent, touched)
                made.add(parent)
            touched.add(parent)
            try:
                if step.place.kind == "known":
                    touched.add(step.target)
                    obsolete.append(step.loose)
                elif self._move(source, step.target):
                    obsolete.append(step.loose)
            except FileNotFoundError:
                continue  # another run took it
            except FileExistsError:
                continue  # came to be meanwhile; the next pass compares the two
            self._count(step)
        self._do.sync(touched)
        for loose in obsolete:
            # Only what was compared or copied goes, not what somebody put in its place meanwhile.
            path = f"{self._data}/{loose.name}"
            with suppress(FileNotFoundError):
                now = os.lstat(path)
                if (now.st_size, now.st_mtime_ns, now.st_ino) == (loose.size, loose.modified, loose.inode):
                    self._do.remove(path)

    def _move(self, source: str, target: str) -> bool:
        """Moves one file; whether the source is still to be removed."""
        try:
            self._do.rename(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._do.copy(source, target)
            return True
        return False

    def _make(self, directory: str, touched: set[str]) -> None:
        """Makes a directory and those above it; `touched` gets each whose entries changed."""
        missing = []
        while not os.path.isdir(directory):
            missing.append(directory)
            directory = directory.rpartition("/")[0]
        for path in reversed(missing):
            with suppress(FileExistsError):
                self._do.make_directory(path)
            touched.update((path, path.rpartition("/")[0]))

    def _manifest_of(self, day: str) -> manifest.Manifest | None:
        """The day's manifest; made first, where files lie there without one. None where the day must wait."""
        path = f"{self._tree}/{day}/{manifest.NAME}"
        try:
            listing = manifest.read(path)
        except OSError as error:
            self._shut.add(f"{self._tree}/{day}")
            self._block(path, f"cannot be read: {error.strerror}; files of this day stay where they are")
            return None
        if listing is not None:
            return listing
        entries = self._unlisted(day, {})
        if entries is None:
            return None
        if entries and not self._dry:
            self._do.create(path, "".join(manifest.entry(sha256, file) for file, sha256 in entries.items()))
            self._do.sync([f"{self._tree}/{day}"])
        self._count_adopted(day, entries)
        return manifest.Manifest(entries=entries)

    def _take_up_old_days(self) -> None:
        """Gives a manifest to each day that SFM's own tool laid out; lists what lies unlisted in others, if told to."""
        # What was sorted before there was an archive directory still lies in the data directory.
        for tree in dict.fromkeys((self._tree, self._data)):
            self._tree = tree
            for program in programs(scan(tree)):
                for day in days_of(tree, program, self._trouble):
                    if self._adopt or not os.path.lexists(f"{tree}/{day}/{manifest.NAME}"):
                        self._take_up(day)

    def _take_up(self, day: str) -> None:
        if not self._can_use(day, set()):
            return
        listing = self._manifest_of(day)
        if listing is None or not self._adopt:
            return
        entries = self._unlisted(day, listing.entries) or {}
        if not self._dry and (entries or listing.torn):
            touched: set[str] = set()
            self._append(day, listing, [manifest.entry(sha256, file) for file, sha256 in entries.items()], touched)
            self._do.sync(touched)
        self._count_adopted(day, entries)

    def _unlisted(self, day: str, listed: dict[str, str]) -> dict[str, str] | None:
        """The capture files that a day's manifest lacks, with their sha256; None where one is being written."""
        directory = f"{self._tree}/{day}"
        try:
            files = [file for file in day_files(directory) if file not in listed and self._can_be_listed(day, file)]
            known = self._recorded(day.partition("/")[0], {file[3:] for file in files}) if files else {}
        except OSError as error:
            self._shut.add(directory)
            self._trouble(error.filename or directory, "unreadable", f"cannot be listed: {error.strerror}")
            return None
        except reading.UnreadableError as error:
            self._shut.add(directory)
            self._block(directory, str(error))
            return None
        entries = {}
        waiting = self.outcome.waiting
        for file in files:
            path = f"{directory}/{file}"
            read = self._read(path)
            self.advance(1)
            if read is None:
                if path in self._told and self.outcome.waiting > waiting:
                    return None
                continue
            said = known.get(file[3:])
            if said and read and said.sha256 != read:
                self._find("damaged", path, "is not what its program recorded; listed as it was recorded")
            entries[file] = said.sha256 if said else read
        return entries

    def _can_be_listed(self, day: str, file: str) -> bool:
        """Whether a file of a day belongs in its manifest; told to list what is there, it says which do not."""
        capture = names.parse(file[3:])
        if capture and (capture.suffix not in names.SUFFIXES or str(capture.folder) == f"{day}/{file[:2]}"):
            return True
        path = f"{self._tree}/{day}/{file}"
        if self._adopt and path not in self._told:
            self._told.add(path)
            cure = (
                "move it to the top of the data directory"
                if capture
                else "not the name of a capture file; move it away"
            )
            self._find("unknown", path, f"in the wrong place of the date tree; {cure}" if capture else cure)
        return False

    def _can_use(self, day: str, hours: set[str]) -> bool:
        """Whether files can be sorted into a day; where not, it is told once why."""
        found = self._access[self._tree].obstacle(day, hours)
        if found:
            self._block(found[0], f"{found[1]}; files that belong there stay where they are")
        return found is None

    def _count(self, step: _Step) -> None:
        source = f"{self._data}/{step.loose.name}"
        if step.place.kind == "known":
            self.outcome.known += 1
            self._tell(f"{source}: already there with the same content, {step.target}", True)
            return
        self.outcome.moved += 1
        self.outcome.bytes += step.loose.size
        self._tell(f"{source} -> {step.target}", True)
        if step.place.kind == "rename":
            self._find("renamed", source, f"another content has this name in the archive; kept as {step.target}")
        elif step.damaged:
            self._find("damaged", source, f"not what its program recorded; moved to {step.target}, listed as recorded")

    def _count_adopted(self, day: str, entries: dict[str, str]) -> None:
        if entries and day not in self._told:
            self._told.add(day)
            self.outcome.adopted += len(entries)
            self._tell(f"{self._tree}/{day}: {len(entries)} files that lay there are now listed", True)

    def _wait(self, path: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self.outcome.waiting += 1
            self._tell(f"{path}: still being written, left alone", True)

    def _report_unreadable(self, path: str, error: OSError) -> None:
        if path not in self._told:
            self._told.add(path)
            self._find("unreadable", path, f"cannot be read: {error.strerror}; left where it is")

    def _trouble(self, path: str, kind: Trouble, why: str) -> None:
        """Tells once what could not be looked into; strangers in the tree are the audit's affair."""
        if kind != "unexpected" and path not in self._told:
            self._told.add(path)
            self._find("unreadable" if kind == "unreadable" else "unknown", path, why)

    def _block(self, path: str, why: str) -> None:
        """Tells once why files cannot go where they belong."""
        if path not in self._told:
            self._told.add(path)
            self._find("blocked", path, why)

    def _find(self, kind: FindingKind, file: str, detail: str) -> None:
        setattr(self.outcome, kind, getattr(self.outcome, kind) + 1)
        if len(self.outcome.findings) < KEPT_FINDINGS:
            self.outcome.findings.append(Finding(kind, printable(file), detail))
        self._tell(f"{file}: {detail}", False)


def _same(source: str, target: str) -> bool:
    """Whether the target holds what the source does: the same bytes, or two names of one file; a link never does."""
    one, other = os.lstat(source), os.lstat(target)
    if not stat.S_ISREG(other.st_mode):
        return False
    if os.path.samestat(one, other):
        if one.st_nlink < 2:
            raise StorageError(f"{source} and {target} are one and the same; a directory leads back into itself")
        return True
    return same_content(source, target)
