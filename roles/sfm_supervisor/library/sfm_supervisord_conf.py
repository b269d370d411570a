#!/usr/bin/python
"""Ansible module: our lines in the host's own supervisord.conf, and its socket."""

from __future__ import annotations

import glob
import grp
import os
import pwd
import re
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sfm_supervisord_conf_text import edit, parse, undo

DOCUMENTATION = """
---
module: sfm_supervisord_conf
short_description: Our lines in the host's own supervisord.conf
description:
  - Adds a pattern of program files to C([include] files), settings to C([unix_http_server]), and the sections that
    supervisorctl needs where they are missing. Every other line stays as it is, line ends included.
  - The live socket gets its owner and mode at once, so that no restart is needed for them.
  - With O(state=absent) the file is given back as it was; what others edited in between stays.
author: The sfm-stream authors
options:
  path:
    description: The configuration file; it must exist (except in check mode, before supervisor is installed).
    type: path
    default: /etc/supervisor/supervisord.conf
  pattern:
    description: Absolute pattern of the program files to include. Needed with O(state=present).
    type: str
    default: ""
  socket:
    description: C(chmod) and C(chown) of C([unix_http_server]), as supervisor writes them. Empty leaves it alone.
    type: dict
    default: {}
  state:
    description: Whether our lines stand there.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
    description: Says what would change.
  diff_mode:
    support: full
    description: Shows the edit; passwords are masked.
notes:
  - The original file is kept once, as C(<path>.before-sfm-stream), never readable to more people than the file itself.
"""

EXAMPLES = """
- name: Include our program files, and let operators talk to supervisor
  sfm_supervisord_conf:
    pattern: /etc/sfm/supervisor.d/*.conf
    socket: {chmod: "0770", chown: "root:sfm-operators"}

- name: Give the file back as it was
  sfm_supervisord_conf:
    state: absent
"""

RETURN = """
programs:
  description: The programs and event listeners that supervisord.conf and the files it includes declare.
  type: list
  elements: str
  returned: always
backup:
  description: Where the file lies as it was before us.
  type: str
  returned: always
socket_before:
  description: The group that the live socket belonged to, if this has changed the socket.
  type: str
  returned: success
lost:
  description: Users who could talk to supervisord by that group, and can no longer.
  type: list
  elements: str
  returned: success
"""

REPAIR = (
    "Debian's own comes back with: apt-get install --reinstall -o Dpkg::Options::=--force-confask,confmiss supervisor"
)
SECRET = re.compile(r"^(\s*(?:password|environment)\s*[=:]).*$", re.MULTILINE | re.IGNORECASE)


class Socket(NamedTuple):
    """Who may talk to supervisord."""

    uid: int
    gid: int
    mode: int


