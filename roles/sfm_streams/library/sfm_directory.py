#!/usr/bin/python
"""Ansible module: makes a directory equal to a list of files, in one run."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import re
import secrets
import shlex
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sfm_file_changes import Plan, attributes, plan_changes
from ansible.module_utils.sfm_files import File, RefusedError, adjust, read, unlink, write

DOCUMENTATION = r"""
---
module: sfm_directory
short_description: Make a directory equal to a list of files
description:
  - Writes the files that are missing or different, and removes the ones of ours that the list no longer names.
  - All of it is one run, whatever the number of files; a C(template) task costs about a second for each.
  - A file is replaced atomically. The new ones are all written under temporary names beside the old ones, judged
    together by O(validate), and only then renamed; so one invalid file leaves everything as it was.
  - Files whose names O(pattern) does not match belong to others; they are listed in RV(foreign) and never touched.
  - The action plugin of the same name renders the contents from a template on the controller, see O(template).
options:
  path:
    description: The directory. It must exist, except in check mode, where one to come counts as empty.
    type: path
    required: true
  files:
    description: What the directory should hold. Left out where O(template) and O(items) make it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The file's name; O(pattern) must match it.
        type: str
        required: true
      content:
        description: The whole content, written as UTF-8.
        type: str
        required: true
      mode:
        description: In place of O(mode).
        type: str
  template:
    description: A template of the role, rendered on the controller once for each of O(items), which it sees as C(item).
    type: str
  items:
    description: Mappings with the C(name) of the file, an optional C(mode), and whatever O(template) needs.
    type: list
    elements: dict
  pattern:
    description: A regular expression that matches the whole name of every file of ours.
    type: str
    required: true
  vital:
    description:
      - A regular expression for those of our files that never all vanish by themselves.
      - Where the list names none of them but the directory has some, nothing is done, for the list is probably
        empty by accident; unless O(allow_empty).
      - The same as O(pattern) if left out.
    type: str
  allow_empty:
    description: Whether all vital files may be removed.
    type: bool
    default: false
  owner:
    description: The owner of the files.
    type: str
  group:
    description: The group of the files.
    type: str
  mode:
    description: The mode of the files, an octal number as text.
    type: str
    default: '0640'
  purge:
    description: Whether files of ours that the list does not name are removed. If not, RV(orphans) has them.
    type: bool
    default: true
  validate:
    description:
      - A command, run without a shell, in which C(%s) becomes the paths of all new files under temporary names.
      - It does not run in check mode, when it may not be installed yet or be of an earlier release.
    type: str
  secret:
    description: Whether the contents must stay out of the result, so that there is no diff either.
    type: bool
    default: false
author: The sfm-stream authors
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: None where O(secret).
"""

EXAMPLES = r"""
- name: Write the program files and remove those of deleted filters
  sfm_directory:
    path: /etc/sfm/supervisor.d
    template: program.conf.j2
    items: "{{ _sfm_programs }}"
    pattern: (twitterfilter-[A-Za-z0-9_-]+|streamsample)\.conf
    owner: root
    group: sfm
    mode: "0640"

- name: Write the credentials
  sfm_directory:
    path: /etc/sfm/credentials
    template: credential.json.j2
    items: "{{ _sfm_credentials }}"
    pattern: "[A-Za-z0-9_-]+\\.json"
    validate: /opt/sfm/bin/sfm-stream validate %s
    secret: true
    purge: false
  no_log: true
"""

RETURN = r"""
added:
  description: Names of files that were not there.
  returned: success
  type: list
  elements: str
updated:
  description: Names of files that were there with another content, owner, group or mode.
  returned: success
  type: list
  elements: str
removed:
  description: Names of files that were removed.
  returned: success
  type: list
  elements: str
orphans:
  description: Names of files of ours that the list does not name and that are still there, for want of O(purge).
  returned: success
  type: list
  elements: str
foreign:
  description: Names of what O(pattern) does not match.
  returned: success
  type: list
  elements: str
cleaned:
  description: Names of temporary files of a run that was killed; they were removed.
  returned: success
  type: list
  elements: str
"""

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.sfm-tmp")
"""How files are named until they are complete: no include of ``*.conf`` and no glob of ``*.json`` finds them."""
VALIDATE_SECONDS = 120


class _Module(AnsibleModule):  # type: ignore[misc]
    """Keeps contents out of the host's system log and out of the result, secret or not."""

    def _log_invocation(self) -> None:
        self.log(f"Invoked for {self.params['path']} with {len(self.params['files'])} files")


