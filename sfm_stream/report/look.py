"""Looks at a host: what supervisord says, what the programs left, what the disks have. Judges nothing.

Each part that cannot be looked at is a fact of its own, and costs no other part.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from sfm_stream import __version__, clock, reading
from sfm_stream.capture import disk as room
from sfm_stream.owner import become_owner, require_directory
from sfm_stream.places import find_state_dir
from sfm_stream.record import entries, gaps, journal, last_run, rates, status
from sfm_stream.report import asked
from sfm_stream.report.facts import Alerting, Disk, Facts, HostFacts, Job, JobOutcome, StreamFacts, Supervisor
from sfm_stream.report.memory import read_memory
from sfm_stream.settings.config import Unusable, list_streams
from sfm_stream.settings.host import JOBS, HostSettings, Limits, host_path, read_host, read_planned
from sfm_stream.settings.model import StreamSettings
from sfm_stream.sources import registry

DAY = timedelta(days=1)


class HostInputs:
    """What is read before root becomes the owner of the records: settings, and supervisord's answer.

    Attributes:
        settings: Of the host.
        streams: The settings of its streams.
        supervisor: What supervisord said.
        planned: Until when work is under way on purpose.
        faults: What could not be read.
        config_dir: Where the settings lie.
    """

    def __init__(self, config_dir: Path) -> None:
        self.config_dir = config_dir
        self.faults: list[str] = []
        self.streams = list(list_streams(config_dir))
        self.deployed: datetime | None = None
        found: HostSettings | None = None
        try:
            found = read_host(config_dir)
        except reading.UnreadableError as error:
            self.faults.append(str(error))
        with suppress(OSError):
            self.deployed = clock.at(host_path(config_dir).stat().st_mtime)
        self.settings = found or HostSettings()
        self.planned: datetime | None = None
        try:
            planned = read_planned(config_dir)
            self.planned = planned.until if planned else None
        except reading.UnreadableError as error:
            self.faults.append(str(error))
        names = [each.program for each in self.streams]
        config = self.settings.supervisor_config
        if not config or (found is None and not (self.streams and os.path.lexists(config))):
            self.supervisor = Supervisor("not asked")
        else:
            self.supervisor = asked.ask(Path(config), names)

    def facts(self, state_dir: Path) -> Facts:
        """Reads the records in `state_dir`; started by root, as their owner, for good.

        Raises:
            StorageError: There is no such directory.
            UsageError: As from `become_owner`.
        """
        # After supervisord's socket was asked, which only root and operators may; what follows is the owner's.
        become_owner(state_dir)
        now = clock.now()
        return Facts(
            time=now,
            host=HostFacts(
                supervisor=self.supervisor,
                disks=tuple(_disks(self.streams, state_dir)),
                jobs=self._jobs(state_dir),
                alerting=self._alerting(state_dir),
                version=__version__,
                planned=self.planned,
                faults=tuple(self.faults),
            ),
            streams=tuple(_stream(each, state_dir, now) for each in self.streams),
        )

    def _jobs(self, state_dir: Path) -> tuple[Job, ...]:
        scheduled = self.settings.jobs
        found = []
        for name in JOBS:
            if job := scheduled.get(name):
                found.append(_job(name, Path(job.kept or state_dir), job.every, self.deployed))
            elif name in ("organize", "audit"):  # which people run by hand as well
                found.append(_job(name, state_dir, None, self.deployed))
        return tuple(found)

    def _alerting(self, state_dir: Path) -> Alerting:
        ways = self.settings.alerts
        if not ways:
            return Alerting()
        try:
            memory = read_memory(state_dir)
        except reading.UnreadableError as error:
            return Alerting(ways=ways, fault=str(error))
        if memory is None:
            return Alerting(ways=ways, since=self.deployed)
        return Alerting(ways=ways, evaluated=memory.evaluated, fault=memory.fault, since=self.deployed)


def look(config_dir: Path, state_dir: Path | None) -> tuple[Facts, Limits]:
    """Looks at the host; started by root, goes on as the owner of the records.

    Args:
        config_dir: Where its settings lie.
        state_dir: Where its records lie; None where the settings say so.

    Raises:
        NotAllowedError: This user may not see the settings.
        StorageError: There are streams, and no records.
        UsageError: As from `become_owner`.
    """
    host = HostInputs(config_dir)
    where = find_state_dir(state_dir, config_dir)
    if host.streams:
        require_directory(where)
    return host.facts(where), host.settings.limits


def _stream(stream: StreamSettings | Unusable, state_dir: Path, now: datetime) -> StreamFacts:
    program = stream.program
    # By its lock, which a dead process cannot hold; a pid in a file may be another program's by now.
    alive = status.is_alive(state_dir, program)
    live, fault = None, ""
    try:
        live = status.read(state_dir, program)
    except reading.UnreadableError as error:
        fault = str(error)
    if isinstance(stream, Unusable):
        return StreamFacts(program=program, settings_fault=stream.fault, alive=alive, live=live, live_fault=fault)
    got = None
    with suppress(reading.UnreadableError):  # what is usual is not known then, which is shown
        got = rates.read(state_dir, program)
    source = registry.source(stream.source)
    facts = StreamFacts(
        program=program,
        settings=stream,
        alive=alive,
        live=live,
        live_fault=fault,
        rates=got,
        silence=source.silence,
        standing=source.in_force_fault(stream, live, now) if live and stream.active else "",
    )
    return _with_journal(facts, state_dir, now)


def _with_journal(facts: StreamFacts, state_dir: Path, now: datetime) -> StreamFacts:
    """Adds what the end of the journal tells."""
    from msgspec.structs import replace

    program, live = facts.program, facts.live
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        # A journal of years is read from its end: a look must not take longer each month.
        lines, whole = journal.tail(journal.journal_path(state_dir, program), now - DAY)
        if not lines:
            return facts
        known = entries.Known(lines)
        first = next(known.again(), None)
        before = not whole and live is not None and live.last_byte is not None
        outage = last_run.read(
            state_dir,
            program,
            killed=not facts.alive,
            end=known.again(),
            connected_at=first.time if first and before else None,
        ).outage

        def coverage(since: datetime) -> gaps.Coverage:
            return gaps.coverage(program, known.again(), outage, now, since, connected_before=before)

        return replace(
            facts,
            coverage=coverage(now - DAY),
            today=coverage(midnight),
            written=_written(known, now),
            gap_since=outage.start if outage else None,
        )
    except reading.UnreadableError as error:
        return replace(facts, coverage=gaps.unreadable_journal(program, now, str(error)))


def _written(known: entries.Known, now: datetime) -> tuple[int, datetime] | None:
    """Compressed bytes of the files of the last 24 hours, and since when the journal tells of files."""
    size, since = 0, None
    for entry in known.entries:
        since = since or max(entry.time, now - DAY)
        if isinstance(entry, entries.RotateEntry | entries.SalvageEntry) and entry.time >= now - DAY:
            size += entry.bytes or 0
    return (size, since) if since else None


def _disks(streams: Iterable[StreamSettings | Unusable], state_dir: Path) -> Iterable[Disk]:
    """The filesystems of data and archive; directories that streams share are one."""
    used = [each for each in streams if isinstance(each, StreamSettings)]
    for data_dir in dict.fromkeys(each.data_dir for each in used):
        yield _disk(data_dir, "data", next(each.min_free for each in used if each.data_dir == data_dir))
    archive = ""
    with suppress(reading.UnreadableError):
        last = reading.read_record(state_dir / "organize.json", JobOutcome)
        archive = last.archive_dir if last else ""
    if archive and archive not in {each.data_dir for each in used}:
        yield _disk(archive, "archive", "0")


def _disk(path: str, use: str, min_free: str) -> Disk:
    try:
        found = room.room(Path(path), min_free)
        filesystem = os.statvfs(path)
        device = Path(path).stat().st_dev
    except OSError as error:
        return Disk(path, use, fault=error.strerror or str(error))
    size = filesystem.f_blocks * filesystem.f_frsize
    return Disk(path, use, free=found.free, size=size, floor=found.floor, device=device)


def _job(name: str, state_dir: Path, every: float | None, since: datetime | None) -> Job:
    try:
        outcome = reading.read_record(state_dir / f"{name}.json", JobOutcome)
    except reading.UnreadableError as error:
        return Job(name=name, fault=str(error), every=every)
    return Job(name=name, outcome=outcome, every=every, scheduled_since=since)
