"""`sfm-stream estimate`: how many posts a filter will bring, and what they cost, before anything is paid for them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from sfm_stream.places import config_dir_option
from sfm_stream.usage import examples

DAYS = 30.0


@click.command(
    epilog=examples(
        "sudo sfm-stream estimate storms --days 14",
        "sfm-stream read other | sfm-stream estimate storms --posts -",
    )
)
@click.argument("name")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    help=f"For how long, by the source's counts; {DAYS:.0f} if not given.",
)
@click.option(
    "--posts",
    type=click.File("rb"),
    help="Go by recorded lines of its source, and ask nobody; - for standard input.",
)
@config_dir_option
def estimate(name: str, days: float | None, posts: Iterable[bytes] | None, config_dir: Path) -> None:
    """Estimate how many posts the filter NAME brings, and what they cost.

    The filter's source is asked how many posts matched lately, where it counts for the account; what it says is a lower
    bound. With --posts, the filter is tried on posts that were collected otherwise, which costs nothing.
    """
    from sfm_stream.errors import UsageError
    from sfm_stream.settings.config import credential_of, find_filter, read_environment, read_stream
    from sfm_stream.settings.environment import environment_path, take_up
    from sfm_stream.sources.registry import source

    stream = read_stream(find_filter(config_dir, name))
    asked = source(stream.source)
    if posts is not None:
        if days is not None:
            raise UsageError(
                "--posts tells how many of the recorded posts match, for the time of these; leave --days out"
            )
        click.echo(asked.test_rules(stream, posts))
        return
    take_up(read_environment(environment_path(config_dir)))
    click.echo(asked.estimate(stream, credential_of(config_dir, stream), days or DAYS))
