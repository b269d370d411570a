"""What is wrong with the directories of a host, found before any is changed."""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ansible.module_utils.sfm_paths import Found, RefusedError, Step, find, shared, shown, user
from ansible.module_utils.sfm_process_owner import Owner

ROOM_BYTES = 1 << 20
ROOM_FILES = 16


class Wanted(NamedTuple):
    """A directory as it should be; uid and gid are -1 where they are still to be made."""

    variable: str
    path: str
    uid: int
    gid: int
    mode: int
    ours: re.Pattern[str] | None
    whole: bool
    uses: frozenset[str]


class Examination:
    """The directories that are wanted, looked at together: one may be on the way to another.

    Attributes:
        earlier: The users who have, until now, a directory that holds what programs of ours made.
    """

    def __init__(self, wanted: list[Wanted], owner: Owner) -> None:
        self.wanted = wanted
        self.owner = owner
        # Found out now: making the directories takes the traces away.
        self.earlier = set().union(*(self._earlier_of(each) for each in wanted if each.ours is not None))

    def faults(self, packages: Mapping[str, str]) -> list[str]:
        """All that is wrong, a line each.

        Args:
            packages: The Debian package of each directory that one has brought.
        """
        lines: list[str] = []
        for wanted in self.wanted:
            try:
                found = find(wanted.path)
            except RefusedError as error:
                lines.append(f"{wanted.variable}: {error}")
                continue
            try:
                problems = [*_foreign(wanted, self.owner, packages), *self._problems(wanted, found)]
            finally:
                os.close(found.handle)
            lines += [f"{wanted.variable}: {problem}" for problem in problems]
        return list(dict.fromkeys(lines))

    def _problems(self, wanted: Wanted, found: Found) -> Iterator[str]:
        yield from self._occupied(wanted, found)
        if wanted.ours is None:
            yield from self._exposed(wanted, found)
        if "append" in wanted.uses:
            yield from _diverted(wanted, found)
        if "reach" in wanted.uses:
            yield from self._unreachable(wanted, found)
        yield from _unusable(wanted, found)

    def _occupied(self, wanted: Wanted, found: Found) -> Iterator[str]:
        """What is there already and belongs to someone else."""
        status, names = found.status, found.names()
        if status is None or not names:
            return
        if wanted.ours is None and (status.st_uid != 0 or status.st_mode & stat.S_IWOTH):
            yield (
                f"{wanted.path} is {shown(status)} and not empty; others could write there, and root will trust what "
                f"it holds. Check its contents, then: chown root: {wanted.path} && chmod go-w {wanted.path}"
            )
        foreign = wanted.ours is not None and not any(map(wanted.ours.fullmatch, names))
        if foreign and status.st_uid not in (0, self.owner.uid):
            yield (
                f"{wanted.path} belongs to {user(status.st_uid)} and holds nothing of ours; choose another directory, "
                f"or give it away: chown {self.owner.name}: {wanted.path}"
            )

    def _exposed(self, wanted: Wanted, found: Found) -> Iterator[str]:
        """Parents of a directory of root's that someone else could put something in the place of."""
        for step in found.parents:
            if shared(step.status) and not self.is_repaired(step) and not self.is_wanted(step.path):
                yield (
                    f"{step.path}, on the way to {wanted.path}, is {shown(step.status)}, so others than root decide "
                    f"what is there; choose another path, or: chown root: {step.path} && chmod go-w {step.path}"
                )

    def _unreachable(self, wanted: Wanted, found: Found) -> Iterator[str]:
        steps = [each for each in found.parents if not self.is_repaired(each) and not self.is_wanted(each.path)]
        if (step := self.owner.stopped_at(steps)) is not None:
            owner, here = self.owner.name, step.path
            yield (
                f"{owner} cannot get to {wanted.path}: {here} is {shown(step.status)} and does not let it through; "
                f"chmod o+x {here}, or setfacl -m u:{owner}:x {here}, or choose another path"
            )

    def is_repaired(self, step: Step) -> bool:
        """Whether a directory on the way belongs to the process owner, and so is given back to root."""
        return step.status.st_uid != 0 and step.status.st_uid in (self.owner.uid, *self.earlier)

    def is_wanted(self, path: str) -> bool:
        """Whether a directory on the way is itself one of those wanted."""
        return any(os.path.normpath(each.path) == path for each in self.wanted)

    def _earlier_of(self, wanted: Wanted) -> set[int]:
        try:
            found = find(wanted.path)
        except RefusedError:
            return set()
        try:
            ours = wanted.ours is not None and any(wanted.ours.fullmatch(name) for name in found.names())
            return {found.status.st_uid} - {0, self.owner.uid} if found.status is not None and ours else set()
        finally:
            os.close(found.handle)


def _foreign(wanted: Wanted, owner: Owner, packages: Mapping[str, str]) -> Iterator[str]:
    path = os.path.normpath(wanted.path)
    if path in packages:
        yield f"{path} belongs to the Debian package {packages[path]}; choose a directory of its own"
    for entry in pwd.getpwall():
        if entry.pw_dir.rstrip("/") == path and entry.pw_name != owner.name:
            yield f"{path} is the home of {entry.pw_name}; choose a directory of its own"


def _diverted(wanted: Wanted, found: Found) -> Iterator[str]:
    """Names that would lead root, who opens files there, to somewhere else."""
    for name in found.names():
        status = os.stat(name, dir_fd=found.handle, follow_symlinks=False)
        regular = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        if (
            not regular
            and not stat.S_ISDIR(status.st_mode)
            and not (stat.S_ISLNK(status.st_mode) and status.st_uid == 0)
        ):
            yield (
                f"{wanted.path}/{name} is not a file of its own ({_kind(status)}, of {user(status.st_uid)}), and "
                "supervisord, which is root, would write to it; look at it, and remove it"
            )


def _kind(status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return "a link"
    return f"{status.st_nlink} names for one file" if stat.S_ISREG(status.st_mode) else "neither file nor directory"


def _unusable(wanted: Wanted, found: Found) -> Iterator[str]:
    """What the filesystem does not allow."""
    place, space = found.steps[-1].path, os.fstatvfs(found.handle)
    if space.f_flag & os.ST_RDONLY:
        yield f"{wanted.path} lies on a filesystem that is mounted read-only; remount it, or choose another path"
    elif "room" in wanted.uses and space.f_bavail * space.f_frsize < ROOM_BYTES:
        yield f"the filesystem of {place} is full; make room there, or choose another path for {wanted.path}"
    elif "room" in wanted.uses and space.f_files and space.f_favail < ROOM_FILES:
        yield f"the filesystem of {place} has no inode left; remove files, or choose another path for {wanted.path}"
    if "run" in wanted.uses and space.f_flag & os.ST_NOEXEC:
        yield (
            f"{wanted.path} lies on a filesystem that is mounted noexec, and programs are run from there; "
            "mount -o remount,exec, or choose another path"
        )
