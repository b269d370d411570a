"""Waits for live programs: until they are up, until their source holds their rules, until the first has restarted."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from ansible.module_utils.sfm_program_health import HELD, Health
from ansible.module_utils.sfm_supervisord import Process, processes

TRYING_SECONDS = 15
"""A program that supervisor starts again and again for so long does not come up by itself."""


class FailedError(Exception):
    """The programs are not, or cannot be made, what was declared."""


class Waits:
    """Looks at the declared programs until they are what they should be.

    Args:
        supervisor: supervisord's own methods, as `connect` gives them.
        health: The declared programs.
        timeout: Seconds to wait.
    """

    def __init__(self, supervisor: Any, health: Health, timeout: float) -> None:  # noqa: ANN401 - a proxy
        self._supervisor = supervisor
        self._health = health
        self._timeout = timeout

    def until_up(self, stopped_by_hand: Collection[str], begun: int) -> dict[str, Process]:
        """Waits until exactly the declared programs run.

        Args:
            stopped_by_hand: Programs that may stay as they are.
            begun: How many programs were started, each of which adds a second.

        Returns:
            The programs as they were seen last.

        Raises:
            FailedError: Some do not; the message has a paragraph for each.
        """
        declared = self._health.declared
        start = time.monotonic()
        deadline = start + self._timeout + begun
        while True:
            live: dict[str, Process] = processes(self._supervisor, declared.__contains__)
            respected = {name: "" for name in stopped_by_hand if name in live}
            verdicts = {name: self._health.verdict(name, live.get(name)) for name in declared} | respected
            waiting = [name for name, verdict in verdicts.items() if verdict is None]
            backing_off = all(live[name]["statename"] == "BACKOFF" for name in waiting if name in live)
            patience = min(deadline, start + TRYING_SECONDS + begun) if backing_off else deadline
            if not waiting or time.monotonic() > patience:
                break
            time.sleep(0.5)
        bad = [self._health.report(name, live.get(name), verdicts[name]) for name in declared if verdicts[name] != ""]
        if bad:
            raise FailedError(f"{_count(bad)} not as declared:\n" + "\n".join(bad))
        return live

    def for_rules(self, live: dict[str, Process]) -> dict[str, str]:
        """Waits until the programs run with their settings, and X holds the rules of these.

        Args:
            live: The programs as they were just seen.

        Returns:
            The programs that wait for something else first, each with its state.

        Raises:
            FailedError: It does not; the message has X's own words.
        """
        declared = self._health.declared
        deadline = time.monotonic() + self._timeout
        while True:
            running = [name for name in declared if name in live and live[name]["statename"] == "RUNNING"]
            faults = {name: fault for name in running if (fault := self._health.rules_fault(live[name]))}
            if not faults or time.monotonic() > deadline:
                break
            time.sleep(0.25)
            live = processes(self._supervisor, declared.__contains__)
        states = {name: self._health.status(live[name]).get("state", "") for name in faults}
        held = {name: state for name, state in states.items() if state in HELD}
        bad = [f"{name}: {fault}" for name, fault in faults.items() if name not in held]
        if bad:
            raise FailedError(f"{_count(bad)} running, but not with the declared rules in force:\n" + "\n".join(bad))
        return held

    def for_first(self, name: str) -> None:
        """Waits for the first of several that restart: if it cannot even start, the others are left as they are.

        Raises:
            FailedError: It failed at once, by nothing that its own settings would explain.
        """
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            process = processes(self._supervisor, name.__eq__).get(name)
            state = process["statename"] if process else "absent"
            if state in ("RUNNING", "EXITED"):
                return
            if state in ("BACKOFF", "FATAL"):
                raise FailedError(
                    "the first program to restart does not come up, so the others were left running as they are:\n"
                    + self._health.report(name, process, None)
                )
            time.sleep(0.25)


def _count(bad: list[str]) -> str:
    return f"{len(bad)} programs are" if len(bad) > 1 else "1 program is"
