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

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path

from sfm_stream import names, reading
from sfm_stream.archive import manifest, moving
from sfm_stream.archive.at_rest import FilesAtRest
from sfm_stream.archive.filesystem import Filesystem, hash_file, same_content
from sfm_stream.archive.identity import check_identity
from sfm_stream.archive.listings import Listings
from sfm_stream.archive.loose import Vetted, batches, vet
from sfm_stream.archive.moving import Move
from sfm_stream.archive.outcome import OrganizeOutcome, Reporter
from sfm_stream.archive.placement import Loose, Placement, place
from sfm_stream.archive.tree import day_files, days, lock
from sfm_stream.errors import StorageError


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
        self._new_archive = new_archive
        self._do = filesystem or Filesystem()
        self.advance: Callable[[int], None] = lambda _count: None
        self._reporter = Reporter(tell)
        self._files = FilesAtRest(state_dir, self._reporter, dry_run=dry_run)
        # What was sorted before there was an archive directory still lies in the data directory.
        self._listings = {
            tree: Listings(tree, self._files, self._reporter, self._do, dry_run=dry_run, adopt=adopt)
            for tree in dict.fromkeys((self._tree, self._data))
        }

    @property
    def outcome(self) -> OrganizeOutcome:
        """What has been done so far."""
        return self._reporter.outcome

    def count(self) -> int:
        """How many files there are to move or to list, for a progress bar."""
        with os.scandir(self._data) as entries:
            files = sum(names.parse(entry.name) is not None for entry in entries)
        for tree in self._listings:
            with suppress(OSError):
                for day in days(tree, lambda *_trouble: None):
                    if not os.path.lexists(f"{tree}/{day}/{manifest.NAME}"):
                        files += len(day_files(f"{tree}/{day}"))
        return files

    def run(self) -> OrganizeOutcome:
        """Does everything.

        Raises:
            LockedError: Another run is at work on one of the directories.
            StorageError: A directory is missing or cannot be written; what was done so far stays done.
        """
        try:
            with self._locked():
                if self._tree != self._data and self._state:
                    check_identity(self._tree, self._data, self._state, accept=self._new_archive, keep=not self._dry)
                self._sort_all()
                for listings in self._listings.values():
                    listings.advance = self.advance
                    listings.adopt_days()
        except reading.UnreadableError as error:
            raise StorageError(str(error)) from error
        except OSError as error:
            where = error.filename2 or error.filename or self._tree
            raise StorageError(
                f"{os.fsdecode(where)}: {error.strerror}; what was moved before is safe, run again when it is fixed"
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

    def _sort_all(self) -> None:
        """Sorts until nothing is left: a directory that changes while it is read may hide an entry."""
        first = True
        while True:
            before = self.outcome.moved + self.outcome.known
            for batch in batches(self._data, self._reporter if first else None):
                self._sort_in(batch)
                if first:
                    self.advance(len(batch))
            first = False
            # A round without progress is the end: what is left is being written, or cannot be moved.
            if self._dry or self.outcome.moved + self.outcome.known == before:
                return

    def _sort_in(self, batch: list[Loose]) -> None:
        # By day, since each day's manifest is opened, extended and synced once for all of its files.
        batch.sort(key=lambda loose: (loose.day, loose.name))
        vetted = list(vet(batch, self._data, self._files, self._reporter))
        steps: list[Move] = []
        touched: set[str] = set()
        for day, files in groupby(vetted, key=lambda each: each.loose.day):
            steps.extend(self._list_day(day, list(files), touched))
        if self._dry:
            for step in steps:
                self._count(step)
        else:
            # The entries must be on the disk before any file moves: see the module's docstring.
            self._do.sync(touched)
            moving.carry_out(self._data, steps, self._do, self._count)

    def _list_day(self, day: str, files: list[Vetted], touched: set[str]) -> list[Move]:
        """Plans one day and appends the entries it needs; `touched` gets what must be synced before any move."""
        listings, directory = self._listings[self._tree], f"{self._tree}/{day}"
        if not listings.can_use(day, {f"{each.loose.capture.time.hour:02d}" for each in files}):
            return []
        listing = listings.of(day)
        if listing is None:
            for each in files if directory not in listings.shut else []:
                self._reporter.waiting(f"{self._data}/{each.loose.name}")
            return []
        steps: list[Move] = []
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
                self._reporter.unreadable(error.filename or source, error)
                continue
            # Two files of one batch may want the same name, of which the directory knows nothing yet.
            taken.add(found.file)
            steps.append(Move(each.loose, found, f"{directory}/{found.file}", each.damaged))
        if not self._dry and steps:
            moving.make(directory, self._do, touched)
            listings.append(day, listing, lines, touched)
        return steps

    def _place(self, each: Vetted, directory: str, listed: dict[str, str], taken: set[str]) -> Placement:
        return place(
            each.loose,
            listed,
            taken,
            lambda name: self._claim(each, name),
            lambda file: os.path.lexists(f"{directory}/{file}"),
            lambda file: _same(f"{self._data}/{each.loose.name}", f"{directory}/{file}"),
            lambda name: os.path.lexists(f"{self._data}/{name}"),
        )

    def _claim(self, each: Vetted, name: str) -> str:
        """The sha256 that a manifest gives to the file under `name`: under its own, what its program recorded.

        A file that was damaged since then is listed with the sum that it should have, so that every audit finds it.
        """
        if each.recorded and name == each.loose.name:
            return each.recorded
        # It was read to see whether it is damaged: reading it again could only cost time.
        if each.read:
            return each.read
        with open(f"{self._data}/{each.loose.name}", "rb") as file:
            return hash_file(file.fileno())

    def _count(self, step: Move) -> None:
        source, outcome = f"{self._data}/{step.loose.name}", self.outcome
        if step.place.kind == "known":
            outcome.known += 1
            self._reporter.tell(f"{source}: already there with the same content, {step.target}", True)
            return
        outcome.moved += 1
        outcome.bytes += step.loose.size
        self._reporter.tell(f"{source} -> {step.target}", True)
        if step.place.kind == "rename":
            detail = f"another content has this name in the archive; kept as {step.target}"
            self._reporter.find("renamed", source, detail)
        elif step.damaged:
            detail = f"not what its program recorded; moved to {step.target}, listed as recorded"
            self._reporter.find("damaged", source, detail)


def _same(source: str, target: str) -> bool:
    """Whether the target holds what the source does: the same bytes, or two names of one file; a link never does."""
    one, other = os.lstat(source), os.lstat(target)
    if not stat.S_ISREG(other.st_mode):
        return False
    if os.path.samestat(one, other):
        # A run that was killed between link and unlink leaves two names of one file; with one name only, both paths
        # lead to the same entry, and removing the source would remove the file.
        if one.st_nlink < 2:
            raise StorageError(f"{source} and {target} are one and the same; a directory leads back into itself")
        return True
    return same_content(source, target)
