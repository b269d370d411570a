"""That a program starved of CPU loses nothing, or says exactly what."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.fault.compare import compare
from tests.fault.world import Running, World
from tests.support.simulator import Simulator
from tests.support.waiting import until


@contextmanager
def _limited(running: Running, share: float, period: float = 0.1) -> Iterator[None]:
    """Lets a program run for a share of the time only, as cpulimit does."""
    over = threading.Event()

    def alternate() -> None:
        while not over.is_set():
            running.send(signal.SIGSTOP)
            over.wait(period * (1 - share))
            running.send(signal.SIGCONT)
            over.wait(period * share)

    thread = threading.Thread(target=alternate)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        running.send(signal.SIGCONT)


def _load(world: World, posts: int, share: float, patience: float) -> str:
    running = world.start()
    world.connected()
    usage = psutil.Process(running.process.pid)
    begun = time.monotonic()
    with _limited(running, share):
        until(lambda: _sent(world) >= posts, posts, "posts sent to", world, patience=patience)
        took, cpu, memory = time.monotonic() - begun, usage.cpu_times(), usage.memory_info().rss / 1e6
    running.send_term_and_wait(60)
    compared = compare(world, slack=25, tolerance=2)
    assert compared.sent >= posts
    dropped = sum(event["posts"] for event in world.events("overflow"))
    assert compared.in_gaps or compared.kept + dropped == compared.sent
    lost = sum(event["posts"] for event in world.ledger() if event["event"] == "lost" and event["reason"] != "ended")
    return (
        f"{world.settings['compression']}, {share:.0%} of a CPU, {compared.sent / took:.0f} posts/s: {compared}; "
        f"{len(world.events('connect'))} connects, buffer {world.status()['buffer_high'] / 1e6:.1f} MB at most, "
        f"{cpu.user + cpu.system:.1f} s CPU, {memory:.0f} MB; matched and not sent by X: {lost}"
    )


def _sent(world: World) -> int:
    return int(world.simulated.ask("/_simulator/state")["apps"].get(world.app, {}).get("usage", 0))


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("share", "compression"), [(0.25, "gzip"), (0.25, "zstd"), (0.1, "gzip")])
def test_at_the_cap_of_x_a_starved_program_loses_nothing_silently(
    full: bool,
    simulator: Callable[..., Simulator],
    make_world: Callable[..., World],
    figures: list[str],
    share: float,
    compression: str,
) -> None:
    """250 posts a second, with a quarter and a tenth of a CPU: all is in the files."""
    if share < 0.2 and not full:
        pytest.skip("takes long: only with SFM_FAULT=full or --full")
    world = make_world(simulator("--rate", "250"), kind="streamsample", compression=compression)
    figures.append(_load(world, 15_000 if full else 1_500, share, patience=600))


@pytest.mark.timeout(1200)
@pytest.mark.full
@pytest.mark.parametrize(("share", "compression"), [(0.9, "gzip"), (0.9, "zstd"), (0.3, "zstd"), (0.1, "gzip")])
def test_at_twenty_times_the_cap_a_starved_program_loses_nothing_silently(
    simulator: Callable[..., Simulator],
    make_world: Callable[..., World],
    figures: list[str],
    share: float,
    compression: str,
) -> None:
    """5,000 posts a second: what X cuts off or the buffer drops is in the journal, all else in the files."""
    world = make_world(simulator("--rate", "5000", "--cap", "5000"), kind="streamsample", compression=compression)
    figures.append(_load(world, 100_000, share, patience=900))
