"""What the last run of a program left behind: an outage that the present run will end, and when it had connected."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sfm_stream import clock
from sfm_stream.record import journal, status

BOOT = Path("/proc/sys/kernel/random/boot_id")
CONNECTS = 50
"""So many are remembered: X allows no more in its 15 minutes."""


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A time without a connection that has not ended yet.

    Attributes:
        start: The last byte before it.
        cause: What led to it, in words.
        planned: Whether it was asked for.
    """

    start: datetime
    cause: str
    planned: bool = False


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What was before.

    Attributes:
        outage: None where the program has never been connected.
        connected_at: When it last connected, by X's clock.
        connects: When it connected, the last times.
        rebooted: Whether the machine went down since: what was written shortly before may not be on the disk.
    """

    outage: Outage | None = None
    connected_at: datetime | None = None
    connects: tuple[datetime, ...] = ()
    rebooted: bool = False


def boot() -> str | None:
    """What tells this run of the machine from every other; None where the system does not say."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return None


def read(state_dir: Path, program: str, *, killed: bool = True) -> Past:
    """Reads the journal, and the status for what it cannot hold: a killed process journals no stop.

    With `killed` false, the program is alive, and a journal that ends connected means no outage.
    """
    connected_at: datetime | None = None
    outage: Outage | None = None
    refused = "not connected"
    last_boot: str | None = None
    lost: datetime | None = None
    connects: deque[datetime] = deque(maxlen=CONNECTS)
    for entry in journal.read(journal.journal_path(state_dir, program)):
        if entry["event"] == "start":
            last_boot = entry.get("boot")
        if entry["event"] == "connect":
            connected_at, outage = clock.parse(entry.get("server_time") or entry["time"]), None
            lost = None
            connects.append(clock.parse(entry["time"]))
        elif connected_at is not None:
            if entry["event"] == "start" and outage is None:
                outage = _killed(state_dir, program, connected_at)
            elif entry["event"] == "refused":
                refused = entry.get("reason", refused)
            elif entry["event"] == "salvage":
                lost = max(lost or clock.parse(entry["lost_after"]), clock.parse(entry["lost_after"]))
            elif entry["event"] == "gap" and outage is not None:
                # Its planned part is over: what goes on is a failure.
                outage = Outage(start=clock.parse(entry["end"]), cause=refused)
            outage = _after(entry, outage)
    if killed and connected_at is not None and outage is None:
        outage = _killed(state_dir, program, connected_at)
    if outage is not None and lost is not None and lost < outage.start:
        # A process that salvaged, and was killed before it connected, has told of it here alone.
        outage = msgspec.structs.replace(outage, start=lost)
    return Past(
        outage=outage,
        connected_at=connected_at,
        connects=tuple(connects),
        rebooted=last_boot is not None and last_boot != boot(),
    )


def _after(entry: dict[str, Any], outage: Outage | None) -> Outage | None:
    at, reason, planned = clock.parse(entry["time"]), entry.get("reason", ""), bool(entry.get("planned"))
    if entry["event"] == "disconnect":
        last_byte = entry.get("last_byte")
        return Outage(start=clock.parse(last_byte) if last_byte else at, cause=reason, planned=planned)
    if entry["event"] == "stop" and (outage is None or outage.planned):
        start = min(at, clock.parse(entry["unwritten"])) if "unwritten" in entry else at
        return Outage(start=outage.start if outage else start, cause=f"stopped: {reason}", planned=planned)
    return outage


def _killed(state_dir: Path, program: str, connected_at: datetime) -> Outage:
    """The last sign of life is in the status, which the next process carries on until it has connected."""
    before = status.read(state_dir, program)
    start = max(connected_at, before.last_byte) if before and before.last_byte else connected_at
    if before and before.unwritten:
        start = min(start, before.unwritten)
    return Outage(start=start, cause="killed, or the machine went down")
