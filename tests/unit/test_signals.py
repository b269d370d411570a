"""Signals that become flags, and waits that end at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

WAITING = """
import threading
from sfm_stream.capture.signals import Signals

signals = Signals()
print("ready", flush=True)
while not signals.stop:
    signals.wait(100)
    if signals.reread:
        signals.reread = False
        print("reread", flush=True)
print(signals.stop, flush=True)
"""


@contextmanager
def running(script: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def output_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    out = process.stdout.read()
    process.wait()
    return out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_ends_the_wait(number: signal.Signals) -> None:
    """Long before its time, and without a traceback; the flag tells which it was."""
    with running(WAITING) as process:
        process.send_signal(number)
        assert output_of(process) == f"{number.name}\n"
        assert process.returncode == 0


def test_a_hangup_asks_to_read_again_and_stops_nothing() -> None:
    """As often as it comes."""
    with running(WAITING) as process:
        assert process.stdout is not None
        for _ in range(2):
            process.send_signal(signal.SIGHUP)
            assert process.stdout.readline() == "reread\n"
        process.send_signal(signal.SIGTERM)
        assert output_of(process) == "SIGTERM\n"


def test_a_signal_that_came_before_the_wait_is_not_missed() -> None:
    """A wait that begins after it ends at once."""
    script = """
    import os, signal
    from sfm_stream.capture.signals import Signals

    signals = Signals()
    print("ready", flush=True)
    os.kill(os.getpid(), signal.SIGHUP)
    signals.wait(100)
    print(signals.reread, signals.stop, flush=True)
    """
    with running(script) as process:
        assert output_of(process) == "True None\n"


def test_another_thread_ends_the_wait_however_often_it_wakes() -> None:
    """Each wait ends once; more wakes than a pipe holds do not block the one who wakes."""
    script = """
    import threading
    from sfm_stream.capture.signals import Signals

    signals = Signals()
    print("ready", flush=True)
    thread = threading.Thread(target=lambda: [signals.wake() for _ in range(200_000)])
    thread.start()
    thread.join()
    signals.wait(100)
    threading.Timer(0.05, signals.wake).start()
    while True:
        signals.wait(100)
        break
    print("woken", flush=True)
    """
    with running(script) as process:
        assert output_of(process) == "woken\n"


def test_a_wait_of_no_time_returns() -> None:
    """A deadline that has passed is no wait."""
    script = """
    from sfm_stream.capture.signals import Signals

    signals = Signals()
    print("ready", flush=True)
    signals.wait(0)
    signals.wait(-5)
    print(signals.stop, flush=True)
    """
    with running(script) as process:
        assert output_of(process) == "None\n"
