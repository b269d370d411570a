"""Reconnect delays for services that document none: at once, then a second, doubling to a minute."""

from __future__ import annotations

import random

FIRST, MOST = 1.0, 60.0
STABLE = 60.0
"""A connection that held this many seconds makes the next wait the first again."""


class ReconnectBackoff:
    """The waits of one stream."""

    def __init__(self, jitter: random.Random | None = None) -> None:
        self._random = jitter or random.Random()  # noqa: S311 - no secret depends on it
        self._next = 0.0
        self.failures = 0
        """Ends in a row without a connection that held."""

    def after_end(self, held: float | None, asked: float = 0.0) -> float:
        """Seconds to wait.

        Args:
            held: How long the connection stood, in seconds; None where it was not made.
            asked: Seconds that the service asks to wait; 0 where it does not.
        """
        if held is not None and held >= STABLE:
            self._next, self.failures = 0.0, 0
        self.failures += 1
        wait, self._next = self._next, min(max(self._next * 2, FIRST), MOST)
        return max(wait * self._random.uniform(0.8, 1.0), asked)
