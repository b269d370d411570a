"""What the last run of a program left behind: an outage that the present run will end, and when it had connected."""

from __future__ import annotations

import functools
from collections import deque
from datetime import datetime
from pathlib import Path

import msgspec

from sfm_stream import reading
from sfm_stream.record import connects, entries, journal, status

BOOT = Path("/proc/sys/kernel/random/boot_id")


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A time without a connection that has not ended yet.

    Attributes:
        start: The last byte before it.
        cause: What led to it.
        planned: Whether it was asked for.
    """

    start: datetime
    cause: str
    planned: bool = False


class LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was before.

    Attributes:
        outage: None where the program has never been connected.
        connected_at: When it last connected, by X's clock.
        connects: When it asked X for a connection, the last times.
        connection: X's id of its last connection, where X was asked for it.
        address: The address from which X saw the program connect last.
        credential: The fingerprint of the credential with which it last connected; None where that is not known.
        rebooted: Whether the machine went down since: what was written shortly before may not be on the disk.
        skipped: Entries of the journal that are damaged; what they said is not in this.
        told: How many of them the journal says it has.
        rules_missing: So many rules that X had held were last known to be missing there.
    """

    outage: Outage | None = None
    connected_at: datetime | None = None
    connects: tuple[datetime, ...] = ()
    connection: str | None = None
    address: str | None = None
    credential: str | None = None
    rebooted: bool = False
    skipped: int = 0
    told: int = 0
    rules_missing: int = 0


def boot() -> str | None:
    """What tells this run of the machine from every other; None where the system does not say."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return None


def read(
    state_dir: Path,
    program: str,
    *,
    killed: bool = True,
    end: entries.Entries | None = None,
    connected_at: datetime | None = None,
) -> LastRun:
    """Reads the journal, and the status for what it cannot hold: a killed process journals no stop.

    Args:
        state_dir: Where they lie.
        program: Whose they are.
        killed: False where the program is alive, and a journal that ends connected means no outage.
        end: The last entries of the journal, which tell enough of the present outage; None to read all.
        connected_at: When it had been connected before these; None where it had not.
    """
    outage: Outage | None = None
    untold: Outage | None = None  # connected since, and not known yet whether it is replayed
    refused = "not connected"
    last_boot: str | None = None
    lost: datetime | None = None
    rules_missing = 0
    granted: deque[datetime] = deque(maxlen=connects.REMEMBERED)
    last = functools.cache(functools.partial(_status, state_dir, program))  # read once, and only where it is needed
    connection: str | None = None
    address: str | None = None
    credential: str | None = None
    told = 0
    read = journal.read(journal.journal_path(state_dir, program)) if end is None else end
    for entry in read:
        match entry:
            case entries.StartEntry():
                last_boot = entry.boot
            case entries.JournalEntry(skipped=int(count)):
                told = count
            case entries.ShortageEntry():
                rules_missing = entry.missing
            case entries.SlotEntry(action=entries.OURS):
                connection, address = entry.connection, entry.client_ip
        if isinstance(entry, entries.ConnectEntry):
            # The connection ends the outage, unless its first line has yet to show how much is replayed: a process that
            # is killed before that line leaves the outage to the next start.
            untold = (outage or untold) if entry.replay == entries.AWAITED else None
            # The service's own clock where it tells its time: that of the host may have been wrong before it was set.
            connected_at, outage, lost = entry.server_time or entry.time, None, None
            connection = None
            # A service counts connects over restarts, so the backoff of the next process begins where this one was.
            granted.append(entry.time)
            credential = entry.credential
        elif connected_at is not None:
            match entry:
                # A start without a stop or a disconnect before it: the process before was killed.
                case entries.StartEntry() if outage is None:
                    outage = untold or _killed(last(), connected_at)
                case entries.RefusedEntry():
                    refused = entry.reason
                case entries.SalvageEntry():
                    lost = max(lost or entry.lost_after, entry.lost_after)
                case entries.GapEntry() if outage is None:
                    untold = None
                case entries.GapEntry():
                    # Its planned part is over: what goes on is a failure.
                    outage = Outage(start=entry.end, cause=refused)
            outage = _after(entry, outage, untold)
    # Connected to the end, and no process lives: the journal cannot know when it was killed, the status does.
    if killed and connected_at is not None and outage is None:
        outage = untold or _killed(last(), connected_at)
    if outage is not None:
        # A process that salvaged, and was killed before it connected, has told of that here alone. Of posts that waited
        # to be written when a process was killed that had no connection any more, only the status tells.
        before = last() if killed else None
        start = min(filter(None, (outage.start, lost, before.unwritten if before else None)))
        outage = msgspec.structs.replace(outage, start=start)
    return LastRun(
        outage=outage,
        connected_at=connected_at,
        # The journal has only those that were granted; it stands in for a record that is missing.
        connects=tuple(granted) if (tries := connects.read(state_dir, program)) is None else tries,
        connection=connection,
        address=address,
        credential=credential,
        rebooted=last_boot is not None and last_boot != boot(),
        skipped=read.skipped,
        told=told,
        rules_missing=rules_missing,
    )


def _after(entry: entries.Entry, outage: Outage | None, untold: Outage | None) -> Outage | None:
    """The outage that is open after a disconnect or a stop, in whichever order a failing process journaled them."""
    match entry:
        case entries.DisconnectEntry():
            begun = Outage(start=entry.last_byte or entry.time, cause=entry.reason, planned=entry.planned)
        case entries.StopEntry():
            start = entry.unwritten or entry.time
            begun = Outage(start=start, cause=f"stopped: {entry.reason}", planned=entry.planned)
        case _:
            return outage
    # No line came that would have ended the one that is untold.
    if (earlier := outage or untold) is None:
        return begun
    start = min(earlier.start, begun.start)
    # A failure stays the cause of what follows it; a stop says more than the disconnect that it led to.
    cause = begun if earlier.planned and isinstance(entry, entries.StopEntry) else earlier
    return msgspec.structs.replace(cause, start=start)


def _killed(before: status.Status | None, connected_at: datetime) -> Outage:
    """The last sign of life is in the status, which the next process carries on until it has connected.

    Where that cannot be read, the gap is taken to be longer than it was, never shorter.
    """
    start = max(connected_at, before.last_byte) if before and before.last_byte else connected_at
    if before and before.unwritten:
        start = min(start, before.unwritten)
    return Outage(start=start, cause="killed, or the machine went down")


def _status(state_dir: Path, program: str) -> status.Status | None:
    try:
        return status.read(state_dir, program)
    except reading.UnreadableError:
        return None
