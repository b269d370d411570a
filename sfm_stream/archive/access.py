"""Whether files can be sorted into a day: its directories and its manifest, as far as they are there, must allow it."""

# Plain strings, not Path objects: a run may touch millions of paths, and those would cost more than the work on them.

from __future__ import annotations

import os
import stat

from sfm_stream.archive import manifest
from sfm_stream.archive.tree import IRREGULAR

_DAY = 3
"""The slashes in the path of a day, from the root of the tree."""


class DayAccess:
    """The ways to the days of one tree; what was found fit once is not looked at again in this run."""

    def __init__(self, tree: str) -> None:
        self._tree = tree
        self._fit: set[str] = set()

    def obstacle(self, day: str, hours: set[str]) -> tuple[str, str] | None:
        """The path that keeps files from being sorted into these hours of a day, and why; None where nothing does."""
        parts = day.split("/")
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        for path in (*above, *(f"{day}/{name}" for name in (*sorted(hours), manifest.NAME))):
            whole = f"{self._tree}/{path}"
            if whole in self._fit:
                continue
            try:
                fault = _fault_of(whole, file=path.endswith(manifest.NAME), write=path.count("/") >= _DAY)
            except FileNotFoundError:
                if path.count("/") > _DAY:
                    continue  # made in the day's directory, which was looked at
                parent = whole.rpartition("/")[0]
                return (
                    None if os.access(parent, os.W_OK | os.X_OK) else (parent, "not writable for the user that sorts")
                )
            if fault:
                return whole, fault
            self._fit.add(whole)
        return None


def _fault_of(path: str, *, file: bool, write: bool) -> str:
    """Why a directory or manifest cannot be used to sort files; empty where it can.

    Raises:
        FileNotFoundError: It is not there, and can be made.
    """
    status = os.lstat(path)
    mode = status.st_mode
    if not (stat.S_ISREG(mode) if file else stat.S_ISDIR(mode)):
        return IRREGULAR["link" if stat.S_ISLNK(mode) else "special" if file else "file"]
    if os.geteuid() == 0 and status.st_uid != 0:
        return "belongs to another user, in whose directories root does nothing"
    if not os.access(path, os.R_OK | (0 if file else os.X_OK) | (os.W_OK if write else 0)):
        return f"not readable and writable for the user that sorts (mode {stat.S_IMODE(mode):04o})"
    return ""
