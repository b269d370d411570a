"""``sfm-stream simulate wikimedia``: EventStreams as a program."""

from __future__ import annotations

from typing import Any

import click

from sfm_stream.simulator.options import Serving, replay_options, serving_options
from sfm_stream.usage import examples


@click.command(
    epilog=examples(
        "sfm-stream simulate wikimedia",
        "sfm-stream simulate wikimedia --port 0 --rate 200 --past 3600",
    )
)
@serving_options(8972, "sfm_stream/sources/wikimedia/simulator/server.py")
@replay_options(30.0, 604_800.0, "Events a second.")
@click.option(
    "--renewal",
    type=click.FloatRange(min=0),
    default=900.0,
    show_default=True,
    help="Seconds until a connection is ended.",
)
def simulate(serving: Serving, **chosen: Any) -> None:  # noqa: ANN401 - the fields of Options
    """Wikimedia's EventStreams: replay by position, renewals, canaries, and failures to order."""
    from sfm_stream.sources.wikimedia.simulator.server import EventStreams, Options, read_plan

    options = Options(seed=serving.seed, **chosen)
    steps, ledger = serving.steps(read_plan), serving.ledger()
    serving.serve(EventStreams(options, ledger, steps).application(), ledger)
