"""What alerting remembers from one minute to the next: ``alerts.json`` in the state directory."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec

from sfm_stream import clock, reading
from sfm_stream.durable import replace_file


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A trouble that was seen.

    Attributes:
        text: Its words when it was last seen.
        severity: How bad it was.
        since: When it was first seen.
        told: When people were last told of it; None where they were not.
        gone: When it was first seen no more; None while it lasts.
    """

    text: str
    severity: str
    since: clock.Time
    told: clock.Time | None = None
    gone: clock.Time | None = None


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        evaluated: When it was last looked whether an alert is due.
        fault: Why alerts could not be delivered then; "" where they could.
        troubles: By ``<program>:<kind>``; the host's have no program.
        digest: The day of the last digest.
    """

    evaluated: clock.Time | None = None
    fault: str = ""
    troubles: dict[str, Seen] = {}
    digest: date | None = None


def read_memory(state_dir: Path) -> Memory | None:
    """What is remembered; None where nothing is.

    Raises:
        UnreadableError: It cannot be read.
    """
    return reading.read_record(_path(state_dir), Memory)


def write_memory(state_dir: Path, memory: Memory) -> None:
    """Replaces what is remembered.

    Raises:
        OSError: The disk is full, or fails.
    """
    replace_file(_path(state_dir), msgspec.json.format(msgspec.json.encode(memory)) + b"\n")


def _path(state_dir: Path) -> Path:
    return state_dir / "alerts.json"
