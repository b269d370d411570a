"""`sfm-stream sources`: the services that filters can collect from."""

from __future__ import annotations

import click

from sfm_stream.table import json_option, json_text, render
from sfm_stream.usage import examples


@click.command(
    epilog=examples(
        "sfm-stream sources",
        "sfm-stream sources --json | jq -r '.[].name'",
    )
)
@json_option
def sources(as_json: bool) -> None:
    """List the services that filters can collect from, with what each needs and can."""
    from sfm_stream.sources import registry

    found = [registry.source(name) for name in registry.names()]
    if as_json:
        click.echo(json_text([{"source": each.name, "title": each.title, **each.traits._asdict()} for each in found]))
    else:
        rows = [(each.name, *each.traits) for each in found]
        click.echo(render(("SOURCE", "NEEDS", "GAPS", "DELETIONS", "COSTS"), rows))
