"""``sfm-stream simulate``: the embedded X as a program."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfm_stream.errors import ConfigError, SfmError, UsageError

if TYPE_CHECKING:
    from sfm_stream.sources.x.simulator.access import Secret


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address; no other is accepted.")
@click.option("--port", type=click.IntRange(0, 65535), default=8970, show_default=True, help="0 takes a free one.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="Posts made a second; a filter gets those that match, the sample stream all.",
)
@click.option("--cap", type=click.IntRange(1), default=250, show_default=True, help="Most posts delivered a second.")
@click.option(
    "--posts",
    type=click.File("rb"),
    help="Replay recorded posts, plain or gzip, byte for byte, once for each app and stream.",
)
@click.option("--loop", is_flag=True, help="Replay them for ever, not once.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same posts.")
@click.option(
    "--app",
    "apps",
    multiple=True,
    metavar="NAME=TOKEN[,KEY,SECRET]",
    help="The only apps let in; without, any token is an app of its own.",
)
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Faults to order; see simulator/plan.py.")
@click.option("--ledger", "ledger_file", type=click.Path(path_type=Path), help="Record all that was sent and answered.")
@click.option("--keep-alive", type=click.FloatRange(0.01), default=20.0, show_default=True, help="Seconds.")
@click.option("--rule-delay", type=click.FloatRange(0), default=0.0, show_default=True, help="Seconds to take effect.")
@click.option("--rule-count", type=click.IntRange(0), default=1000, show_default=True, help="Rules an app may hold.")
@click.option("--rule-length", type=click.IntRange(1), default=1024, show_default=True, help="Characters in a rule.")
@click.option("--connections", type=click.IntRange(1), default=1, show_default=True, help="At a time, per endpoint.")
@click.option("--connects", type=click.IntRange(1), default=50, show_default=True, help="Connects in a window.")
@click.option(
    "--window", type=click.FloatRange(0.1), default=900.0, show_default=True, help="Rate limits', in seconds."
)
@click.option("--month", type=click.IntRange(0), default=3_000_000, show_default=True, help="Posts in a month.")
@click.option("--buffer", type=click.IntRange(1), help="Posts that wait for a slow reader.  [default: 20 s of --cap]")
@click.option("--replace", is_flag=True, help="A connection too many ends the oldest, in place of a 429.")
@click.option("--backfill", is_flag=True, help="Allow backfill_minutes, as X does for Enterprise.")
def simulate(
    host: str,
    port: int,
    rate: float,
    cap: int,
    posts: Iterable[bytes] | None,
    loop: bool,
    seed: int,
    apps: tuple[str, ...],
    plan_file: Path | None,
    ledger_file: Path | None,
    keep_alive: float,
    rule_delay: float,
    rule_count: int,
    rule_length: int,
    connections: int,
    connects: int,
    window: float,
    month: int,
    buffer: int | None,
    replace: bool,
    backfill: bool,
) -> None:
    """Be X, on loopback: both streams, rules, limits and failures. The first line printed is its URL."""
    _check_loopback(host)
    if rate > cap:
        raise UsageError(f"--rate {rate:g} is over the cap of {cap} posts a second; raise --cap as well")
    try:
        import aiohttp  # noqa: F401
    except ImportError as error:
        raise SfmError("the simulator needs aiohttp: pip install 'sfm-stream[simulator]'") from error

    from sfm_stream.simulator.ledger import Ledger
    from sfm_stream.sources.x.simulator.apps import Limits
    from sfm_stream.sources.x.simulator.firehose import read_recorded
    from sfm_stream.sources.x.simulator.plan import read_plan
    from sfm_stream.sources.x.simulator.run import run
    from sfm_stream.sources.x.simulator.server import Options
    from sfm_stream.sources.x.simulator.stream import Settings

    try:
        steps = read_plan(plan_file.read_bytes(), str(plan_file)) if plan_file else []
        recorded = read_recorded(posts) if posts is not None else None
        ledger = Ledger(ledger_file)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"--posts: {error}") from error
    limits = Limits(
        rule_count=rule_count,
        rule_length=rule_length,
        connections=connections,
        connects=connects,
        window=window,
        month=month,
        backfill=backfill,
        replace=replace,
    )
    settings = Settings(keep_alive=keep_alive, cap=cap, buffer=buffer or 20 * cap)
    options = Options(
        rate=rate,
        seed=seed,
        secrets=tuple(map(_read_app, apps)),
        recorded=recorded,
        loop=loop,
        rule_delay=rule_delay,
        limits=limits,
        settings=settings,
    )
    run(options, ledger, steps, host, port)


def _check_loopback(host: str) -> None:
    """Refuses addresses that others could reach: whoever reaches the simulator may do anything with it."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise UsageError(f"--host {host}: only a loopback address, like 127.0.0.1 or ::1, is allowed")


def _read_app(text: str) -> Secret:
    from sfm_stream.sources.x.simulator.access import Secret

    name, equals, secret = text.partition("=")
    parts = secret.split(",")
    if not (name and equals and parts[0]) or len(parts) not in {1, 3}:
        raise UsageError(f"--app: found {name!r}; NAME=TOKEN or NAME=TOKEN,KEY,SECRET is needed")
    return Secret(name, parts[0], (parts[1], parts[2]) if len(parts) == 3 else None)
