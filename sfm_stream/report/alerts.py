"""Of which troubles people are told, and when. Pure: what was remembered and what is seen now, to what is to be said.

A trouble is told once it has been seen for `SETTLE`, so that a restart calls nobody; told again each day while it
lasts, or when it has become worse; and once when it is over. What could not be looked at is never said to be over.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from sfm_stream import table
from sfm_stream.report.memory import Memory, Seen
from sfm_stream.report.view import PASSING, Overview, Severity, Trouble, TroubleKind

SETTLE = timedelta(seconds=45)
"""Less than the minute between two looks: what two of them see is told."""
REMIND = timedelta(days=1)
BOOT = 300.0
"""Seconds after the machine has come up, in which nobody is called: all of it is still starting."""


class What(StrEnum):
    """What is said of a trouble."""

    BEGUN = "TROUBLE"
    WORSE = "WORSE"
    LASTS = "STILL"
    OVER = "OVER"


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be told.

    Attributes:
        what: What is said.
        where: The program; "" for the host.
        kind: What the trouble is about.
        severity: How bad it is.
        text: In words.
        since: When it was first seen.
    """

    what: What
    where: str
    kind: str
    severity: str
    text: str
    since: datetime


def evaluate(memory: Memory, view: Overview, *, quiet: bool) -> tuple[Memory, tuple[AlertEvent, ...]]:
    """What is to be told now, and what is remembered once it is.

    Args:
        memory: What was remembered.
        view: How things stand.
        quiet: Whether work is under way on purpose, or the machine has only just come up: then nothing is told, and
            nothing that is seen counts.
    """
    if quiet:
        return msgspec.structs.replace(memory, evaluated=view.time), ()
    present = _present(view)
    troubles: dict[str, Seen] = {}
    events: list[AlertEvent] = []
    for key, trouble in present.items():
        troubles[key], event = _seen(memory.troubles.get(key), key, trouble, view.time)
        events += [event] if event else []
    # What cannot be looked at has not ended: its trouble stays until it can be seen to be over.
    unknown = _unknown(view)
    for key, seen in memory.troubles.items():
        if key in present or (seen.told is None and not _is_unknown(key, unknown)):
            continue
        if _is_unknown(key, unknown) or seen.gone is None or view.time - seen.gone < SETTLE:
            gone = None if _is_unknown(key, unknown) else seen.gone or view.time
            troubles[key] = msgspec.structs.replace(seen, gone=gone)
        else:
            events.append(_event(What.OVER, key, seen))
    return msgspec.structs.replace(memory, evaluated=view.time, troubles=troubles), tuple(events)


def untold(after: Memory, before: Memory, events: tuple[AlertEvent, ...]) -> Memory:
    """What is remembered where none of `events` reached anybody: they are told again the next time."""
    undone = {key: before.troubles[key] for each in events if (key := f"{each.where}:{each.kind}") in before.troubles}
    return msgspec.structs.replace(after, troubles={**after.troubles, **undone})


def is_quiet(view: Overview, uptime: float) -> bool:
    """Whether nobody is called: `uptime` is for how many seconds the machine has been up."""
    return view.host.planned is not None or uptime < BOOT


def digest_due(memory: Memory, at: str, now: datetime) -> bool:
    """Whether the day's digest is to be sent: `at` is an hour of the day (UTC) like ``07:30``; "" for never."""
    return bool(at) and f"{now:%H:%M}" >= at and memory.digest != now.date()


def subject(name: str, events: tuple[AlertEvent, ...]) -> str:
    """What stands above a message of a host of this name."""
    counted = [(what, sum(each.what is what for each in events)) for what in What]
    return f"sfm on {name}: {', '.join(f'{count} {what.lower()}' for what, count in counted if count)}"


def body(events: tuple[AlertEvent, ...], now: datetime) -> str:
    """The message: a line each, the worst first."""
    order = {each: -each.rank for each in Severity}
    shown = sorted(events, key=lambda each: (each.what is What.OVER, order[Severity(each.severity)], each.where))
    return "\n".join(_line(each, now) for each in shown)


def _line(event: AlertEvent, now: datetime) -> str:
    lasted = table.duration(max(1.0, (now - event.since).total_seconds()))
    span = f"it lasted {lasted}" if event.what is What.OVER else f"for {lasted}"
    text = " ".join(event.text.split())
    where = event.where or "this host"
    return table.printable(f"{event.what} ({event.severity}) {where}: {text} [{event.kind}, {span}]")


def _present(view: Overview) -> dict[str, Trouble]:
    """The troubles that people are told of, by where and what; of two of a kind the worse."""
    found: dict[str, Trouble] = {}
    for program, trouble in view.troubles():
        key = f"{program}:{trouble.kind}"
        worse = key not in found or trouble.severity.rank > found[key].severity.rank
        if trouble.kind not in PASSING and trouble.kind is not TroubleKind.ALERTING and worse:
            found[key] = trouble
    return found


def _seen(seen: Seen | None, key: str, trouble: Trouble, now: datetime) -> tuple[Seen, AlertEvent | None]:
    if seen is None:
        return Seen(text=trouble.text, severity=trouble.severity, since=now), None
    worse = trouble.severity.rank > Severity(seen.severity).rank
    seen = msgspec.structs.replace(seen, text=trouble.text, severity=trouble.severity, gone=None)
    if seen.told is None:
        what = What.BEGUN if now - seen.since >= SETTLE else None
    else:
        what = What.WORSE if worse else What.LASTS if now - seen.told >= REMIND else None
    if what is None:
        return seen, None
    return msgspec.structs.replace(seen, told=now), _event(what, key, seen)


def _event(what: What, key: str, seen: Seen) -> AlertEvent:
    where, _, kind = key.rpartition(":")
    return AlertEvent(what=what, where=where, kind=kind, severity=seen.severity, text=seen.text, since=seen.since)


def _unknown(view: Overview) -> frozenset[str]:
    """The programs, and "" for the host, of which something could not be looked at."""
    return frozenset(_unseen(view))


def _unseen(view: Overview) -> Iterator[str]:
    for program, trouble in view.troubles():
        if trouble.severity is Severity.UNKNOWN:
            yield program


def _is_unknown(key: str, unknown: frozenset[str]) -> bool:
    where, _, kind = key.rpartition(":")
    return where in unknown or (kind == TroubleKind.PROGRAM and "" in unknown)
