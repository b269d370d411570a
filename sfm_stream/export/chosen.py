"""What a reading is about: the options that `read`, `export` and `dataset` share, and the files that they name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from sfm_stream import reading
from sfm_stream.errors import UsageError
from sfm_stream.export import files
from sfm_stream.export.files import InputFile, Places, Report, Span
from sfm_stream.owner import become_owner, require_directory
from sfm_stream.places import DATA_DIR, STATE_DIR, config_dir_option, find_state_dir, state_dir_option
from sfm_stream.settings.faults import nearest
from sfm_stream.sources import registry

_TIMES = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])


class ChosenStream(NamedTuple):
    """A program, or files that were named, with the files to read in order.

    Attributes:
        program: Its name; "" where files of several programs were named.
        source: The name of the source that its lines come from.
        files: All of its files.
    """

    program: str
    source: str
    files: list[InputFile]


def span_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command with ``--from`` and ``--to``; it gets `start` and `end`."""
    for option in (
        click.option(
            "--to",
            "end",
            type=_TIMES,
            metavar="TIME",
            help="What was sent before this time: 2026-11-15 is all of the 14th.",
        ),
        click.option("--from", "start", type=_TIMES, metavar="TIME", help="What was sent at this time (UTC) or after."),
    ):
        command = option(command)
    return command


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command with ``--dir``, ``--archive-dir``, ``--state-dir`` and ``--config-dir``."""
    path = click.Path(path_type=Path)
    for option in (
        config_dir_option,
        state_dir_option,
        click.option(
            "--archive-dir", type=path, help="Where the date tree is; if not given, where it was last sorted."
        ),
        click.option(
            "--dir",
            "data_dir",
            type=path,
            help="Where programs put their files; if not given, where their settings say.",
        ),
    ):
        command = option(command)
    return command


def span(start: datetime | None, end: datetime | None) -> Span:
    """The time between two options.

    Raises:
        UsageError: It ends before it begins.
    """
    begin, finish = (each and each.replace(tzinfo=UTC) for each in (start, end))
    if begin and finish and finish <= begin:
        raise UsageError(f"--to {finish:%Y-%m-%dT%H:%M:%SZ} is not after --from {begin:%Y-%m-%dT%H:%M:%SZ}")
    return Span(begin, finish)


class HostDirectories(NamedTuple):
    """Where a host keeps things.

    Attributes:
        places: Its files.
        state: Its records; None where there are none, as beside a copy of a tree.
    """

    places: Places
    state: Path | None


def host(data_dir: Path | None, archive_dir: Path | None, state_dir: Path | None, config_dir: Path) -> HostDirectories:
    """Finds a host's directories; started by root, goes on as the owner of the data.

    Raises:
        NotAllowedError: This user may not see them.
        StorageError: The data directory is not there.
    """
    named = data_dir is not None
    state: Path | None = state_dir if named else find_state_dir(state_dir, config_dir)
    if state is None and named and STATE_DIR.parent == DATA_DIR.parent and data_dir == DATA_DIR:
        state = STATE_DIR
    data = data_dir or _setting(config_dir, "data_dir") or DATA_DIR
    require_directory(data)
    archive = archive_dir or (state and _sorted_to(state, data)) or data
    if archive != data:
        require_directory(archive)
    become_owner(data)
    for each in {data, archive}:
        if not os.access(each, os.R_OK | os.X_OK):
            reading.matching(each, "*")  # says who may
    return HostDirectories(Places(str(data), str(archive)), state if state and state.is_dir() else None)


def streams(named: Sequence[str], found: Places, report: Report) -> list[ChosenStream]:
    """The programs of these names, of filters or programs; all where none is given.

    Raises:
        UsageError: There is none of such a name; the message names the nearest.
        OSError: A directory cannot be read.
    """
    known = files.programs(found)
    chosen = [_program(each, known, found) for each in dict.fromkeys(named)] or known
    return [
        ChosenStream(program, registry.source_of(program), files.of_program(found, program, report))
        for program in chosen
    ]


def loose(paths: Sequence[str], source: str | None) -> list[ChosenStream]:
    """Files that were named, by source.

    Raises:
        UsageError: One is not there.
    """
    by_source: dict[str, list[InputFile]] = {}
    for path in paths:
        if path != files.STDIN and not os.path.exists(path):  # noqa: PTH110
            raise UsageError(f"{path}: there is no such file")
        each = files.source(path)
        name = source or (registry.source_of(each.capture.program) if each.capture else registry.DEFAULT)
        by_source.setdefault(name, []).append(each)
    return [ChosenStream("", name, files.in_order(found)) for name, found in by_source.items()]


def is_path(argument: str) -> bool:
    """Whether an argument is a file's path, and no stream's name."""
    return "/" in argument or "." in argument or os.path.isfile(argument)  # noqa: PTH113


def _program(name: str, known: Sequence[str], found: Places) -> str:
    for program in (name, *(registry.program(each, name) for each in registry.names())):
        if program in known:
            return program
    raise UsageError(
        f"nothing of {name!r} in {found.data}"
        + (f" or {found.archive}" if found.archive != found.data else "")
        + (f"; {nearest(name, known)}" if known else "; it holds no capture files")
    )


def _setting(config_dir: Path, key: str) -> Path | None:
    for path in reading.matching(config_dir / "streams", "*.json"):
        try:
            return Path(msgspec.json.decode(reading.read_small(path), type=dict[str, Any])[key])
        except (OSError, KeyError, TypeError, *reading.DAMAGE):
            continue
    return None


def _sorted_to(state: Path, data: Path) -> Path | None:
    """Where the last run of organizedata put the files of this data directory."""
    try:
        last = reading.read_record(state / "organize.json", dict[str, Any])
    except reading.UnreadableError:
        return None
    if not last or last.get("data_dir") != str(data) or not isinstance(last.get("archive_dir"), str):
        return None
    return Path(last["archive_dir"])
