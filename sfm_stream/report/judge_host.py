"""What it means that was seen of the host itself: supervisord, disks, scheduled jobs, alerting. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sfm_stream import table
from sfm_stream.errors import FindingsError
from sfm_stream.report.facts import Alerting, Disk, Facts, Job, Supervisor
from sfm_stream.report.view import (
    DiskView,
    HostView,
    JobView,
    Severity,
    Trouble,
    TroubleKind,
    sorted_by_severity,
    worst,
)
from sfm_stream.settings.host import Limits

LATE = 3600.0
"""Seconds that a job may begin late, or take."""
UNEVALUATED = 300.0
"""Seconds after which alerts, which are looked at each minute, are not looked at any more."""
_SHOWN_BY = {
    "organize": "sfm-stream organizedata shows it",
    "audit": "sfm-stream audit shows it",
    "report": "sfm-stream report --json shows it",
    "export": "journalctl -u sfm-export shows it",
    "dataset": "journalctl -u sfm-dataset shows it",
}
"""Where a person sees what a job has found."""


def judge_host(facts: Facts, limits: Limits, *, per_day: float, known: bool, others: dict[str, str]) -> HostView:
    """Judges the host.

    Args:
        facts: What was seen.
        limits: From where on something is a trouble.
        per_day: Bytes that come in a day.
        known: Whether that is known.
        others: What supervisor has of ours besides the streams.
    """
    now, host = facts.time, facts.host
    troubles = [_trouble(TroubleKind.UNREADABLE, Severity.UNKNOWN, fault) for fault in host.faults]
    troubles += _supervisor(host.supervisor)
    jobs = []
    for job in host.jobs:
        view, trouble = _job(job, now)
        jobs.append(view)
        troubles += [trouble] if trouble else []
    disks = []
    moved = len({disk.device for disk in host.disks if not disk.fault}) > 1
    for disk in host.disks:
        # Where the archive has a filesystem of its own, files leave that of the data again.
        stays = not (moved and disk.use == "data")
        view_, found = _disk(disk, per_day if known and stays else None, limits)
        disks.append(view_)
        troubles += found
    troubles += _alerting(host.alerting, now)
    return HostView(
        supervisor=host.supervisor.state,
        disks=tuple(disks),
        jobs=tuple(jobs),
        version=host.version,
        others=others,
        planned=host.planned if host.planned and host.planned > now else None,
        alerts=host.alerting.ways,
        well=not troubles,
        severity=worst(troubles),
        troubles=sorted_by_severity(troubles),
    )


def _supervisor(found: Supervisor) -> Iterator[Trouble]:
    if found.state == "dead":
        yield _trouble(TroubleKind.SUPERVISOR, Severity.CRITICAL, f"supervisord does not run: {found.reason}")
    elif found.state == "not seen":
        yield _trouble(TroubleKind.SUPERVISOR, Severity.UNKNOWN, f"supervisord was not seen: {found.reason}")


def _job(job: Job, now: datetime) -> tuple[JobView, Trouble | None]:
    kind = TroubleKind(job.name)
    if job.fault:
        text = f"the outcome of the last {job.name} cannot be read: {job.fault}"
        return JobView(name=job.name, verdict="unreadable"), _trouble(kind, Severity.UNKNOWN, text)
    last = job.outcome
    allowed = None if job.every is None else job.every + LATE
    if last is None:
        since = job.scheduled_since
        late = allowed is not None and since is not None and (now - since).total_seconds() > allowed
        verdict = "not scheduled" if allowed is None else "overdue" if late else "never ran"
        text = f"{job.name} has never run, though it is scheduled"
        return JobView(name=job.name, verdict=verdict), _trouble(kind, Severity.WARNING, text) if late else None
    view = JobView(name=job.name, time=last.time, exit_code=last.exit_code, verdict="well")
    age = (now - last.time).total_seconds()
    if last.exit_code == FindingsError.exit_code:
        text = f"{job.name} found what somebody should look at: {_SHOWN_BY[job.name]}"
        return _with(view, "look at it"), _trouble(kind, Severity.WARNING, text)
    if last.exit_code:
        text = f"{job.name} failed (exit code {last.exit_code}){f': {last.error}' if last.error else ''}"
        return _with(view, "failed"), _trouble(kind, Severity.CRITICAL, text)
    if allowed is not None and age > allowed:
        text = f"{job.name} last ran {table.duration(age)} ago, and is scheduled every {table.duration(job.every or 0)}"
        return _with(view, "overdue"), _trouble(kind, Severity.WARNING, text)
    return view, None


def _with(view: JobView, verdict: str) -> JobView:
    return JobView(name=view.name, time=view.time, exit_code=view.exit_code, verdict=verdict)


def _disk(disk: Disk, per_day: float | None, limits: Limits) -> tuple[DiskView, list[Trouble]]:
    if disk.fault:
        text = f"{disk.path}: cannot be looked at: {disk.fault}"
        return DiskView(path=disk.path, use=disk.use), [_trouble(TroubleKind.UNREADABLE, Severity.UNKNOWN, text)]
    left = disk.free - disk.floor
    days = max(0.0, left / per_day) if per_day else None
    view = DiskView(
        path=disk.path, use=disk.use, free=disk.free, size=disk.size, floor=disk.floor, per_day=per_day, days=days
    )
    free = table.size(disk.free)
    if left < 0:
        text = f"{disk.path} has {free} free, and {table.size(disk.floor)} must stay so"
        return view, [_trouble(TroubleKind.DISK, Severity.CRITICAL, text)]
    if days is not None and days < limits.disk_days:
        text = f"{disk.path} has {free} free, which last {days:.1f} days at the present pace"
        return view, [_trouble(TroubleKind.DISK_SOON, Severity.WARNING, text)]
    return view, []


def _alerting(found: Alerting, now: datetime) -> Iterator[Trouble]:
    if found.fault:
        yield _trouble(TroubleKind.ALERTING, Severity.WARNING, found.fault)
    elif found.ways:
        last = max(filter(None, (found.evaluated, found.since)), default=None)
        age = (now - last).total_seconds() if last else UNEVALUATED + 1
        if age > UNEVALUATED:
            ago = f"for {table.duration(age)}" if found.evaluated and last else "yet"
            yield _trouble(TroubleKind.ALERTING, Severity.WARNING, f"nobody has looked whether an alert is due {ago}")


def _trouble(kind: TroubleKind, severity: Severity, text: str) -> Trouble:
    return Trouble(kind=kind, severity=severity, text=text)
