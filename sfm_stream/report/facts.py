"""What was seen of a host, before anything is judged."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sfm_stream import clock
from sfm_stream.record.gaps import Coverage
from sfm_stream.record.rates import Rates
from sfm_stream.record.status import Status
from sfm_stream.settings.model import StreamSettings


class Process(msgspec.Struct, frozen=True):
    """What supervisor says of a program.

    Attributes:
        state: RUNNING, STOPPED, FATAL ...
        exit_code: Of the last end.
        said: supervisor's own words on it.
        captures: Whether it is a stream's.
    """

    state: str
    exit_code: int = 0
    said: str = ""
    captures: bool = True


class Supervisor(msgspec.Struct, frozen=True):
    """What came of asking supervisord.

    Attributes:
        state: ``answers``, ``dead``, ``not seen`` or ``not asked``.
        reason: Why it did not answer.
        processes: Programs of ours by their names.
    """

    state: str
    reason: str = ""
    processes: dict[str, Process] = {}


class StreamFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a stream.

    Attributes:
        program: Its name.
        settings: None where they cannot be used; `settings_fault` says why.
        alive: Whether a process holds its name.
        live: Its last live status; None where it has left none, or where `live_fault` says why it cannot be read.
        rates: What it got, hour by hour; None where that is not recorded, or cannot be read.
        coverage: Of the last 24 hours, by its journal; None where it has none.
        today: The same of today.
        written: Compressed bytes of the files that it finished in the last 24 hours, and since when these are known.
        standing: What its source finds wrong with what is in force there; "" where nothing is.
        held: Whether its source holds rules of its own, so that they can differ.
    """

    program: str
    settings: StreamSettings | None = None
    settings_fault: str = ""
    alive: bool = False
    live: Status | None = None
    live_fault: str = ""
    rates: Rates | None = None
    coverage: Coverage | None = None
    today: Coverage | None = None
    written: tuple[int, datetime] | None = None
    standing: str = ""
    silence: float = 0.0
    gap_since: datetime | None = None


class Disk(msgspec.Struct, frozen=True):
    """A filesystem; `fault` says why it could not be looked at."""

    path: str
    use: str
    free: int = 0
    size: int = 0
    floor: int = 0
    device: int = 0
    fault: str = ""


class JobOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a job kept of its last run."""

    time: clock.Time
    exit_code: int = 0
    error: str | None = None
    archive_dir: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled job.

    Attributes:
        name: As in `sfm_stream.settings.host.HostSettings.jobs`.
        outcome: Of its last run; None where it never ran, or where `fault` says why that cannot be read.
        every: Seconds from one run to the next; None where it is not scheduled.
        scheduled_since: When it was scheduled.
    """

    name: str
    outcome: JobOutcome | None = None
    fault: str = ""
    every: float | None = None
    scheduled_since: datetime | None = None


class Alerting(msgspec.Struct, frozen=True, kw_only=True):
    """What alerting tells of itself.

    Attributes:
        ways: How alerts are delivered; "" where they are not.
        evaluated: When that was last done.
        fault: What went wrong with it.
        since: When it was deployed.
    """

    ways: str = ""
    evaluated: datetime | None = None
    fault: str = ""
    since: datetime | None = None


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the host."""

    supervisor: Supervisor
    disks: tuple[Disk, ...] = ()
    jobs: tuple[Job, ...] = ()
    alerting: Alerting = Alerting()
    version: str
    planned: datetime | None = None
    faults: tuple[str, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as it was at `time`."""

    time: datetime
    host: HostFacts
    streams: tuple[StreamFacts, ...]
