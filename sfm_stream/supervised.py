"""What a program under supervisor must take into account.

Supervisor takes an exit within `STARTED` seconds of the start for a failed start, whatever the exit code, and
starts the program again. And a supervisord that is killed leaves its programs running: they would keep files and
connections from those that the next supervisord starts.
"""

from __future__ import annotations

import os

STARTED = 3.0
"""Longer than ``startsecs`` in the program files."""


class Supervision:
    """The supervisord that started this process, if one did. To be made early in the process's life."""

    def __init__(self) -> None:
        self.active = "SUPERVISOR_ENABLED" in os.environ
        self._parent = os.getppid()

    @property
    def gone(self) -> bool:
        """Whether the supervisord that started this process has died."""
        return self.active and os.getppid() != self._parent
