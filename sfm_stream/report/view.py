"""How things stand, as `sfm_stream.report.judge` judges it; every report is a rendering of this.

All of it is plain data: ``sfm-stream status --json`` prints it, and a controller reads it back from each host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from sfm_stream import clock


class Severity(StrEnum):
    """How bad something is, by the words of monitoring plugins."""

    OK = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"
    """It could not be looked at, which is never called well."""
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Severity).index(self)


class TroubleKind(StrEnum):
    """What a trouble is about. Metrics, alerts and people's filters of these use the words: they do not change."""

    ALERTING = "alerting"
    """Alerts could not be delivered, or are not evaluated."""
    AUDIT = "audit"
    BUDGET = "budget"
    BUDGET_SPENT = "budget-spent"
    CREDENTIAL = "credential"
    CREDITS = "credits"
    DATASET = "dataset"
    DISK = "disk"
    DISK_SOON = "disk-soon"
    EXPORT = "export"
    GAP = "gap"
    NOTE = "note"
    """A start found damage, or a followed account lost its name."""
    ORGANIZE = "organize"
    ORPHAN = "orphan"
    PROGRAM = "program"
    """It should run and does not: killed, stopped, FATAL, or never started."""
    RECONNECTING = "reconnecting"
    """No connection, but for a shorter time than makes a gap."""
    REPORT = "report"
    RULES = "rules"
    SILENCE = "silence"
    """A connection from which not even a sign of life comes."""
    STARVING = "starving"
    """A connection that stands, but brings far less than is usual."""
    SUPERVISOR = "supervisor"
    UNREADABLE = "unreadable"


PASSING = frozenset({TroubleKind.RECONNECTING})
"""Troubles that end by themselves as a rule: nobody is called for them."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it should be.

    Attributes:
        kind: What it is about.
        severity: How bad it is.
        text: In words, for a person.
    """

    kind: TroubleKind
    severity: Severity
    text: str


