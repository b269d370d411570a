"""Whom a command acts as that root started: the owner of the directories it is about.

What a command makes there must not belong to root, and root must not follow a name that another user can change. So
before it touches anything in them, it becomes their owner, for good.
"""

from __future__ import annotations

import os
import pwd
import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sfm_stream.errors import StorageError, UsageError

_MOST_LINKS = 40


def require_directory(path: Path) -> None:
    """Checks that a directory exists which no command creates.

    Raises:
        StorageError: It is not; the message says how it comes to be.
    """
    try:
        there = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        there = False
    except OSError as error:
        raise StorageError(f"{path}: cannot be reached: {error.strerror}") from error
    if not there:
        user = name_of(os.geteuid()) if os.geteuid() else "sfm"
        raise StorageError(
            f"{path}: no such directory; a deployment makes it, and so does, by hand: "
            f"sudo install -d -m 2750 -o {user} {path}"
        )


def become_owner(*directories: Path) -> None:
    """Started by root, goes on as the owner of those of `directories` that are there; otherwise does nothing.

    Import what is needed before: the owner may not be able to read where this program lies.

    Raises:
        UsageError: They belong to several users, or another user can change where one of the paths leads.
    """
    os.umask(0o027)
    if os.geteuid() != 0:
        return
    # What is loaded late as a rule.
    import csv  # noqa: F401
    import unicodedata  # noqa: F401

    datetime.strptime("2014+0000", "%Y%z")
    "".encode("unicode_escape")

    owners: dict[int, tuple[Path, os.stat_result]] = {}
    for directory in directories:
        with suppress(FileNotFoundError, NotADirectoryError):
            status = reach(directory)
            if status.st_uid:
                owners.setdefault(status.st_uid, (directory, status))
    if len(owners) > 1:
        whose = ", ".join(f"{path} to {name_of(uid)}" for uid, (path, _) in owners.items())
        raise UsageError(f"root acts for one user only, and {whose}; name directories that belong to one")
    for _, status in owners.values():
        _become(status.st_uid, status.st_gid)


def refuse_root(command: str, *directories: Path) -> None:
    """Refuses to capture as root into directories of another user's.

    Raises:
        UsageError: With the command that works.
    """
    if os.geteuid() != 0:
        return
    for directory in directories:
        require_directory(directory)
        if uid := reach(directory).st_uid:
            raise UsageError(
                f"as root, this would leave root's files in {directory}; run it as the owner: "
                f"sudo -u {name_of(uid)} sfm-stream {command}"
            )


def reach(path: Path) -> os.stat_result:
    """The status of a directory, if none but root and its owner can change where the path to it leads.

    Raises:
        OSError: It is not there, or is no directory.
        UsageError: Somebody else can: owns a directory or a link on the way, or may write to one.
    """
    *steps, (last, end) = _steps(os.path.abspath(path))  # noqa: PTH100 - links stay, to be looked at
    if not stat.S_ISDIR(end.st_mode):
        raise NotADirectoryError(f"{path} is no directory")
    for step, status in steps:
        if step == last:
            continue  # what lies in it is up to its owner
        if status.st_uid not in (0, end.st_uid):
            why = f"belongs to {name_of(status.st_uid)}"
        elif stat.S_ISDIR(status.st_mode) and status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
            why = f"can be written by others (mode {stat.S_IMODE(status.st_mode):04o})"
        else:
            continue
        fix = f"sudo -u {name_of(end.st_uid)} sfm-stream ..." if end.st_uid else f"chown root {step}; chmod go-w {step}"
        raise UsageError(f"{path}: root goes no way that another user can change, and {step} {why}; fix: {fix}")
    return end


def name_of(uid: int) -> str:
    """The name of a user; ``#`` and the number, as sudo takes it, where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def _steps(path: str) -> list[tuple[str, os.stat_result]]:
    """Each directory and link that the kernel passes on the way to `path`, the end last; the end is no link."""
    steps = [("/", os.lstat("/"))]
    here, rest, links = "", [part for part in path.split("/") if part][::-1], 0
    while rest:
        part = rest.pop()
        if part == "..":
            here = here.rpartition("/")[0]
            continue
        step = f"{here}/{part}"
        status = os.lstat(step)
        steps.append((step, status))
        if not stat.S_ISLNK(status.st_mode):
            here = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise NotADirectoryError(f"{path}: links lead round in a circle")
        target = os.readlink(step)  # noqa: PTH115
        if target.startswith("/"):
            here = ""
        rest += [part for part in target.split("/") if part not in ("", ".")][::-1]
    return [*steps, (here or "/", os.lstat(here or "/"))]


def _become(uid: int, gid: int) -> None:
    try:
        os.initgroups(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)
