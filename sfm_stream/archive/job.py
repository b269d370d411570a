"""What the archive's jobs (organizedata, audit) have in common: whom they run as, and where their outcome is kept."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from datetime import datetime
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


def become_owner(directory: Path) -> None:
    """Started by root, goes on as the owner of `directory`: what the job makes must not belong to root.

    Import what is needed before; the owner may not be able to read where this program lies.
    """
    # What is loaded late as a rule; the owner may not be able to.
    import unicodedata  # noqa: F401

    datetime.strptime("2014+0000", "%Y%z")

    os.umask(0o027)
    if os.geteuid() != 0 or not directory.is_dir() or not (owner := directory.stat().st_uid):
        return
    group = directory.stat().st_gid
    try:
        os.initgroups(pwd.getpwuid(owner).pw_name, group)
    except KeyError:
        os.setgroups([group])
    os.setgid(group)
    os.setuid(owner)


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
