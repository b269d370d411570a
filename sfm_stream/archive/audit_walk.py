"""Walks the trees of an archive for an audit, and remembers what could not be looked into."""

# Plain strings, not Path objects: a tree has millions of paths, and those would cost more than the work on them.
# ruff: noqa: PTH116

from __future__ import annotations

import os
import time
from collections.abc import Callable

from sfm_stream.archive import manifest
from sfm_stream.archive.audit_outcome import AuditOutcome
from sfm_stream.archive.filesystem import UNFINISHED
from sfm_stream.archive.tree import IRREGULAR, TWO_DIGITS, YEAR, EntryKind, Trouble, scan

PASSING = 3600.0
"""Seconds for which an unfinished copy counts as one in the making."""


class Walk:
    """What is there, and what could not be looked into.

    Args:
        since: Days before this one (``2026/11/24``) are left out; "" for none.
        found: Gets what is found.

    Attributes:
        unseen: Places, from the root of a tree, that could not be looked into: what is missing there is not known to
            be gone.
    """

    def __init__(self, since: str, found: AuditOutcome) -> None:
        self._since, self._found = since, found
        self.unseen: set[str] = set()

    def list_day(self, directory: str, place: str) -> tuple[set[str], set[str]]:
        """The regular files of a day's hours, and the hours that cannot be looked into; tells of what else is there."""
        present: set[str] = set()
        shut: set[str] = set()
        for hour, kind in self._scan(directory, place).items():
            if hour == manifest.NAME:
                continue
            if not TWO_DIGITS.fullmatch(hour):
                self._report_stranger(f"{directory}/{hour}")
            elif kind != "directory":
                shut.add(hour)
                self._found.add("irregular", f"{directory}/{hour}", IRREGULAR[kind])
            else:
                inner = self._scan(f"{directory}/{hour}", f"{place}/{hour}")
                if self.is_unseen(f"{place}/{hour}"):
                    shut.add(hour)
                for name, of in inner.items():
                    if of == "file" and not name.startswith("."):
                        present.add(f"{hour}/{name}")
                    elif of in ("directory", "file"):
                        self._report_stranger(f"{directory}/{hour}/{name}")
                    else:
                        self._found.add("irregular", f"{directory}/{hour}/{name}", IRREGULAR[of])
        return present, shut

    def _scan(self, directory: str, place: str) -> dict[str, EntryKind]:
        try:
            return dict(sorted(scan(directory).items()))
        except FileNotFoundError:
            return {}
        except OSError as error:
            self.unseen.add(place)
            self._found.add("unreadable", directory, f"cannot be listed: {error.strerror}")
            return {}

    def _report_stranger(self, path: str) -> None:
        if not _passing(path):
            self._found.add("unexpected", path, "not a capture file in its place; move it away")

    def reporter(self, tree: str) -> Callable[[str, Trouble, str], None]:
        """Finds what could not be walked in a tree, unless it is of a time that is left out."""

        def report(path: str, kind: Trouble, why: str) -> None:
            place = path.removeprefix(f"{tree}/")
            when = place.partition("/")[2]
            if YEAR.fullmatch(when.partition("/")[0]) and when < self._since[: len(when)]:
                return
            if kind != "unexpected":
                self.unseen.add(place)
            self._found.add(kind, path, why)

        return report

    def is_unseen(self, place: str) -> bool:
        """Whether a place, from the root of a tree, or anything above it could not be looked into."""
        parts = place.split("/")
        return any("/".join(parts[:depth]) in self.unseen for depth in range(len(parts) + 1))


def _passing(path: str) -> bool:
    """Whether it is a copy that organizedata makes right now, or one that vanished meanwhile."""
    try:
        return path.endswith(UNFINISHED) and time.time() - os.stat(path).st_mtime < PASSING
    except FileNotFoundError:
        return True