def read(path: Path) -> str:
    """The file as it is, line ends included."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


def write(module: AnsibleModule, path: Path, text: str) -> None:
    """Replaces the file in one step; Ansible's own move keeps owner and mode."""
    handle, temporary = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(handle, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
    module.atomic_move(temporary, str(path))


def printable(text: str) -> str:
    """The text for a diff: no secrets, and nothing that JSON cannot carry."""
    return SECRET.sub(r"\1 ********", text).encode("utf-8", "replace").decode()


def programs(text: str, here: Path) -> list[str]:
    """What the text and the files that it includes declare, by name."""
    texts = [text]
    for pattern in parse(text).get("include", "files", fallback="").replace("%(here)s", str(here)).split():
        texts += [read(Path(file)) for file in sorted(glob.glob(str(here / pattern)))]  # noqa: PTH207
    found = set()
    for each in texts:
        found.update(re.findall(r"^\[(?:program|fcgi-program|eventlistener):([^\]]+)\]", each, re.MULTILINE))
    return sorted(found)


def adjust_socket(module: AnsibleModule, text: str, here: Path) -> Socket | None:
    """Gives the live socket the owner and mode that the text names: supervisord itself does so only as it starts.

    Returns:
        How the socket was before, if it was otherwise. The socket is held open, not named, while it is changed: its
        directory may be one that others write in, /tmp for instance.
    """
    settings = parse(text)
    path = settings.get("unix_http_server", "file", fallback="").replace("%(here)s", str(here))
    owner, _, group = settings.get("unix_http_server", "chown", fallback="root:root").replace(" ", "").partition(":")
    mode = int(settings.get("unix_http_server", "chmod", fallback="0700"), 8)
    try:
        handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(handle)
        if not stat.S_ISSOCK(status.st_mode):
            return None
        before = Socket(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
        uid, gid = number(owner, pwd.getpwnam, "pw_uid"), number(group or "root", grp.getgrnam, "gr_gid")
        if uid is None or gid is None:
            if not module.check_mode:
                module.fail_json(msg=f"[unix_http_server] chown={owner}:{group}: this host has no such user or group")
            return before
        after = Socket(uid, gid, mode)
        if before == after:
            return None
        if not module.check_mode:
            os.chown(f"/proc/self/fd/{handle}", after.uid, after.gid)
            Path(f"/proc/self/fd/{handle}").chmod(after.mode)
        return before
    finally:
        os.close(handle)


def members(gid: int) -> set[str]:
    """The users in a group, by their own primary group or by its list."""
    try:
        listed = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        listed = set()
    return listed | {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == gid}


def group_name(gid: int) -> str:
    """A group's name, or its number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def lost(before: Socket | None, group: str) -> list[str]:
    """Who could use the socket as it was, and cannot as a member of the new group; root always can."""
    if before is None:
        return []
    had = members(before.gid) if before.mode & stat.S_IWGRP else set()
    had |= {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == before.uid and before.mode & stat.S_IWUSR}
    gid = number(group, grp.getgrnam, "gr_gid")
    return sorted(had - (members(gid) if gid is not None else set()) - {"root"})


def number(name: str, look_up: Callable[[str], Any], field: str) -> int | None:
    """The id of a user or group, which supervisor takes as a number too; None if it does not exist (yet)."""
    if name.isdigit():
        return int(name)
    try:
        return int(getattr(look_up(name), field))
    except KeyError:
        return None


def backup(path: Path) -> Path:
    """Where the file is kept as it was before us."""
    return path.with_name(path.name + ".before-sfm-stream")


def keep(path: Path, text: str) -> None:
    """Keeps the first original; a later one would be of our own making. It may hold passwords, as the original may."""
    if backup(path).exists():
        return
    status = path.stat()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{backup(path).name}.")
    with os.fdopen(handle, "wb") as file:
        os.fchown(handle, status.st_uid, status.st_gid)
        os.fchmod(handle, stat.S_IMODE(status.st_mode))
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        os.fsync(handle)
    Path(temporary).rename(backup(path))


def narrow(path: Path, check_mode: bool) -> bool:
    """Takes from the backup what the original does not allow any more; whether there was such a thing."""
    if not backup(path).exists():
        return False
    kept, status = backup(path).stat(), path.stat()
    same = (kept.st_uid, kept.st_gid) == (status.st_uid, status.st_gid)
    mode = stat.S_IMODE(kept.st_mode) & stat.S_IMODE(status.st_mode) & (0o777 if same else 0o600)
    if mode == stat.S_IMODE(kept.st_mode):
        return False
    if not check_mode:
        backup(path).chmod(mode)
    return True


def discard(path: Path, text: str) -> None:
    """The backup has done its duty once the file is what it was."""
    if backup(path).exists() and read(backup(path)) == text:
        backup(path).unlink()


def main() -> None:
    """Reads, edits, writes."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
            "pattern": {"type": "str", "default": ""},
            "socket": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    present = module.params["state"] == "present"
    if present and not Path(module.params["pattern"]).is_absolute():
        module.fail_json(msg=f"pattern: {module.params['pattern']!r} is no absolute pattern of program files")
    # A link stays a link; what it leads to is edited.
    path = Path(module.params["path"]).resolve()
    if not path.exists():
        if present and not module.check_mode:
            module.fail_json(msg=f"{path} does not exist. {REPAIR}")
        module.exit_json(changed=present, programs=[], backup=str(backup(path)))

    here = path.parent
    old = read(path)
    try:
        new = (
            edit(old, pattern=module.params["pattern"], socket=module.params["socket"], here=str(here))
            if present
            else undo(old)
        )
        listed = programs(new, here)
        changed = new != old
        if changed and not module.check_mode:
            if present:
                keep(path, undo(old))
            write(module, path, new)
        if not present and not module.check_mode:
            discard(path, new)
        changed = narrow(path, module.check_mode) or changed
        before_us = None
        if (present and module.params["socket"]) or (not present and changed):
            before_us = adjust_socket(module, new, here)
            changed = before_us is not None or changed
    except ValueError as error:
        module.fail_json(msg=f"{path}: supervisor cannot read this file: {error}. {REPAIR}")
    group = module.params["socket"].get("chown", "").partition(":")[2]
    before, after = (printable(text) for text in (old, new))
    module.exit_json(
        changed=changed,
        diff={"before": before, "after": after, "before_header": str(path), "after_header": str(path)},
        programs=listed,
        backup=str(backup(path)),
        socket_before=group_name(before_us.gid) if before_us else "",
        lost=lost(before_us, group) if group else [],
    )


if __name__ == "__main__":
    main()
