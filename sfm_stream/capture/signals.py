"""Turns signals into flags, and ends waits at once: a byte in a pipe wakes the one that waits."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Interrupted(BaseException):  # no Exception: nothing on the way up may take it for its own
    """A signal asked to stop, and what was under way can be taken up again by the next start."""


class Signals:
    """SIGTERM and SIGINT ask to stop, SIGHUP to read the settings again. To be made in the main thread, once.

    Attributes:
        stop: The name of the signal that asked to stop, or None.
        reread: Whether SIGHUP came; the reader of the settings sets it back.
    """

    def __init__(self) -> None:
        self.stop: str | None = None
        self.reread = False
        self._interrupts = False
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_hangup)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # one that came before this waited

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

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within, a signal to stop raises `Interrupted` at once: for work that may be broken off at any point."""
        self._interrupts = True
        try:
            if self.stop:
                raise Interrupted
            yield
        finally:
            self._interrupts = False

    def _on_stop(self, number: int, _frame: object) -> None:
        self.stop = signal.Signals(number).name
        if self._interrupts:
            self._interrupts = False  # what cleans up after the first is not interrupted by a second
            raise Interrupted

    def _on_hangup(self, _number: int, _frame: object) -> None:
        self.reread = True
