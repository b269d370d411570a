"""The options that the command of every simulated service has."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from sfm_stream.errors import ConfigError, SfmError, UsageError

if TYPE_CHECKING:
    from aiohttp import web

    from sfm_stream.simulator.ledger import Ledger

S = TypeVar("S")


class Serving(NamedTuple):
    """Where to listen, what is to go wrong, and where to record it.

    Attributes:
        host: A loopback address.
        port: 0 for a free one.
        plan_file: Faults to order.
        ledger_file: None to keep the record in memory.
        seed: Of what is generated.
    """

    host: str
    port: int
    plan_file: Path | None
    ledger_file: Path | None
    seed: int

    def steps(self, read_plan: Callable[[bytes, str], list[S]]) -> list[S]:
        """The steps of the plan; none without one.

        Raises:
            ConfigError: It cannot be read, or what is wrong with it.
        """
        if self.plan_file is None:
            return []
        try:
            text = self.plan_file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{self.plan_file}: {error.strerror}") from error
        return read_plan(text, str(self.plan_file))

    def ledger(self) -> Ledger:
        """The record, started over.

        Raises:
            ConfigError: The file cannot be written.
        """
        from sfm_stream.simulator.ledger import Ledger

        try:
            return Ledger(self.ledger_file)
        except OSError as error:
            raise ConfigError(f"{self.ledger_file}: {error.strerror}") from error

    def serve(self, application: web.Application, ledger: Ledger) -> None:
        """Serves until a signal; the first line printed is the URL."""
        from sfm_stream.simulator.serve import serve

        serve(application, ledger, self.host, self.port, seed=self.seed)


def serving_options(port: int, plan: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds the options, and hands them to the command as its first argument, a `Serving`.

    Args:
        port: The default of ``--port``.
        plan: The module whose docstring says what a plan may hold.
    """
    options = (
        click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address; no other."),
        click.option("--port", type=click.IntRange(0, 65535), default=port, show_default=True, help="0: a free one."),
        click.option("--plan", "plan_file", type=click.Path(path_type=Path), help=f"Faults to order; see {plan}."),
        click.option("--ledger", "ledger_file", type=click.Path(path_type=Path), help="Record all that was sent."),
        click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same posts."),
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def checked(
            host: str, port: int, plan_file: Path | None, ledger_file: Path | None, seed: int, **rest: object
        ) -> None:
            _check_loopback(host)
            _check_aiohttp()
            command(Serving(host, port, plan_file, ledger_file, seed), **rest)

        decorated: Callable[..., None] = checked
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def replay_options(rate: float, window: float, rate_help: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds what services have that compute each event from its number, and replay.

    Args:
        rate: The default of ``--rate``, events a second.
        window: The default of ``--window``, seconds.
        rate_help: What ``--rate`` counts.
    """
    seconds = click.FloatRange(min=0)
    rates = click.FloatRange(min=0, min_open=True)
    options = (
        click.option("--rate", type=rates, default=rate, show_default=True, help=rate_help),
        click.option("--window", type=seconds, default=window, show_default=True, help="Seconds that can be replayed."),
        click.option("--past", type=seconds, default=0.0, show_default=True, help="Seconds of events beforehand."),
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _check_loopback(host: str) -> None:
    """Refuses addresses that others could reach: anyone who reaches a simulator may do anything with it."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise UsageError(f"--host {host}: only a loopback address, like 127.0.0.1 or ::1, is allowed")


def _check_aiohttp() -> None:
    try:
        import aiohttp  # noqa: F401
    except ImportError as error:
        raise SfmError("the simulator needs aiohttp: pip install 'sfm-stream[simulator]'") from error
