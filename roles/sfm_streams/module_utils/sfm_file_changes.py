"""What makes the files of a directory equal to a list; decided from both alone, without touching either."""

from __future__ import annotations

from typing import NamedTuple

from ansible.module_utils.sfm_files import File


class Plan(NamedTuple):
    """What has to be done; names, sorted. `adjusted` are right but for owner, group or mode."""

    added: list[str]
    rewritten: list[str]
    adjusted: list[str]
    orphans: list[str]


def plan_changes(found: dict[str, File], wanted: dict[str, File]) -> Plan:
    """What makes `found` equal to `wanted`."""
    common = sorted(found.keys() & wanted.keys())
    rewritten = [name for name in common if found[name].content != wanted[name].content]
    adjusted = [name for name in common if name not in rewritten and not _same_attributes(found[name], wanted[name])]
    return Plan(
        added=sorted(wanted.keys() - found.keys()),
        rewritten=rewritten,
        adjusted=adjusted,
        orphans=sorted(found.keys() - wanted.keys()),
    )


def _same_attributes(found: File, wanted: File) -> bool:
    return found.mode == wanted.mode and wanted.uid in (-1, found.uid) and wanted.gid in (-1, found.gid)


def attributes(file: File) -> str:
    """Owner, group and mode, as a diff shows them."""
    return f"mode: {file.mode:04o}\nuid: {file.uid}\ngid: {file.gid}\n"
