#!/usr/bin/python
"""Ansible module: the directories of a capture host, looked at, made and repaired without following a name."""

from __future__ import annotations

import errno
import grp
import json
import os
import pwd
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: sfm_directories
short_description: Make directories that nobody can turn against root
description:
  - Looks at all directories before it changes anything, and fails with all that is wrong with them at once.
  - Makes what is missing. Parents are made C(root:root 0755), and those that the process owner has are given back to
    root; the owner of a parent decides what its names lead to.
  - Goes down from C(/) one name at a time, by file descriptors, and changes only what it holds open. A directory that
    is a link is refused, and so is a link on the way to it that somebody other than root can change.
  - What an earlier process owner has in a directory is given to the new one, and the directory itself last, so that a
    run that breaks off is taken up by the next.
options:
  directories:
    description: In the order in which they are made.
    type: list
    elements: dict
    required: true
    suboptions:
      variable:
        description: How a message names it.
        type: str
        required: true
      path:
        description: An absolute path.
        type: str
        required: true
      owner:
        description: Its owner.
        type: str
        default: root
      group:
        description: Its group.
        type: str
        default: root
      mode:
        description: An octal number as text.
        type: str
        required: true
      ours:
        description: For a directory of the process owner, a regular expression of the names that programs make there.
        type: str
        default: ''
      whole:
        description: Whether an earlier owner hands over all that is in it, and not only what C(ours) matches.
        type: bool
        default: false
      uses:
        description:
          - What must be possible. C(reach) for the process owner to get there, C(room) for something to be written,
            C(run) for programs to be started from there, C(append) for root to append to files there by name.
        type: list
        elements: str
        choices: [reach, room, run, append]
        default: []
  owner:
    description: The process owner; in check mode it may be one that is still to be made.
    type: str
    required: true
  group:
    description: A group that the process owner is in, or will be.
    type: str
    required: true
author: The sfm-stream authors
attributes:
  check_mode:
    support: full
    description: Finds the same faults, and says what would change.
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Make the data directory
  sfm_directories:
    directories:
      - {variable: sfm_data_dir, path: /var/lib/sfm/data, owner: sfm, group: sfm, mode: "2750", uses: [reach, room]}
    owner: sfm
    group: sfm
"""

RETURN = r"""
created:
  description: Directories that were not there, parents among them.
  returned: success
  type: list
  elements: str
repaired:
  description: Parents that were given back to root.
  returned: success
  type: list
  elements: str
adjusted:
  description: Directories that had another owner, group or mode.
  returned: success
  type: list
  elements: str
earlier:
  description: The numbers of the users who had a directory of the process owner before.
  returned: success
  type: list
  elements: int
handed_over:
  description: How many files and directories were given to the process owner.
  returned: success
  type: int
