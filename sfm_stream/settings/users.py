"""The users and groups of a host, judged by their names: none of them may become root by what we do for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sfm_stream.settings.faults import Fault, show

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.@\\-]{0,254}\$?")
"""What user and group names of a host or a directory service look like; digits alone would be read as a number."""
POWERFUL = frozenset({"disk", "docker", "incus", "kmem", "libvirt", "lxd", "root", "shadow", "staff", "sudo", "wheel"})
"""Groups whose members are root, or can become it."""
NAMES = ("sfm_process_owner", "sfm_group", "sfm_operator_group", "sfm_report_user", "sfm_export_user")
LISTS = ("sfm_group_members", "sfm_operators")


def user_faults(variables: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the users and groups that these variables name.

    Args:
        variables: The variables of one host and the defaults of those it leaves out. A value of another type is left to
            the check of types.
    """
    named = {variable: variables.get(variable) for variable in NAMES}
    for variable, name in named.items():
        yield from _name_faults(variable, name)
    members = {variable: variables.get(variable) or () for variable in LISTS}
    for variable, names in members.items():
        for index, name in enumerate(names if isinstance(names, list | tuple) else ()):
            yield from _name_faults(f"{variable}[{index}]", name)
    if named["sfm_process_owner"] == "root":
        yield Fault(
            where="sfm_process_owner", problem='found "root"', fix="the programs must run as a user without power"
        )
    if isinstance(named["sfm_group"], str) and named["sfm_group"] in POWERFUL:
        fix = "the process owner joins this group, so it must be one without power, such as sfm"
        yield Fault(
            where="sfm_group", problem=f"found {show(named['sfm_group'])}, whose members can become root", fix=fix
        )
    for variable in ("sfm_report_group", "sfm_export_group"):
        if variables.get(variable):
            yield from _name_faults(variable, variables[variable])
    yield from _control(named, members["sfm_operators"])
    for variable, example in (("sfm_report_user", "sfm-report"), ("sfm_export_user", "sfm-export")):
        yield from _reader(variable, example, named, members["sfm_operators"])


def _reader(variable: str, example: str, named: Mapping[str, Any], operators: object) -> Iterator[Fault]:
    """Who makes reports or exports reads what strangers wrote, and must not be able to change any of it."""
    name = named[variable]
    fix = f"a user of its own is needed, such as {example}, who can read the data and no more"
    if name == "root":
        yield Fault(where=variable, problem='found "root"', fix=fix)
    elif name is not None and name == named["sfm_process_owner"]:
        yield Fault(where=variable, problem=f"{show(name)} is sfm_process_owner, who writes the data", fix=fix)
    elif isinstance(operators, list | tuple) and name in operators:
        yield Fault(where=variable, problem=f"{show(name)} is one of sfm_operators", fix=fix)


def user_warnings(variables: Mapping[str, Any]) -> Iterator[Fault]:
    """What may be meant, but gives more away than its name says."""
    if variables.get("sfm_group_may_write_programs") is True:
        problem = f"every member of {show(variables.get('sfm_group'))} can become root, and so can each capture program"
        fix = "to start and stop programs, sfm_operators is enough"
        yield Fault(where="sfm_group_may_write_programs", problem=problem, fix=fix)


def _name_faults(where: str, name: object) -> Iterator[Fault]:
    if isinstance(name, str) and not _NAME.fullmatch(name):
        fix = "a name begins with a letter or _, and goes on with letters, digits and . _ - @"
        yield Fault(where=where, problem=f"found {show(name)}", fix=fix)


def _control(named: Mapping[str, Any], operators: object) -> Iterator[Fault]:
    """The programs must not control the supervisor that starts them, for it runs as root whatever it is given."""
    if named["sfm_group"] is not None and named["sfm_operator_group"] == named["sfm_group"]:
        problem = f"{show(named['sfm_group'])} is sfm_group too, and the process owner is in that"
        fix = "name another group; members of sfm_group who are to control programs belong in sfm_operators"
        yield Fault(where="sfm_operator_group", problem=problem, fix=fix)
    if isinstance(operators, list | tuple) and named["sfm_process_owner"] in operators:
        problem = f"{show(named['sfm_process_owner'])} is the process owner"
        fix = "take it out: a fault in a program would control every program of the host"
        yield Fault(where="sfm_operators", problem=problem, fix=fix)
