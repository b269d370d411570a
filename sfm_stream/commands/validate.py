"""`sfm-stream validate`: are these files what a program can read?"""

from __future__ import annotations

from pathlib import Path

import click

from sfm_stream.errors import ConfigError
from sfm_stream.table import json_option, json_text
from sfm_stream.usage import examples


@click.command(
    epilog=examples(
        "sudo sfm-stream validate /etc/sfm/streams/*.json /etc/sfm/credentials/*.json",
    )
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def validate(files: tuple[Path, ...], as_json: bool) -> None:
    """Check settings and credential FILES without starting anything."""
    from sfm_stream.settings.config import validate_file

    faults: list[str] = []
    for file in files:
        try:
            validate_file(file)
        except ConfigError as error:
            faults += str(error).splitlines()
    if as_json:
        click.echo(json_text({"files": len(files), "faults": faults}))
    if faults:
        raise ConfigError("" if as_json else "\n".join(faults))
    if not as_json:
        click.echo(f"{len(files)} valid")
