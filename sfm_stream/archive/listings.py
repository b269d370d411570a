"""The manifests of a date tree: read for a day, made where files lie without one, and added to."""

# Plain strings, not Path objects: a run may touch millions of paths, and those would cost more than the work on them.

from __future__ import annotations

import os
from collections.abc import Callable

from sfm_stream import names, reading
from sfm_stream.archive import manifest
from sfm_stream.archive.access import DayAccess
from sfm_stream.archive.at_rest import FilesAtRest
from sfm_stream.archive.filesystem import Filesystem
from sfm_stream.archive.outcome import Reporter
from sfm_stream.archive.tree import day_files, days_of, programs, scan


class Listings:
    """The manifests of one tree.

    Args:
        tree: Its root.
        files: Reads files and what was recorded of them.
        reporter: Told what was listed, and what cannot be.
        filesystem: Carries out the effects.
        dry_run: Change nothing.
        adopt: List files, too, that lie unlisted in days that have a manifest, and cut off entries that a crash tore.

    Attributes:
        advance: Gets the number of files dealt with, now and then.
        shut: The directories of days that cannot be used.
    """

    def __init__(
        self,
        tree: str,
        files: FilesAtRest,
        reporter: Reporter,
        filesystem: Filesystem,
        *,
        dry_run: bool,
        adopt: bool,
    ) -> None:
        self.tree = tree
        self.advance: Callable[[int], None] = lambda _count: None
        self.shut: set[str] = set()
        self._files, self._reporter, self._do = files, reporter, filesystem
        self._dry, self._adopt = dry_run, adopt
        self._access = DayAccess(tree)

    def can_use(self, day: str, hours: set[str]) -> bool:
        """Whether files can be sorted into a day; where not, the reason is reported once."""
        found = self._access.obstacle(day, hours)
        if found:
            self._reporter.blocked(found[0], f"{found[1]}; files that belong there stay where they are")
        return found is None

    def of(self, day: str) -> manifest.Manifest | None:
        """The day's manifest; made first, where files lie there without one. None where the day must wait."""
        path = f"{self.tree}/{day}/{manifest.NAME}"
        try:
            listing = manifest.read(path)
        except OSError as error:
            self.shut.add(f"{self.tree}/{day}")
            why = f"cannot be read: {error.strerror}; files of this day stay where they are"
            self._reporter.blocked(path, why)
            return None
        if listing is not None:
            return listing
        entries = self._unlisted(day, {})
        if entries is None:
            return None
        if entries and not self._dry:
            self._do.create(path, "".join(manifest.entry(sha256, file) for file, sha256 in entries.items()))
            self._do.sync([f"{self.tree}/{day}"])
        self._reporter.adopted(self.tree, day, len(entries))
        return manifest.Manifest(entries=entries)

    def append(self, day: str, listing: manifest.Manifest, lines: list[str], touched: set[str]) -> None:
        """Adds entries to a day's manifest; `touched` gets what must be synced before any file is moved."""
        path = f"{self.tree}/{day}/{manifest.NAME}"
        if listing.torn:
            # Appended to half a line, the new entry would be lost with it.
            self._do.truncate(path, listing.length)
            touched.add(path)
        if lines:
            self._do.append(path, "".join(lines))
            touched.update((path, f"{self.tree}/{day}"))

    def adopt_days(self) -> None:
        """Gives a manifest to each day that SFM's own tool laid out; lists what lies unlisted in others, if told to."""
        for program in programs(scan(self.tree)):
            for day in days_of(self.tree, program, self._reporter.trouble):
                if self._adopt or not os.path.lexists(f"{self.tree}/{day}/{manifest.NAME}"):
                    self._adopt_day(day)

    def _adopt_day(self, day: str) -> None:
        if not self.can_use(day, set()):
            return
        listing = self.of(day)
        if listing is None or not self._adopt:
            return
        entries = self._unlisted(day, listing.entries) or {}
        if not self._dry and (entries or listing.torn):
            touched: set[str] = set()
            self.append(day, listing, [manifest.entry(sha256, file) for file, sha256 in entries.items()], touched)
            self._do.sync(touched)
        self._reporter.adopted(self.tree, day, len(entries))

    def _unlisted(self, day: str, listed: dict[str, str]) -> dict[str, str] | None:
        """The capture files that a day's manifest lacks, with their sha256; None where one is being written.

        A day is listed as a whole or not at all: a manifest that lacks a file would make the audit take that file for
        one that came by another way.
        """
        directory = f"{self.tree}/{day}"
        try:
            files = [file for file in day_files(directory) if file not in listed and self._can_be_listed(day, file)]
            known = self._files.recorded(day.partition("/")[0], {file[3:] for file in files}) if files else {}
        except OSError as error:
            self.shut.add(directory)
            self._reporter.trouble(error.filename or directory, "unreadable", f"cannot be listed: {error.strerror}")
            return None
        except reading.UnreadableError as error:
            self.shut.add(directory)
            self._reporter.blocked(directory, str(error))
            return None
        entries = {}
        for file in files:
            path = f"{directory}/{file}"
            read = self._files.sha256(path)
            self.advance(1)
            if path in self._files.writing:
                return None
            if read is None:
                continue
            said = known.get(file[3:])
            if said and read and said.sha256 != read:
                self._reporter.find("damaged", path, "is not what its program recorded; listed as it was recorded")
            entries[file] = said.sha256 if said else read
        return entries

    def _can_be_listed(self, day: str, file: str) -> bool:
        """Whether a file of a day belongs in its manifest; with `adopt`, those that do not are reported."""
        capture = names.parse(file[3:])
        if capture and (capture.suffix not in names.SUFFIXES or str(capture.folder) == f"{day}/{file[:2]}"):
            return True
        path = f"{self.tree}/{day}/{file}"
        if self._adopt and self._reporter.is_new(path):
            detail = (
                "in the wrong place of the date tree; move it to the top of the data directory"
                if capture
                else "not the name of a capture file; move it away"
            )
            self._reporter.find("unknown", path, detail)
        return False
