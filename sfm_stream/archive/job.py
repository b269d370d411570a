"""What the archive's jobs (organizedata, audit) have in common: their directories, and where their outcome is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sfm_stream.durable import replace_file
from sfm_stream.table import json_text


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command with ``--dir``, ``--archive-dir`` and ``--state-dir``."""
    path = click.Path(path_type=Path)
    for option in (
        click.option(
            "--state-dir",
            type=path,
            default=Path("/var/lib/sfm/state"),
            show_default=True,
            help="Where the programs keep their journals, and this job its outcome.",
        ),
        click.option("--archive-dir", type=path, help="Where the date tree is, if not in the data directory."),
        click.option(
            "--dir",
            "data_dir",
            type=path,
            default=Path("/var/lib/sfm/data"),
            show_default=True,
            help="Where the programs put their files.",
        ),
    ):
        command = option(command)
    return command


def keep_outcome(state_dir: Path, name: str, outcome: object) -> None:
    """Replaces ``<state dir>/<name>.json``, where status reads how the last run went; says so where it cannot."""
    path = state_dir / f"{name}.json"
    try:
        replace_file(path, f"{json_text(outcome)}\n".encode())
    except OSError as error:
        click.echo(f"sfm-stream: {path}: the outcome cannot be kept there: {error.strerror}", err=True)


def count(number: int, thing: str, things: str = "") -> str:
    """A number with its noun: ``1 file``, ``12,345 files``."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
