"""What scheduled jobs have in common: the archive's their directories, and all of them where their outcome is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from sfm_stream import clock
from sfm_stream.durable import replace_file
from sfm_stream.errors import LockedError, StorageError
from sfm_stream.owner import become_owner, require_directory
from sfm_stream.places import DATA_DIR, STATE_DIR
from sfm_stream.table import json_text


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command with ``--dir``, ``--archive-dir`` and ``--state-dir``."""
    path = click.Path(path_type=Path)
    for option in (
        click.option(
            "--state-dir",
            type=path,
            help="Where the programs keep their journals, and this job its outcome; if not given, "
            f"{STATE_DIR} where it belongs to whom the data belongs.",
        ),
        click.option("--archive-dir", type=path, help="Where the date tree is, if not in the data directory."),
        click.option(
            "--dir",
            "data_dir",
            type=path,
            default=DATA_DIR,
            show_default=True,
            help="Where the programs put their files.",
        ),
    ):
        command = option(command)
    return command


def take_places(data_dir: Path, archive_dir: Path | None, state_dir: Path | None) -> Path | None:
    """Checks that the directories exist, and continues as their owner where root started the job.

    Returns:
        The state directory; None where there is none: the host's own is no record of somebody else's data.

    Raises:
        StorageError: One of those that were named is not there.
        UsageError: As from `become_owner`.
    """
    for directory in filter(None, (data_dir, archive_dir, state_dir)):
        require_directory(directory)
    if state_dir is None and _belongs_to_owner_of(STATE_DIR, data_dir):
        state_dir = STATE_DIR
    become_owner(*filter(None, (data_dir, archive_dir, state_dir)))
    if state_dir is None:
        click.echo(
            f"sfm-stream: {STATE_DIR} is not there, or is not of the owner of {data_dir}: no journals are read, and "
            "the outcome is not kept; --state-dir names other records",
            err=True,
        )
    return state_dir


def _belongs_to_owner_of(state_dir: Path, data_dir: Path) -> bool:
    try:
        return state_dir.is_dir() and state_dir.stat().st_uid == data_dir.stat().st_uid
    except OSError:
        return False


def keep_outcome(state_dir: Path | None, name: str, outcome: object, *, mode: int | None = None) -> None:
    """Replaces ``<state dir>/<name>.json``, where status reads how the last run went; says so where it cannot."""
    if state_dir is None:
        return
    path = state_dir / f"{name}.json"
    try:
        replace_file(path, f"{json_text(outcome)}\n".encode(), mode=mode)
    except OSError as error:
        click.echo(f"sfm-stream: {path}: the outcome cannot be kept there: {error.strerror}", err=True)


@contextmanager
def outcome_kept(directory: Path | None, name: str) -> Iterator[dict[str, Any]]:
    """Leaves in `directory` how a job went, whatever comes of it; a run that another one holds up leaves nothing.

    For a job whose user may not write where the archive's jobs leave theirs. Everybody may read the outcome, since
    status looks as another user.

    Yields:
        What is kept besides time, seconds, exit code and error, for the job to fill in.

    Raises:
        StorageError: Nothing can be kept there.
    """
    outcome: dict[str, Any] = {}
    if directory is None:
        yield outcome
        return
    try:
        directory.mkdir(exist_ok=True)
        directory.chmod(0o711)
    except OSError as error:
        raise StorageError(f"{error.filename}: nothing can be kept there: {error.strerror}") from error
    begun, code, said, held_up = clock.now(), 0, None, False
    try:
        yield outcome
    except LockedError:
        held_up = True
        raise
    except BaseException as error:
        code, said = getattr(error, "exit_code", 1), str(error) or type(error).__name__
        raise
    finally:
        if not held_up:
            seconds = round((clock.now() - begun).total_seconds(), 3)
            kept = {"time": clock.text(begun), "seconds": seconds, "exit_code": code, "error": said}
            keep_outcome(directory, name, kept | outcome, mode=0o644)


def count(number: int, thing: str, things: str = "") -> str:
    """A number with its noun: ``1 file``, ``12,345 files``."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
