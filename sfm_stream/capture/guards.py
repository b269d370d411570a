"""Stops a stream before it costs or fills more than it may, and lets it go on when it may again."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sfm_stream import clock
from sfm_stream.capture import disk
from sfm_stream.capture.budget import Hold, Meter
from sfm_stream.record.journal import Record

DISK_CHECK = 5.0

log = logging.getLogger(__name__)


class Holdable(Protocol):
    """A connection, as far as it is guarded."""

    left: int | None

    @property
    def held(self) -> str | None:
        """What it is held for: ``budget``, ``disk`` or nothing."""

    def hold(self, state: str, reason: str) -> None:
        """Ends the connection, and makes no other; over a hold, it replaces that."""

    def release(self) -> None:
        """Goes on."""


class Guards:
    """The budget of a credential and the floor of a disk.

    Args:
        meter: Counts the posts.
        data_dir: Whose filesystem keeps its floor; None for a stream that writes nothing.
        min_free: The floor.
        journal: Told of every stop and every going on.
    """

    def __init__(self, meter: Meter, data_dir: Path | None, min_free: str, journal: Record) -> None:
        self.room = disk.Room(0, 0)
        self._meter = meter
        self._data_dir = data_dir
        self._min_free = min_free
        self._journal = journal
        self._disk_due = 0.0
        self._told: datetime | None = None
        self._steps = clock.Steps()

    def check(self, connection: Holdable, waiting: int = 0) -> None:
        """Holds or releases the connection.

        Args:
            connection: The connection.
            waiting: Posts that have arrived and are not yet counted; they are spent all the same.

        Raises:
            OSError: The disk cannot be asked.
        """
        if step := self._steps.take():
            log.warning("the clock was set %s by %.0f s", "ahead" if step > 0 else "back", abs(step))
            self._journal.write("clock", seconds=round(step, 3))
        now = clock.now()
        spent, left, held = self._meter.hold(now), self._meter.left(now), connection.held
        # What lies in the buffer is paid for already, though the meter counts only what is written.
        left = None if left is None else max(0, left - waiting)
        self.measure()
        if spent:
            self._stop_spending(connection, spent)
        elif held == "budget" and left == 0:
            pass  # what waits to be counted has spent it
        elif self.room.short or (held == "disk" and not self.room.enough_again):
            self._stop_filling(connection)
        elif held:
            self._go_on(connection, held)
        if warning := self._meter.warning():
            log.warning("%s", warning)
            self._journal.write("budget", reason=warning, dollars=self._meter.dollars_this_month)
        connection.left = left

    def measure(self) -> None:
        """Looks how much room there is, if it has not just looked."""
        if self._data_dir is not None and time.monotonic() >= self._disk_due:
            self._disk_due = time.monotonic() + DISK_CHECK
            self.room = disk.room(self._data_dir, self._min_free)

    def _stop_spending(self, connection: Holdable, spent: Hold) -> None:
        # The same period is told once, however often this looks.
        if self._told == spent.until and connection.held == "budget":
            return
        until = clock.text(spent.until)
        if self._told != spent.until:
            self._told = spent.until
            self._journal.write(
                "budget",
                reason=spent.reason,
                until=until,
                posts=self._meter.spent.this_month,
                dollars=self._meter.dollars_this_month,
            )
        connection.hold("budget", f"{spent.reason}; until {until}")

    def _stop_filling(self, connection: Holdable) -> None:
        if connection.held != "disk":
            self._journal.write("disk", free=self.room.free, floor=self.room.floor, action="stops")
            connection.hold("disk", too_full(self.room))

    def _go_on(self, connection: Holdable, held: str) -> None:
        self._told = None
        if held == "budget":
            self._journal.write("budget", reason="there is some again", posts=self._meter.spent.this_month)
        else:
            self._journal.write("disk", free=self.room.free, floor=self.room.floor, action="goes on")
        connection.release()


def too_full(room: disk.Room) -> str:
    """Why there is no capture on a disk without room."""
    return f"the disk has {room.free >> 20} MiB free, and {room.floor >> 20} MiB must stay so (min_free)"