"""

ROOM_BYTES = 1 << 20
ROOM_FILES = 16
LINKS = 40
"""How many links the kernel follows in one path."""
DEPTH = 32
"""Programs nest their directories less deeply than this."""
_OPEN = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class RefusedError(Exception):
    """A directory that root must not touch."""


class Step(NamedTuple):
    """A directory on the way: its path without links, and what it is."""

    path: str
    status: os.stat_result


class Wanted(NamedTuple):
    """A directory as it shall be; uid and gid are -1 where they are still to be made."""

    variable: str
    path: str
    uid: int
    gid: int
    mode: int
    ours: re.Pattern[str] | None
    whole: bool
    uses: frozenset[str]


class Found:
    """How far a path leads: the directories on the way, the last of them held open, and the names that are missing."""

    def __init__(self, steps: list[Step], handle: int, missing: list[str]) -> None:
        self.steps = steps
        self.handle = handle
        self.missing = missing

    @property
    def parents(self) -> list[Step]:
        """The directories that lead to it."""
        return self.steps if self.missing else self.steps[:-1]

    @property
    def status(self) -> os.stat_result | None:
        """The directory itself, if it exists."""
        return None if self.missing else self.steps[-1].status

    def names(self) -> list[str]:
        """What is in the directory."""
        if self.missing:
            return []
        handle = os.open(".", os.O_RDONLY | _OPEN, dir_fd=self.handle)
        try:
            return sorted(listed(handle))
        finally:
            os.close(handle)


def listed(handle: int) -> list[str]:
    """What is in an open directory."""
    return os.listdir(handle)


def find(path: str) -> Found:
    """Goes down to a directory by one name at a time.

    Raises:
        RefusedError: It is a link or no directory, or a link on the way is not root's alone.
    """
    rest = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    here, handle = "/", os.open("/", os.O_PATH | _OPEN)
    steps = [Step(here, os.fstat(handle))]
    links = 0
    while rest:
        name = rest.pop()
        below = str(PurePosixPath(here).parent if name == ".." else PurePosixPath(here) / name)
        try:
            inner = os.open(name, os.O_PATH | _OPEN, dir_fd=handle)
        except FileNotFoundError:
            return Found(steps, handle, [name, *reversed(rest)])
        except OSError as error:
            links += 1
            target = _target(name, handle, below, steps[-1].status, last=not rest, error=error)
            if links > LINKS:
                raise RefusedError(f"{below} is a link that leads in a circle") from error
            rest += [part for part in reversed(target.split("/")) if part not in ("", ".")]
            if not target.startswith("/"):
                continue
            below, inner = "/", os.open("/", os.O_PATH | _OPEN)
        os.close(handle)
        here, handle = below, inner
        steps.append(Step(here, os.fstat(handle)))
    return Found(steps, handle, [])


def _target(name: str, folder: int, path: str, parent: os.stat_result, *, last: bool, error: OSError) -> str:
    """Where a link on the way leads to, if nobody but root can change it."""
    if error.errno not in (errno.ENOTDIR, errno.ELOOP):
        raise RefusedError(f"{path} cannot be opened: {error.strerror}")
    try:
        target = os.readlink(name, dir_fd=folder)
    except OSError:
        raise RefusedError(f"{path} is no directory; move it away, or choose another path") from None
    if last:
        raise RefusedError(
            f"{path} is a link to {target}; root would follow it wherever somebody points it. Name the directory "
            "itself, or mount it there (mount --bind)"
        )
    link = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if link.st_uid != 0 or shared(parent):
        raise RefusedError(
            f"{path} on the way is a link that {user(link.st_uid or parent.st_uid)} can change; "
            "name the directory that it leads to"
        )
    return target


def shared(status: os.stat_result) -> bool:
    """Whether somebody other than root can change the names in a directory that root made."""
    writable = bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)) and not status.st_mode & stat.S_ISVTX
    return status.st_uid != 0 or writable


def user(uid: int) -> str:
    """A user's name, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def group(gid: int) -> str:
    """A group's name, or the number where there is none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"


def shown(status: os.stat_result) -> str:
    """Owner, group and mode, as a message shows them."""
    return f"{user(status.st_uid)}:{group(status.st_gid)} {stat.S_IMODE(status.st_mode):04o}"


class Owner:
    """The process owner, who may not exist yet."""

    def __init__(self, name: str, group_name: str) -> None:
        self.name = name
        self.groups: list[int] = []
        try:
            entry = pwd.getpwnam(name)
            self.uid, self.gid = entry.pw_uid, entry.pw_gid
            self.groups += os.getgrouplist(name, entry.pw_gid)
        except KeyError:
            self.uid = self.gid = -1
        try:
            self.groups.append(grp.getgrnam(group_name).gr_gid)
        except KeyError:
            return

    def stopped_at(self, steps: list[Step]) -> Step | None:
        """The first directory that the owner cannot pass: tried, or read from modes before there is an owner."""
        if self.uid == -1:
            return next((step for step in steps if not self._passes(step.status)), None)
        passable = self.tries(os.X_OK, [step.path for step in steps])
        return next((step for step, passes in zip(steps, passable, strict=True) if not passes), None)

    def _passes(self, status: os.stat_result) -> bool:
        bit = stat.S_IXGRP if status.st_gid in self.groups else stat.S_IXOTH
        return bool(status.st_mode & bit)

    def tries(self, access: int, paths: list[str]) -> list[bool]:
        """What the kernel allows the owner, asked by a process that is the owner's: ACLs and mounts count too."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups(self.groups)
                os.setgid(self.gid)
                os.setuid(self.uid)
                os.write(writer, json.dumps([os.access(path, access) for path in paths]).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as answer:
            text = answer.read()
        os.waitpid(child, 0)
        allowed: list[bool] = json.loads(text or b"null") or [False] * len(paths)
        return allowed


class Directories:
    """What was asked for, the faults found in it, and what was done about it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.owner = Owner(module.params["owner"], module.params["group"])
        self.wanted = [self._wanted(each) for each in module.params["directories"]]
        self.created: list[str] = []
        self.repaired: list[str] = []
        self.adjusted: list[str] = []
        self.earlier: set[int] = set()
        self.handed_over = 0
        self.diff: list[dict[str, str]] = []

    def _wanted(self, each: dict[str, Any]) -> Wanted:
        return Wanted(
            variable=each["variable"],
            path=each["path"],
            uid=_number(lambda: pwd.getpwnam(each["owner"]).pw_uid, each["owner"], self.module),
            gid=_number(lambda: grp.getgrnam(each["group"]).gr_gid, each["group"], self.module),
            mode=int(each["mode"], 8),
            ours=re.compile(each["ours"]) if each["ours"] else None,
            whole=each["whole"],
            uses=frozenset(each["uses"]),
        )

    def result(self) -> dict[str, Any]:
        """What was done, as the module returns it."""
        return {
            "changed": bool(self.created or self.repaired or self.adjusted),
            "created": self.created,
            "repaired": self.repaired,
            "adjusted": self.adjusted,
            "earlier": sorted(self.earlier),
            "handed_over": self.handed_over,
            "diff": self.diff,
        }

    def faults(self) -> list[str]:
        """All that is wrong, a line each, before anything is changed."""
        taken = packaged([each.path for each in self.wanted], self.module)
        lines: list[str] = []
        for wanted in self.wanted:
            try:
                found = find(wanted.path)
            except RefusedError as error:
                lines.append(f"{wanted.variable}: {error}")
                continue
            try:
                problems = [*_foreign(wanted, self.owner, taken), *self._problems(wanted, found)]
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
        """What is there already and belongs to somebody else."""
        status, names = found.status, found.names()
        if status is None or not names:
            return
        if wanted.ours is None and (status.st_uid != 0 or status.st_mode & stat.S_IWOTH):
            yield (
                f"{wanted.path} is {shown(status)} and not empty; others could write there, and root will trust what "
                f"it holds. Look through it, then: chown root: {wanted.path} && chmod go-w {wanted.path}"
            )
        foreign = wanted.ours is not None and not any(map(wanted.ours.fullmatch, names))
        if foreign and status.st_uid not in (0, self.owner.uid):
            yield (
                f"{wanted.path} belongs to {user(status.st_uid)} and holds nothing of ours; choose another directory, "
                f"or give it away: chown {self.owner.name}: {wanted.path}"
            )

    def _exposed(self, wanted: Wanted, found: Found) -> Iterator[str]:
        """Parents of a directory of root's that somebody else could put something in the place of."""
        for step in found.parents:
            if shared(step.status) and not self._is_repaired(step) and not self._is_wanted(step.path):
                yield (
                    f"{step.path}, on the way to {wanted.path}, is {shown(step.status)}, so others than root decide "
                    f"what is there; choose another path, or: chown root: {step.path} && chmod go-w {step.path}"
                )

    def _unreachable(self, wanted: Wanted, found: Found) -> Iterator[str]:
        steps = [each for each in found.parents if not self._is_repaired(each) and not self._is_wanted(each.path)]
        if (step := self.owner.stopped_at(steps)) is not None:
            owner, here = self.owner.name, step.path
            yield (
                f"{owner} cannot get to {wanted.path}: {here} is {shown(step.status)} and does not let it pass; "
                f"chmod o+x {here}, or setfacl -m u:{owner}:x {here}, or choose another path"
            )

    def _is_repaired(self, step: Step) -> bool:
        return step.status.st_uid != 0 and step.status.st_uid in (self.owner.uid, *self._before())

    def _is_wanted(self, path: str) -> bool:
        return any(os.path.normpath(each.path) == path for each in self.wanted)

    def _before(self) -> set[int]:
        """Who has, until now, a directory that holds what programs of ours made."""
        if not self.earlier:
            for wanted in self.wanted:
                if wanted.ours is not None:
                    self.earlier |= self._earlier_of(wanted)
        return self.earlier

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

    def make(self) -> None:
        """Makes and repairs; in check mode, says what it would."""
        self._before()
        for wanted in self.wanted:
            found = find(wanted.path)
            try:
                for step in found.parents:
                    if self._is_repaired(step) and not self._is_wanted(step.path):
                        self._repair(step)
                self._make(wanted, found)
            finally:
                os.close(found.handle)

    def _repair(self, step: Step) -> None:
        if step.path in self.repaired:
            return
        self.repaired.append(step.path)
        self._show(step.path, shown(step.status), "root:root 0755")
        if not self.module.check_mode:
            found = find(step.path)
            with Held(found.handle) as handle:
                os.fchown(handle, 0, 0)
                os.fchmod(handle, 0o755)
            os.close(found.handle)

    def _make(self, wanted: Wanted, found: Found) -> None:
        path, folder = found.steps[-1].path, found.handle
        after = f"{_name(user, wanted.uid, self.owner.name)}:{_name(group, wanted.gid)} {wanted.mode:04o}"
        for index, name in enumerate(found.missing):
            path = f"{path.rstrip('/')}/{name}"
            if path in self.created:
                continue
            self.created.append(path)
            self._show(path, "absent", after if index == len(found.missing) - 1 else "root:root 0755")
            if not self.module.check_mode:
                folder = _enter(folder, name, found.handle)
        status = os.fstat(folder)
        as_wanted = (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (
            wanted.uid,
            wanted.gid,
            wanted.mode,
        )
        if found.missing or not as_wanted:
            if not found.missing:
                self.adjusted.append(wanted.path)
                self._show(wanted.path, shown(status), after)
            if not self.module.check_mode:
                self._give(wanted, folder)
        if folder != found.handle:
            os.close(folder)

    def _give(self, wanted: Wanted, folder: int) -> None:
        """Sets owner, group and mode; what an earlier owner had in there first, for the directory tells of it."""
        with Held(folder) as handle:
            earlier = os.fstat(handle).st_uid
            if wanted.ours is not None and earlier not in (0, wanted.uid):
                for name in listed(handle):
                    if not wanted.whole and not wanted.ours.fullmatch(name):
                        continue
                    self.handed_over += hand_over(handle, name, earlier, wanted, DEPTH)
            os.fchown(handle, wanted.uid, wanted.gid)
            os.fchmod(handle, wanted.mode)

    def _show(self, path: str, before: str, after: str) -> None:
        headers = {"before_header": path, "after_header": path}
        self.diff.append({**headers, "before": f"{before}\n", "after": f"{after}\n"})

    def unwritable(self) -> list[str]:
        """Directories of the process owner that, now that they are made, it cannot write in after all."""
        mine = [each for each in self.wanted if each.ours is not None]
        allowed = self.owner.tries(os.R_OK | os.W_OK | os.X_OK, [each.path for each in mine])
        return [
            f"{each.variable}: {self.owner.name} cannot write in {each.path}, though it is {shown(os.lstat(each.path))}"
            "; look at the mount's options, at ACLs, and at what serves it"
            for each, may in zip(mine, allowed, strict=True)
            if not may
        ]


class Held:
    """A directory known by a path descriptor, opened so that it can be changed and listed."""

    def __init__(self, folder: int) -> None:
        self._folder = folder

    def __enter__(self) -> int:
        self._handle = os.open(".", os.O_RDONLY | _OPEN, dir_fd=self._folder)
        return self._handle

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def _enter(folder: int, name: str, first: int) -> int:
    """Makes a directory of root's and opens it; closes `folder`, unless it is the `first`."""
    os.mkdir(name, 0o700, dir_fd=folder)
    inner = os.open(name, os.O_PATH | _OPEN, dir_fd=folder)
    if os.fstat(inner).st_uid != os.geteuid():
        raise RefusedError(f"{name} was put in the place of a directory that was just made")
    with Held(inner) as handle:
        os.fchown(handle, 0, 0)
        os.fchmod(handle, 0o755)
    if folder != first:
        os.close(folder)
    return inner


def hand_over(folder: int, name: str, earlier: int, wanted: Wanted, depth: int) -> int:
    """Gives what an earlier owner has to the new one; links and what else is neither file nor directory stay."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOENT, errno.ENXIO):
            return 0
        raise
    try:
        status = os.fstat(handle)
        if depth == 0:
            raise RefusedError(
                f"{wanted.path} holds directories that are nested deeper than programs of ours make them"
            )
        count = 0
        if status.st_uid == earlier and (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            os.fchown(handle, wanted.uid, wanted.gid)
            count = 1
        if stat.S_ISDIR(status.st_mode):
            count += sum(hand_over(handle, each, earlier, wanted, depth - 1) for each in listed(handle))
        return count
    finally:
        os.close(handle)


def packaged(paths: list[str], module: AnsibleModule) -> dict[str, str]:
    """The Debian package of each directory that one has brought."""
    program = module.get_bin_path("dpkg-query")
    existing = [os.path.normpath(path) for path in paths if Path(path).is_dir()]
    if program is None or not existing:
        return {}
    _, answer, _ = module.run_command([program, "-S", *existing])
    lines = (line.partition(": ") for line in answer.splitlines())
    return {path: package for package, _, path in lines if path in existing}


def _foreign(wanted: Wanted, owner: Owner, taken: dict[str, str]) -> Iterator[str]:
    path = os.path.normpath(wanted.path)
    if path in taken:
        yield f"{path} belongs to the Debian package {taken[path]}; choose a directory of its own"
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
                f"{wanted.path}/{name} is no file of its own ({_kind(status)}, of {user(status.st_uid)}), and "
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


def _name(look_up: Callable[[int], str], number: int, otherwise: str = "to be made") -> str:
    return look_up(number) if number != -1 else otherwise


def _number(look_up: Callable[[], int], name: str, module: AnsibleModule) -> int:
    try:
        return look_up()
    except KeyError:
        if not module.check_mode:
            module.fail_json(msg=f"{name!r} does not exist on this host")
        return -1


def refuse(module: AnsibleModule, lines: list[str], what: str) -> None:
    """Fails with all faults, a line each."""
    many = f"{len(lines)} faults" if len(lines) > 1 else "1 fault"
    module.fail_json(msg="\n".join([f"{many} in the directories of this host; {what}:", *lines]))


def main() -> None:
    """Looks at all, then makes all."""
    options = {
        "variable": {"type": "str", "required": True},
        "path": {"type": "str", "required": True},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "mode": {"type": "str", "required": True},
        "ours": {"type": "str", "default": ""},
        "whole": {"type": "bool", "default": False},
        "uses": {"type": "list", "elements": "str", "default": [], "choices": ["reach", "room", "run", "append"]},
    }
    module = AnsibleModule(
        argument_spec={
            "directories": {"type": "list", "elements": "dict", "options": options, "required": True},
            "owner": {"type": "str", "required": True},
            "group": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    work = Directories(module)
    if lines := work.faults():
        refuse(module, lines, "nothing was changed")
    try:
        work.make()
    except (OSError, RefusedError) as error:
        module.fail_json(msg=str(error), **work.result())
    if not module.check_mode and (lines := work.unwritable()):
        refuse(module, lines, "they were made")
    module.exit_json(**work.result())


if __name__ == "__main__":
    main()