class StreamView(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of a host.

    Attributes:
        program: Its name.
        source: Where its posts come from; "" where its settings cannot be read.
        active: Whether the settings declare a running program; true where they cannot be read.
        supervisor: What supervisor says of the program (RUNNING, FATAL ...); None where it has none of that name, or
            was not seen.
        state: connected, quiet (no post for a while, which is usual), starving (which is not), silent (not even a
            sign of life), dead (no process), never ran, inactive (as asked), unreadable, orphan (not declared), or as
            in the program's live status: starting, connecting, waiting, stopped, credential, credits, budget, disk ...
        well: Whether there is no trouble.
        severity: The worst of the troubles.
        troubles: What is not as it should be, the worst first.
        remark: What a person should know besides.
        since: Since when it has the state that its live status names.
        connected_since: When the present connection was made.
        last_byte: When anything last arrived.
        last_post: When a post last arrived.
        per_minute: Posts a minute over the last ten; None where that is not known.
        usual: The same as it is usual at this hour; None where that is not known yet.
        usual_basis: Which hours `usual` compares.
        posts_today: Posts since midnight UTC.
        bytes_today: Their size as they arrived.
        gaps_today: Times without a connection since midnight UTC that are not made good; None where not known.
        gap_seconds_today: How long these lasted together.
        connected: The share of the last 24 hours with a connection, from 0 to 1; None where not known.
        covered: The share of them of which the source has sent what passed, then or afterwards.
        today: What its credential consumed today, of `per_day`.
        this_month: The same of the month, of `per_month`.
        dollars: The price of this month's posts.
        rules: How the rules in force compare with those wanted: ``in force``, ``differ``, ``not seen``, or "" where the
            source holds none.
        rules_missing: How many of those wanted are not in force.
        version: The release that its process runs.
        bytes_per_day: Compressed bytes that its files of the last 24 hours have.
    """

    program: str
    source: str = ""
    active: bool = True
    supervisor: str | None = None
    state: str
    well: bool
    severity: Severity
    troubles: tuple[Trouble, ...] = ()
    remark: str = ""
    since: clock.Time | None = None
    connected_since: clock.Time | None = None
    last_byte: clock.Time | None = None
    last_post: clock.Time | None = None
    per_minute: float | None = None
    usual: float | None = None
    usual_basis: str = ""
    posts_today: int = 0
    bytes_today: int = 0
    gaps_today: int | None = None
    gap_seconds_today: float = 0.0
    connected: float | None = None
    covered: float | None = None
    today: int = 0
    per_day: int | None = None
    this_month: int = 0
    per_month: int | None = None
    dollars: float = 0.0
    rules: str = ""
    rules_missing: int = 0
    version: str = ""
    bytes_per_day: float | None = None

    @property
    def note(self) -> str:
        """All that a person should read, in a line."""
        return "; ".join(filter(None, (*(each.text for each in self.troubles), self.remark)))


class DiskView(msgspec.Struct, frozen=True, kw_only=True):
    """Room where posts are kept.

    Attributes:
        path: The directory.
        use: ``data`` or ``archive``.
        free: Bytes free for the programs; None where it cannot be reached.
        size: Of the filesystem, in bytes.
        floor: Bytes that must stay free.
        per_day: Bytes that come in a day, by the files of the last 24 hours; None where that is not known.
        days: Days until the floor at that pace; None where it is not known, or nothing stays here.
    """

    path: str
    use: str
    free: int | None = None
    size: int = 0
    floor: int = 0
    per_day: float | None = None
    days: float | None = None


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled job.

    Attributes:
        name: ``organize`` or ``audit``.
        time: When its last run began; None where it never ran.
        exit_code: Of that run.
        verdict: well, look at it, failed, overdue, never ran, not scheduled, unreadable.
    """

    name: str
    time: clock.Time | None = None
    exit_code: int | None = None
    verdict: str


class HostView(msgspec.Struct, frozen=True, kw_only=True):
    """The host.

    Attributes:
        supervisor: ``answers``, ``dead``, ``not seen`` or ``not asked`` (nothing is deployed here).
        disks: Where posts are kept.
        jobs: The scheduled ones.
        version: The release of this program.
        others: What supervisor has of ours besides the streams, by name.
        planned: Until when a deployment or somebody has said that work is under way, so that nobody is called.
        alerts: How alerts are delivered; "" where they are not.
        well: Whether there is no trouble.
        severity: The worst of the troubles.
        troubles: What is not as it should be, the worst first.
    """

    supervisor: str
    disks: tuple[DiskView, ...] = ()
    jobs: tuple[JobView, ...] = ()
    version: str
    others: dict[str, str] = {}
    planned: clock.Time | None = None
    alerts: str = ""
    well: bool
    severity: Severity
    troubles: tuple[Trouble, ...] = ()


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand at `time`.

    Attributes:
        time: When it was looked at.
        host: The host.
        streams: Its streams, by name.
    """

    time: clock.Time
    host: HostView
    streams: tuple[StreamView, ...]

    @property
    def severity(self) -> Severity:
        """The worst of all."""
        return worst(trouble for _, trouble in self.troubles())

    def troubles(self) -> Iterator[tuple[str, Trouble]]:
        """All troubles, each with its program, or "" for the host's."""
        yield from (("", trouble) for trouble in self.host.troubles)
        yield from ((stream.program, trouble) for stream in self.streams for trouble in stream.troubles)


def worst(troubles: Iterable[Trouble]) -> Severity:
    """The worst severity; OK where there is no trouble."""
    return max((each.severity for each in troubles), key=lambda each: each.rank, default=Severity.OK)


def sorted_by_severity(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """The worst first."""
    return tuple(sorted(troubles, key=lambda each: -each.severity.rank))


def is_today(time: datetime | None, now: datetime) -> bool:
    """Whether it is of the same day, in UTC."""
    return time is not None and time.date() == now.date()
