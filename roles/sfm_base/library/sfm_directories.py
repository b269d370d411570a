#!/usr/bin/python
"""Ansible module: the directories of a capture host, looked at, made and repaired without following a name."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sfm_directory_faults import Examination, Wanted
from ansible.module_utils.sfm_paths import OPEN, Found, Held, RefusedError, Step, find, group, listed, shown, user
from ansible.module_utils.sfm_process_owner import Owner

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

DEPTH = 32
"""Programs nest their directories less deeply than this."""


class Directories:
    """What was asked for, and what was done about it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.owner = Owner(module.params["owner"], module.params["group"])
        self.wanted = [self._wanted(each) for each in module.params["directories"]]
        self.examination = Examination(self.wanted, self.owner)
        self.created: list[str] = []
        self.repaired: list[str] = []
        self.adjusted: list[str] = []
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
            "earlier": sorted(self.examination.earlier),
            "handed_over": self.handed_over,
            "diff": self.diff,
        }

    def make(self) -> None:
        """Makes and repairs; in check mode, says what it would."""
        for wanted in self.wanted:
            found = find(wanted.path)
            try:
                for step in found.parents:
                    if self.examination.is_repaired(step) and not self.examination.is_wanted(step.path):
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


def _enter(folder: int, name: str, first: int) -> int:
    """Makes a directory of root's and opens it; closes `folder`, unless it is the `first`."""
    os.mkdir(name, 0o700, dir_fd=folder)
    inner = os.open(name, os.O_PATH | OPEN, dir_fd=folder)
    # Between the two calls the owner of `folder` may have put its own directory there.
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
        # Links and devices stay as they are. What was not the earlier owner's, somebody else has put there on purpose.
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
    if lines := work.examination.faults(packaged([each.path for each in work.wanted], module)):
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
