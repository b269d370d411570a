"""Processes on a core of their own, and what the operating system says that they used."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

CORES = sorted(os.sched_getaffinity(0))
WORK, SERVE = CORES[-1], CORES[0]
"""Where a competitor runs, and where its server; the same core where there is one only."""
BYTECODE = Path(__file__).parents[2] / ".cache" / "bytecode"
"""Where what a checkout holds is kept compiled."""


class Used(NamedTuple):
    """What a process and the children that it waited for used.

    Attributes:
        cpu: Seconds, of user and system.
        memory: The most that was resident, in MB.
    """

    cpu: float
    memory: float


class CompetitorError(Exception):
    """A competitor did not do what was asked of it."""


def start(
    command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Starts a competitor on its core; what it says goes to ``errors`` in `cwd`, or nowhere."""
    pinned = ["taskset", "--cpu-list", str(WORK), *map(str, command)]
    # As installed: compiled, whatever the shell says of that.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(BYTECODE)}
    errors = (cwd / "errors").open("wb") if cwd else subprocess.DEVNULL
    try:
        return subprocess.Popen(
            pinned,
            env={**os.environ, **compiled, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        )
    finally:
        if not isinstance(errors, int):
            errors.close()


def finish(process: subprocess.Popen[bytes], cwd: Path | None = None) -> Used:
    """Waits for the end of a competitor.

    Raises:
        CompetitorError: It ended with an error; the message has its last words.
    """
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        words = (cwd / "errors").read_text(errors="replace")[-2000:] if cwd else ""
        raise CompetitorError(f"{process.args!r} ended with {process.returncode}\n{words}")
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    until: Callable[[subprocess.Popen[bytes]], None] | None = None,
) -> Used:
    """Runs a competitor to its end.

    Args:
        command: Its arguments.
        env: Added to the environment.
        cwd: Its working directory.
        until: Returns when it shall end, after having told it.

    Raises:
        CompetitorError: It ended with an error.
    """
    process = start(command, env=env, cwd=cwd)
    try:
        if until:
            until(process)
        return finish(process, cwd)
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()


def fresh(folder: Path) -> Path:
    """The directory, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
