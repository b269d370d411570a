"""Turns signals into flags, and ends waits at once: a byte in a pipe wakes whoever waits."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress


class Signals:
    """SIGTERM and SIGINT ask to stop, SIGHUP to read the settings again. To be made in the main thread, once.

    Attributes:
        stop: The name of the signal that asked to stop, or None.
        reread: Whether SIGHUP came; whoever reads the settings sets it back.
    """

    def __init__(self) -> None:
        self.stop: str | None = None
        self.reread = False
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_hangup)

    def wake(self) -> None:
        """Ends the wait, from any thread."""
        with suppress(BlockingIOError):
            os.write(self._writer, b"\0")

    def wait(self, seconds: float) -> None:
        """Waits for a signal or a `wake`, so many seconds at most."""
        ready, _, _ = select.select([self._reader], [], [], max(0.0, seconds))
        if ready:
            with suppress(BlockingIOError):
                os.read(self._reader, 4096)

    def _on_stop(self, number: int, _frame: object) -> None:
        self.stop = signal.Signals(number).name

    def _on_hangup(self, _number: int, _frame: object) -> None:
        self.reread = True
