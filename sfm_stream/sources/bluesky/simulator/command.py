"""``sfm-stream simulate bluesky``: a Jetstream host as a program."""

from __future__ import annotations

from typing import Any

import click

from sfm_stream.simulator.options import Serving, replay_options, serving_options
from sfm_stream.usage import examples


@click.command(
    epilog=examples(
        "sfm-stream simulate bluesky",
        "sfm-stream simulate bluesky --port 0 --rate 500 --past 3600",
    )
)
@serving_options(8971, "sfm_stream/sources/bluesky/simulator/faults.py")
@replay_options(50.0, 129_600.0, "Events a second, a quarter of them posts.")
@click.option("--first-seq", type=click.IntRange(1), default=1000, show_default=True, help="The first event's number.")
@click.option(
    "--write-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds that a frame may take before a slow reader is cut off.",
)
@click.option(
    "--ping",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds between pings.",
)
def simulate(serving: Serving, **chosen: Any) -> None:  # noqa: ANN401 - the fields of Options
    """Bluesky's Jetstream: both wires, replay, limits and failures."""
    from sfm_stream.sources.bluesky.simulator.faults import read_plan
    from sfm_stream.sources.bluesky.simulator.server import Jetstream, Options

    options = Options(seed=serving.seed, **chosen)
    steps, ledger = serving.steps(read_plan), serving.ledger()
    serving.serve(Jetstream(options, ledger, steps).application(), ledger)
