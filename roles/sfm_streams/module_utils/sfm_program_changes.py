"""What makes the live programs those that are declared; decided from both alone, without touching a program."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from ansible.module_utils.sfm_supervisord import Process


class Pending(NamedTuple):
    """How our program files differ from what supervisor has: names of declared programs."""

    added: list[str]
    changed: list[str]


class Plan(NamedTuple):
    """What is to be done, or was done; names, in this order. `respected` is left alone."""

    removed: list[str]
    restarted: list[str]
    added: list[str]
    started: list[str]
    reloaded: list[str]
    respected: list[str]


def plan_changes(
    declared: Collection[str],
    live: Mapping[str, Process],
    pending: Pending,
    *,
    upstream: Mapping[str, str],
    start_stopped: bool,
    must_reload: Callable[[Process], bool],
) -> Plan:
    """What is to be done.

    Args:
        declared: The programs that should run, in the order of their start.
        live: The live processes of ours, declared or not.
        pending: How their program files differ from what supervisor has.
        upstream: The program that each connects to, where that is of this host, too.
        start_stopped: Whether programs that were stopped by hand are started.
        must_reload: Whether a running program is to read its settings again.
    """
    removed = [name for name in live if name not in declared]
    touched = {*pending.added, *pending.changed}
    others = [live[name] for name in declared if name in live and name not in touched]
    respected = [] if start_stopped else [each["name"] for each in others if stopped_by_hand(each)]
    cut_off = {
        each["name"]
        for each in others
        if upstream.get(each["name"]) in pending.changed and each["statename"] in ("RUNNING", "STARTING")
    }
    restarted = [name for name in declared if name in pending.changed or name in cut_off]
    others = [each for each in others if each["name"] not in {*respected, *restarted}]
    ended = ("STOPPED", "EXITED", "FATAL", "BACKOFF", "UNKNOWN")
    started = [each["name"] for each in others if each["statename"] in ended]
    reloaded = [each["name"] for each in others if each["statename"] == "RUNNING" and must_reload(each)]
    return Plan(removed, restarted, pending.added, started, reloaded, respected)


def stopped_by_hand(process: Process) -> bool:
    """Whether someone stopped it: one that supervisor has not started yet is STOPPED as well, but never ran."""
    return bool(process["statename"] == "STOPPED" and process["start"])
