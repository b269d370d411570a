"""``sfm-stream simulate x``: the simulated X as a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from sfm_stream.errors import ConfigError, UsageError
from sfm_stream.simulator.options import Serving, serving_options
from sfm_stream.usage import examples

if TYPE_CHECKING:
    from sfm_stream.sources.x.simulator.access import AppSecret

_LIMITS = (
    click.option("--rule-count", type=click.IntRange(0), default=1000, show_default=True, help="Rules of an app."),
    click.option("--rule-length", type=click.IntRange(1), default=1024, show_default=True, help="Characters of one."),
    click.option("--connections", type=click.IntRange(1), default=1, show_default=True, help="At a time, an endpoint."),
    click.option("--connects", type=click.IntRange(1), default=50, show_default=True, help="Connects in a window."),
    click.option(
        "--window", type=click.FloatRange(0.1), default=900.0, show_default=True, help="Rate limits', in seconds."
    ),
    click.option("--month", type=click.IntRange(0), default=3_000_000, show_default=True, help="Posts in a month."),
    click.option("--replace", is_flag=True, help="A connection too many ends the oldest, in place of a 429."),
    click.option("--backfill", is_flag=True, help="Allow backfill_minutes, as X does for Enterprise."),
)
"""The fields of `sfm_stream.sources.x.simulator.apps.AppLimits`."""


def _limit_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_LIMITS):
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "sfm-stream simulate x",
        "sfm-stream simulate x --port 0 --rate 200 --seed 7",
    )
)
@serving_options(8970, "sfm_stream/sources/x/simulator/plan.py")
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
    help="Replay recorded posts, plain or compressed, byte for byte, once for each app and stream.",
)
@click.option("--loop", is_flag=True, help="Replay them for ever, not once.")
@click.option(
    "--app",
    "apps",
    multiple=True,
    metavar="NAME=TOKEN[,KEY,SECRET]",
    help="The only apps let in; without, any token is an app of its own.",
)
@click.option("--keep-alive", type=click.FloatRange(0.01), default=20.0, show_default=True, help="Seconds.")
@click.option("--rule-delay", type=click.FloatRange(0), default=0.0, show_default=True, help="Seconds to take effect.")
@click.option("--buffer", type=click.IntRange(1), help="Posts that wait for a slow reader.  [default: 20 s of --cap]")
@_limit_options
def simulate(
    serving: Serving,
    rate: float,
    cap: int,
    posts: Iterable[bytes] | None,
    loop: bool,
    apps: tuple[str, ...],
    keep_alive: float,
    rule_delay: float,
    buffer: int | None,
    **limits: Any,  # noqa: ANN401 - of several types
) -> None:
    """X: both streams, rules, limits and failures."""
    if rate > cap:
        raise UsageError(f"--rate {rate:g} is over the cap of {cap} posts a second; raise --cap as well")

    from sfm_stream.sources.x.simulator.apps import AppLimits
    from sfm_stream.sources.x.simulator.firehose import read_recorded
    from sfm_stream.sources.x.simulator.plan import read_plan
    from sfm_stream.sources.x.simulator.server import Options, Simulator
    from sfm_stream.sources.x.simulator.stream import ConnectionOptions

    try:
        recorded = read_recorded(posts) if posts is not None else None
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"--posts: {error}") from error
    options = Options(
        rate=rate,
        seed=serving.seed,
        secrets=tuple(map(_read_app, apps)),
        recorded=recorded,
        loop=loop,
        rule_delay=rule_delay,
        limits=AppLimits(**limits),
        settings=ConnectionOptions(keep_alive=keep_alive, cap=cap, buffer=buffer or 20 * cap),
    )
    steps, ledger = serving.steps(read_plan), serving.ledger()
    serving.serve(Simulator(options, ledger, steps).application(), ledger)


def _read_app(text: str) -> AppSecret:
    from sfm_stream.sources.x.simulator.access import AppSecret

    name, equals, secret = text.partition("=")
    parts = secret.split(",")
    if not (name and equals and parts[0]) or len(parts) not in {1, 3}:
        raise UsageError(f"--app: found {name!r}; NAME=TOKEN or NAME=TOKEN,KEY,SECRET is needed")
    return AppSecret(name, parts[0], (parts[1], parts[2]) if len(parts) == 3 else None)