def main() -> None:
    """Runs the module."""
    file_options = {
        "name": {"type": "str", "required": True},
        "content": {"type": "str", "required": True, "no_log": False},
        "mode": {"type": "str"},
    }
    module = _Module(
        argument_spec={
            "path": {"type": "path", "required": True},
            "files": {"type": "list", "elements": "dict", "options": file_options, "default": [], "no_log": False},
            "pattern": {"type": "str", "required": True},
            "vital": {"type": "str"},
            "allow_empty": {"type": "bool", "default": False},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "str", "default": "0640"},
            "purge": {"type": "bool", "default": True},
            "validate": {"type": "str"},
            "secret": {"type": "bool", "default": False, "no_log": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**Directory(module).make_equal(), invocation=_invocation(module))
    except (OSError, RefusedError) as error:
        module.fail_json(msg=str(error), invocation=_invocation(module))


def _invocation(module: AnsibleModule) -> dict[str, Any]:
    shown = {key: value for key, value in module.params.items() if key != "files"}
    return {"module_args": {**shown, "files": [each["name"] for each in module.params["files"]]}}


class Directory:
    """One directory and the files that it should hold."""

    def __init__(self, module: AnsibleModule) -> None:
        self.check_mode: bool = module.check_mode
        self.params: dict[str, Any] = module.params
        self.path = Path(module.params["path"])
        self.ours = _pattern("pattern", module.params["pattern"])
        self.wanted = self._wanted()

    def make_equal(self) -> dict[str, Any]:
        """Does it all, and says what was done."""
        if not self.path.is_dir():
            if not self.check_mode:
                raise RefusedError(f"{self.path}: {'is not a directory' if self.path.exists() else 'does not exist'}")
            return self._result(plan_changes({}, self.wanted), [], [], {})
        # By descriptor from here on: what is looked at and changed is this directory, wherever its name leads later.
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if not self.check_mode:
                self._lock(folder)
            entries = sorted(os.listdir(folder))  # noqa: PTH208 - of what is locked, not of a name
            mine = [name for name in entries if self.ours.fullmatch(name)]
            leftovers = [name for name in entries if TEMPORARY.fullmatch(name)]
            foreign = sorted(set(entries) - set(mine) - set(leftovers))
            found = self._found(mine, folder)
            plan = plan_changes(found, self.wanted)
            # Before anything is written: an inventory that lost its filters by mistake must not end all streams.
            self._guard(found)
            result = self._result(plan, leftovers, foreign, found)
            if not self.check_mode:
                self._apply(plan, leftovers, folder)
        finally:
            os.close(folder)
        return result

    def _lock(self, folder: int) -> None:
        """Two runs at once would take each other's temporary files for leftovers."""
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(f"{self.path}: another deployment is writing here; wait until it has ended") from None

    def _wanted(self) -> dict[str, File]:
        uid = _number("owner", self.params["owner"], lambda name: pwd.getpwnam(name).pw_uid, self.check_mode)
        gid = _number("group", self.params["group"], lambda name: grp.getgrnam(name).gr_gid, self.check_mode)
        wanted: dict[str, File] = {}
        for each in self.params["files"]:
            name = each["name"]
            if "/" in name or not self.ours.fullmatch(name):
                raise RefusedError(f"{self.path}: the file name {name!r} does not match {self.ours.pattern!r}")
            if name in wanted:
                raise RefusedError(f"{self.path}: the list names {name!r} twice")
            wanted[name] = File(each["content"].encode(), uid, gid, _mode(each["mode"] or self.params["mode"]))
        return wanted

    def _found(self, names: list[str], folder: int) -> dict[str, File]:
        """The files of ours as they are. A link at the name of an orphan counts as an empty file: it may go.

        Where the group may write program files, its members may exchange one for a link at any moment: what is read is
        what is held open.
        """
        found = {}
        for name in names:
            path = self.path / name
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                found[name] = read(name, folder)
            elif stat.S_ISLNK(status.st_mode) and name not in self.wanted:
                found[name] = File(b"", status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
            else:
                link = stat.S_ISLNK(status.st_mode)
                kind = f"a link to {os.readlink(name, dir_fd=folder)}" if link else "not a regular file"
                raise RefusedError(f"{path}: is {kind}, where a file of this deployment belongs; move it away")
        return found

    def _guard(self, found: dict[str, File]) -> None:
        vital = _pattern("vital", self.params["vital"] or self.params["pattern"])
        lost = [name for name in found if vital.fullmatch(name)]
        if not lost or not self.params["purge"] or self.params["allow_empty"]:
            return
        if not any(vital.fullmatch(name) for name in self.wanted):
            raise RefusedError(
                f"{self.path}: the list of files is empty, and {', '.join(lost)} would be removed; "
                "nothing was changed. If that is meant, say so: allow_empty, which for streams is sfm_filters: []"
            )

    def _result(self, plan: Plan, leftovers: list[str], foreign: list[str], found: dict[str, File]) -> dict[str, Any]:
        removed = plan.orphans if self.params["purge"] else []
        updated = sorted(plan.rewritten + plan.adjusted)
        result: dict[str, Any] = {
            "changed": bool(plan.added or updated or removed or leftovers),
            "added": plan.added,
            "updated": updated,
            "removed": removed,
            "orphans": [] if self.params["purge"] else plan.orphans,
            "foreign": foreign,
            "cleaned": leftovers,
        }
        if not self.params["secret"]:
            result["diff"] = [self._diff(name, found, removed) for name in [*plan.added, *updated, *removed]]
        return result

    def _diff(self, name: str, found: dict[str, File], removed: list[str]) -> dict[str, str]:
        before = found.get(name)
        after = None if name in removed else self.wanted[name]
        path = str(self.path / name)
        if before is not None and after is not None and before.content == after.content:
            sides = [attributes(before), attributes(after)]
        else:
            sides = [side.content.decode(errors="replace") if side else "" for side in (before, after)]
        return {"before_header": path, "after_header": path, "before": sides[0], "after": sides[1]}

    def _apply(self, plan: Plan, leftovers: list[str], folder: int) -> None:
        for name in leftovers:
            os.unlink(name, dir_fd=folder)
        staged: dict[str, str] = {}
        try:
            for name in [*plan.added, *plan.rewritten]:
                staged[name] = temporary = f".{name}.{secrets.token_hex(4)}.sfm-tmp"
                write(temporary, self.wanted[name], folder)
            # With all files complete and none in force: one that is wrong leaves every old one as it was.
            self._validate(staged)
            for name in list(staged):
                os.rename(staged[name], name, src_dir_fd=folder, dst_dir_fd=folder)
                del staged[name]
        finally:
            for temporary in staged.values():
                unlink(temporary, folder)
        for name in plan.adjusted:
            adjust(name, self.wanted[name], folder)
        if self.params["purge"]:
            # Removed last, so that a run that is killed leaves a program too many, and never one too few.
            for name in plan.orphans:
                unlink(name, folder)
        os.fsync(folder)

    def _validate(self, staged: dict[str, str]) -> None:
        if not self.params["validate"] or not staged:
            return
        paths = {str(self.path / temporary): name for name, temporary in staged.items()}
        command = [
            part for word in shlex.split(self.params["validate"]) for part in (paths if word == "%s" else [word])
        ]
        try:
            done = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=VALIDATE_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RefusedError(f"{self.path}: the files could not be checked: {error}") from error
        if done.returncode:
            said = done.stdout.decode(errors="replace").strip()
            for path, name in paths.items():
                said = said.replace(path, str(self.path / name))
            raise RefusedError(
                f"{self.path}: the new files are not valid, nothing was changed (code {done.returncode}):\n{said}"
            )


def _pattern(option: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise RefusedError(f"{option}: {text!r} is not a regular expression: {error}") from error


def _mode(text: str) -> int:
    if not re.fullmatch(r"[0-7]{3,4}", text):
        raise RefusedError(f"mode: {text!r} is not an octal number such as '0640'; put it in quotes")
    return int(text, 8)


def _number(option: str, name: str | None, look_up: Callable[[str], int], check_mode: bool) -> int:
    """The id of a user or group; in check mode, one that an earlier task would have made is nobody's id."""
    if name is None:
        return -1
    try:
        return look_up(name)
    except KeyError:
        if check_mode:
            return -2
        raise RefusedError(f"{option}: {name!r} does not exist on this host") from None


if __name__ == "__main__":
    main()
