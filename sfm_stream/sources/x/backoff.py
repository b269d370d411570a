"""How long to wait before the next connection: X's table of reconnecting, and its limit of connects.

Source: X's pages on handling disconnections; 50 connects in 15 minutes. Pure but for the jitter,
which keeps many programs from coming back in the same instant.
"""

from __future__ import annotations

import random
from collections import deque

from sfm_stream.sources.reconnect import STABLE
from sfm_stream.sources.x.refusals import Refusal, RefusalKind

NETWORK_STEP, NETWORK_MAX = 0.25, 16.0
SERVER_FIRST, SERVER_MAX = 5.0, 320.0
LIMIT_FIRST, LIMIT_MAX = 60.0, 960.0
CAP_WAIT = 3600.0
"""X does not say when a spent month ends; it is asked again each hour."""
CREDITS_WAIT = 1800.0
"""Credits come back when somebody pays."""
SPEND_CAP_MAX = 86400.0
"""X says when the next billing cycle begins; the cap may be raised before, so it is asked each day."""
CREDENTIAL_FIRST, CREDENTIAL_MAX = 60.0, 900.0
CLOSED_FIRST, CLOSED_MAX = 1.0, 20.0
WINDOW, CONNECTS = 900.0, 45
"""Fewer connects in 15 minutes than X allows, for others who use the credential now and then."""


class Backoff:
    """The waits of one stream. All times are in seconds of one clock that never steps back."""

    def __init__(self, jitter: random.Random | None = None) -> None:
        self._random = jitter or random.Random()  # noqa: S311 - no secret depends on it
        self._connects: deque[float] = deque()
        self._waits: dict[str, float] = {}

    def connecting(self, now: float) -> None:
        """A connect begins at `now`, and counts."""
        self._connects.append(now)

    def held(self, seconds: float) -> None:
        """A connection held for so long before it ended."""
        if seconds >= STABLE:
            self._waits.clear()

    def after_drop(self, now: float, *, established: bool) -> float:
        """The wait after a connection ended (`established`), or could not be made."""
        if established:
            wait = self._waits.get("closed", 0.0)
            self._waits["closed"] = min(max(wait * 2, CLOSED_FIRST), CLOSED_MAX)
        else:
            wait = min(self._waits.get("network", 0.0) + NETWORK_STEP, NETWORK_MAX)
            self._waits["network"] = wait
        return max(self._jittered(wait), self.until_allowed(now))

    def after_refusal(self, now: float, refusal: Refusal, reset: float) -> float:
        """The wait after X refused a connection; `reset` is in how many seconds it said its limit ends, or 0."""
        if refusal.kind is RefusalKind.USAGE_CAP:
            wait = CAP_WAIT
        elif refusal.kind is RefusalKind.CREDITS:
            wait = CREDITS_WAIT
        elif refusal.kind is RefusalKind.SPEND_CAP:
            wait = min(reset, SPEND_CAP_MAX) if reset else CAP_WAIT
        elif refusal.kind is RefusalKind.CREDENTIAL:
            wait = self._doubled("credential", CREDENTIAL_FIRST, CREDENTIAL_MAX)
        elif refusal.kind in (RefusalKind.RATE_LIMIT, RefusalKind.CONNECTIONS):
            wait = self._doubled("limit", LIMIT_FIRST, LIMIT_MAX)
            if refusal.kind is RefusalKind.RATE_LIMIT and reset:
                # No limit of X lasts longer than its window: what says otherwise is a clock that goes wrong.
                return max(min(reset, WINDOW) + self._random.uniform(0.5, 3.0), self.until_allowed(now))
        else:
            wait = self._doubled("server", SERVER_FIRST, SERVER_MAX)
        return max(self._jittered(wait), self.until_allowed(now))

    def until_allowed(self, now: float) -> float:
        """Seconds until a connect keeps within X's limit of them."""
        while self._connects and self._connects[0] <= now - WINDOW:
            self._connects.popleft()
        if len(self._connects) < CONNECTS:
            return 0.0
        return self._connects[0] + WINDOW - now

    def _doubled(self, key: str, first: float, most: float) -> float:
        wait = min(self._waits.get(key, first / 2) * 2, most)
        self._waits[key] = wait
        return wait

    def _jittered(self, wait: float) -> float:
        return wait * self._random.uniform(0.9, 1.0) if wait > 1 else wait
