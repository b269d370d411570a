"""`sfm-stream rules`: what a filter matches, shown, tried on recorded posts, and checked by its source."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfm_stream.places import config_dir_option
from sfm_stream.table import json_text
from sfm_stream.usage import examples

if TYPE_CHECKING:
    from sfm_stream.settings.model import StreamSettings


@click.group(
    epilog=examples(
        "sfm-stream rules show storms",
        "sfm-stream rules test storms --posts yesterday.jsonl",
    )
)
def rules() -> None:
    """Work with the rules of a filter."""


@rules.command(
    "show",
    epilog=examples(
        "sfm-stream rules show storms",
    ),
)
@click.argument("name")
@config_dir_option
def rules_show(name: str, config_dir: Path) -> None:
    """Print what the filter NAME matches, as its source is asked for it."""
    from sfm_stream.sources.registry import source

    stream = _read_filter(name, config_dir)
    for tag, value in source(stream.source).rules(stream):
        click.echo(f"{tag}\t{len(value)}\t{value}")


@rules.command(
    "test",
    epilog=examples(
        "sfm-stream rules test storms --posts yesterday.jsonl",
        "sfm-stream read storms | sfm-stream rules test storms --posts -",
    ),
)
@click.argument("name")
@click.option(
    "--posts",
    required=True,
    type=click.File("rb"),
    help="Recorded lines, as the source streams them; - for standard input.",
)
@config_dir_option
def rules_test(name: str, posts: Iterable[bytes], config_dir: Path) -> None:
    """Show what the filter NAME would have matched among recorded posts, before paying for it."""
    from sfm_stream.sources.registry import source

    stream = _read_filter(name, config_dir)
    click.echo(source(stream.source).test_rules(stream, posts))


@rules.command(
    "check",
    epilog=examples(
        "sudo sfm-stream rules check storms",
    ),
)
@click.argument("name")
@config_dir_option
def rules_check(name: str, config_dir: Path) -> None:
    """Have the source judge what the filter NAME asks of it, without taking it."""
    from sfm_stream.settings.config import credential_of
    from sfm_stream.sources.registry import source

    stream = _read_filter(name, config_dir)
    asked = source(stream.source)
    credential = credential_of(config_dir, stream)
    click.echo(f"{asked.title} takes the rules of {name}: {asked.check_rules(stream, credential)}")


@rules.command(
    "resolve",
    epilog=examples(
        "jq -s . my-settings/streams/*.json | sfm-stream rules resolve --known-only",
    ),
)
@click.option("--ask/--known-only", default=True, help="Whether sources are asked for those the host does not know.")
@click.option("--paid/--free", default=True, help="Whether those are asked that charge for it.")
@config_dir_option
def rules_resolve(ask: bool, paid: bool, config_dir: Path) -> None:
    """Print the ids of accounts followed by name: for deployments, which give the settings to be as a JSON list."""
    from sfm_stream.commands.resolve import resolve
    from sfm_stream.settings.config import read_environment
    from sfm_stream.settings.environment import environment_path, take_up

    if ask:
        take_up(read_environment(environment_path(config_dir)))
    declared = sys.stdin.buffer.read()
    click.echo(json_text(resolve(declared, config_dir, ask=ask, paid=paid)))


def _read_filter(name: str, config_dir: Path) -> StreamSettings:
    from sfm_stream.settings.config import find_filter, read_stream

    return read_stream(find_filter(config_dir, name))
