"""What the commands that look at a whole host are told of it: ``host.json`` in the configuration directory.

Without the file, as where programs were set up by hand, the defaults hold, and no schedule is expected.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from sfm_stream import clock, reading
from sfm_stream.settings.faults import Secret

SUPERVISOR_CONFIG = "/etc/supervisor/supervisord.conf"
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """From where on something is a trouble.

    Attributes:
        gap: Seconds without a connection, after which a stream is no longer taken to be reconnecting.
        disk_days: Days until the floor of a disk.
        budget: The share of a budget.
    """

    gap: Seconds = 300.0
    disk_days: Annotated[float, msgspec.Meta(ge=0)] = 7.0
    budget: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8


JOBS = ("organize", "audit", "report", "export", "dataset")
"""What may be scheduled."""


class ScheduledJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is started by the clock.

    Attributes:
        every: Seconds between two runs.
        kept: Where it keeps the outcome of its last run, if not with the records.
    """

    every: Seconds
    kept: str = ""


class HostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A host.

    Attributes:
        supervisor_config: Where supervisord's socket and login stand; "" where there is none to ask.
        jobs: Which of `JOBS` are scheduled; a later release may name others.
        alerts: In which ways alerts are delivered; "" where they are not.
        limits: See there.
    """

    supervisor_config: str = SUPERVISOR_CONFIG
    jobs: dict[str, ScheduledJob] = {}
    alerts: str = ""
    limits: Limits = Limits()


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How people are told of trouble: ``alert.json``, which holds secrets.

    Attributes:
        command: A command line, split as a shell would; it gets each message on standard input.
        mail: Addresses that sendmail sends to.
        urls: Addresses of services, as apprise has them.
        digest: The hour of the day (UTC) for the state of all streams, like ``07:30``; "" for never.
    """

    command: str = ""
    mail: tuple[str, ...] = ()
    urls: tuple[Secret, ...] = ()
    digest: str = ""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """Work that is under way on purpose: ``planned.json``, which a deployment writes when it begins and removes.

    Attributes:
        until: When it is over at the latest.
        by: Whose it is.
    """

    until: clock.Time
    by: str = ""


def alert_path(config_dir: Path) -> Path:
    """Where it is written how people are told."""
    return config_dir / "alert.json"


def host_path(config_dir: Path) -> Path:
    """Where the settings of the host lie."""
    return config_dir / "host.json"


def read_host(config_dir: Path) -> HostSettings | None:
    """The settings of the host; None where there are none.

    Raises:
        UnreadableError: They cannot be read.
    """
    return reading.read_record(host_path(config_dir), HostSettings)


def read_planned(config_dir: Path) -> Planned | None:
    """The work that is under way; None where none is.

    Raises:
        UnreadableError: The record of it cannot be read.
    """
    return reading.read_record(config_dir / "planned.json", Planned)
