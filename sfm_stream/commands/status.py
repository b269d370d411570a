"""The command `status`: how every stream of this host stands, and the host."""

from __future__ import annotations

import time
from pathlib import Path

import click

from sfm_stream import table
from sfm_stream.places import config_dir_option, state_dir_option
from sfm_stream.usage import examples

EVERY = 2.0
"""Seconds between two looks of --watch."""


@click.command(
    epilog=examples(
        "sfm-stream status",
        "sfm-stream status storms --watch",
        "sfm-stream status --json | jq '.streams[] | select(.well | not) | .program'",
    )
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--watch", is_flag=True, help=f"Look again every {EVERY:g} seconds, until Ctrl-C.")
@table.json_option
@config_dir_option
@state_dir_option
def status(names: tuple[str, ...], watch: bool, as_json: bool, config_dir: Path, state_dir: Path | None) -> None:
    """Show how the streams of this host stand, and the host.

    NAME is a filter or a program; without one, all are shown. Exits with 3 where something is not well, or could not be
    looked at; standard error then says what.
    """
    from sfm_stream.errors import FindingsError
    from sfm_stream.report import lines
    from sfm_stream.report.apart import apart
    from sfm_stream.report.choice import chosen
    from sfm_stream.report.judge import judge
    from sfm_stream.report.look import look
    from sfm_stream.report.view import Overview

    if watch and as_json:
        raise click.UsageError("--watch is for a terminal; call --json as often as you like.")

    def see() -> Overview:
        import msgspec

        view = judge(*look(config_dir, state_dir))
        return msgspec.structs.replace(view, streams=chosen(view, names))

    try:
        while watch:
            # Apart: whoever has become the owner of the records cannot ask supervisord again.
            shown = apart(lambda: lines.text(see(), config_dir).encode())
            click.clear()
            click.echo(shown)
            time.sleep(EVERY)
    except KeyboardInterrupt:
        return
    view = see()
    click.echo(table.json_text(view) if as_json else lines.text(view, config_dir))
    if reasons := lines.reasons(view, view.streams):
        raise FindingsError("" if as_json else "\n".join(reasons))
