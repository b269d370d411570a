"""The set of directories of a host, judged by their names alone: before any host is touched, and before a removal.

Root makes these directories, sets their owner and mode, and removes some of them. So none may be the system's, and
none may lie within another: who may write in the outer one decides what the name of the inner one leads to.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from sfm_stream.settings.faults import Fault, show

EXAMPLES: Mapping[str, str] = {
    "sfm_archive_dir": "/srv/sfm/archive",
    "sfm_config_dir": "/etc/sfm",
    "sfm_data_dir": "/srv/sfm/data",
    "sfm_dataset_dir": "/srv/sfm/dataset",
    "sfm_export_dir": "/srv/sfm/exports",
    "sfm_log_dir": "/var/log/sfm",
    "sfm_report_dir": "/srv/sfm/report",
    "sfm_state_dir": "/srv/sfm/state",
    "sfm_venv_dir": "/opt/sfm",
}
"""The variables that name a directory, each with what its faults propose."""

_OPTIONAL = ("sfm_archive_dir", "sfm_dataset_dir", "sfm_export_dir", "sfm_report_dir")
_WHOLE_TREES = (
    *("/bin", "/boot", "/dev", "/lib", "/lib32", "/lib64", "/libx32", "/lost+found", "/proc", "/root", "/run"),
    *("/sbin", "/sys", "/usr", "/var/backups", "/var/cache", "/var/lock", "/var/mail", "/var/run", "/var/spool"),
    *("/var/lib/apt", "/var/lib/containers", "/var/lib/dbus", "/var/lib/docker", "/var/lib/dpkg", "/var/lib/mysql"),
    *("/var/lib/pam", "/var/lib/polkit-1", "/var/lib/postgresql", "/var/lib/private", "/var/lib/python"),
    *("/var/lib/sudo", "/var/lib/systemd", "/var/lib/ucf", "/var/log/apt", "/var/log/journal", "/var/log/private"),
    *("/var/log/supervisor",),
)
"""The system's, with all that is below."""
_IN_USR_LOCAL = {"bin", "etc", "games", "include", "lib", "man", "sbin", "share", "src"}
"""What Debian makes in /usr/local; any other name there is a site's own."""
_SHORT_LIVED = ("/tmp", "/var/tmp")  # noqa: S108 - names to warn of
_SHARED_PLACES = (
    *("/", "/media", "/mnt", "/opt", "/srv", "/var", "/var/lib", "/var/local", "/var/log", "/var/opt"),
    "/var/www",
    *_SHORT_LIVED,
)
"""Places of many; only a directory of its own in one of them is ours."""
_OF_ETC = re.compile(
    "/etc/(alternatives|apt|bash.*|ca-certificates|cron.*|dbus-1|default|dhcp|dpkg|gss|init.*|iproute2|kernel|ld.so.*"
    "|logrotate.*|modprobe.*|modules.*|network|opt|pam.*|perl.*|ppp|profile.*|python.*|rc.*|rsyslog.*|runit|security"
    "|selinux|skel|ssh|ssl|sudoers.*|supervisor|sv|sysctl.*|systemd|terminfo|tmpfiles.*|udev|update-.*|X11|xdg)"
)
"""What programs other than ours read in /etc."""
_SAFE = re.compile(r"[\w./@%+=,:~-]+")
"""Characters that mean nothing to a shell, supervisor, systemd, logrotate or a glob."""


def directory_faults(variables: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the directories that these variables name.

    Args:
        variables: The variables of one host and the defaults of those it leaves out. One that is optional and
            empty is none, and a value that is no text is left to the check of types.
    """
    paths = _paths(variables)
    for variable, path in paths.items():
        yield from _own_faults(variable, path)
    for (one, first), (other, second) in combinations(paths.items(), 2):
        if {one, other} != {"sfm_archive_dir", "sfm_data_dir"} or first != second:
            yield from _nesting(one, _plain(first), other, _plain(second))


def directory_warnings(variables: Mapping[str, Any]) -> Iterator[Fault]:
    """What may be meant, but will be regretted."""
    for variable, path in _paths(variables).items():
        if any(_within(_plain(path), place) for place in _SHORT_LIVED):
            yield Fault(
                where=variable,
                problem=f"{show(path)} lies where the system removes what is old",
                fix=f"a lasting place is {EXAMPLES[variable]}",
            )


def _paths(variables: Mapping[str, Any]) -> dict[str, str]:
    named = {variable: variables.get(variable) for variable in EXAMPLES}
    return {
        variable: path
        for variable, path in named.items()
        if isinstance(path, str) and (path or variable not in _OPTIONAL)
    }


def _own_faults(variable: str, path: str) -> Iterator[Fault]:
    fix = f"the absolute path of a directory of its own is needed, such as {EXAMPLES[variable]}"
    if not _SAFE.fullmatch(path):
        fix = f"letters, digits and . _ - + = @ % , : ~ are allowed, such as in {EXAMPLES[variable]}"
        yield Fault(where=variable, problem=f"found {show(path)}", fix=fix)
    elif not path.startswith("/"):
        yield Fault(where=variable, problem=f"found {show(path)}, which is not absolute", fix=fix)
    elif ".." in path.split("/"):
        fix = f"write where it leads to: {os.path.normpath(path)}"
        yield Fault(where=variable, problem=f"found {show(path)}, with `..` in it", fix=fix)
    elif place := _place_of_others(variable, _plain(path)):
        yield Fault(where=variable, problem=f"found {show(path)}, but {place}", fix=fix)


def _place_of_others(variable: str, path: str) -> str:
    """Whose a path is; empty if it may be ours."""
    if path in _SHARED_PLACES:
        return "that is a place of many"
    if _within(path, "/etc"):
        first = "/".join(path.split("/")[:3])
        if variable != "sfm_config_dir" or path == "/etc":
            return "only sfm_config_dir may be a directory in /etc"
        return f"{first} is what other programs of the system read" if _OF_ETC.fullmatch(first) else ""
    if _within(path, "/usr/local") and path.split("/")[3:4] and path.split("/")[3] not in _IN_USR_LOCAL:
        return ""
    if _within(path, "/home"):
        return "/home is for people, who may change what is in there"
    tree = next((tree for tree in _WHOLE_TREES if _within(path, tree)), "")
    return f"{tree} is the system's, with all that is below" if tree else ""


def _nesting(one: str, first: str, other: str, second: str) -> Iterator[Fault]:
    if first == second:
        yield Fault(where=one, problem=f"{show(first)} is {other} too", fix="give each a directory of its own")
        return
    for inner, inside, outer, outside in ((one, first, other, second), (other, second, one, first)):
        if _within(inside, outside):
            yield Fault(
                where=inner,
                problem=f"{show(inside)} lies within {outer}, {show(outside)}",
                fix="who may write in the outer one, or removes it, has the inner one as well: put them side by side",
            )


def _plain(path: str) -> str:
    """The path without what changes nothing; two slashes at the beginning, which POSIX keeps, are one to Linux."""
    return os.path.normpath(re.sub("^/+", "/", path))


def _within(path: str, tree: str) -> bool:
    return path == tree or path.startswith(tree.rstrip("/") + "/")
