"""Options that name the directories of a host, and what they are where none is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

CONFIG_DIR = Path("/etc/sfm")
DATA_DIR = Path("/var/lib/sfm/data")
STATE_DIR = Path("/var/lib/sfm/state")
"""As the settings have them (`sfm_stream.settings.model`), which commands that read no settings do not import."""

_DIRECTORY = click.Path(path_type=Path, readable=False)
"""Whether it can be read is for the command to say, which knows who may."""

config_dir_option = click.option(
    "--config-dir",
    type=_DIRECTORY,
    default=CONFIG_DIR,
    show_default=True,
    help="Where streams/ and credentials/ lie.",
)


def find_state_dir(given: Path | None, config_dir: Path) -> Path:
    """The state directory: the given one, or the one that the settings of this host's streams name.

    Raises:
        NotAllowedError: None is given, and this user may not see the settings.
    """
    if given is not None:
        return given
    import msgspec

    from sfm_stream import reading

    for path in reading.matching(config_dir / "streams", "*.json"):
        try:
            return Path(msgspec.json.decode(reading.read_small(path), type=dict[str, Any])["state_dir"])
        except (OSError, KeyError, TypeError, *reading.DAMAGE):
            continue
    return STATE_DIR


def reach_state(given: Path | None, config_dir: Path) -> Path:
    """The state directory, as `find_state_dir` has it; started by root, goes on as its owner.

    Raises:
        StorageError: It is not there.
        UsageError: As from `become_owner`.
    """
    from sfm_stream.owner import become_owner, require_directory
    from sfm_stream.settings import faults  # noqa: F401 - for `program_named`, while they can be read
    from sfm_stream.sources import registry  # noqa: F401 - likewise

    state = find_state_dir(given, config_dir)
    require_directory(state)
    become_owner(state)
    return state


def programs(folder: Path) -> list[str]:
    """The programs that have a file in a folder of the state directory, such as ``journal``.

    Raises:
        NotAllowedError: This user may not see them.
    """
    from sfm_stream import reading

    return [path.stem for path in reading.matching(folder, "*.jsonl")]


def program_named(name: str, folder: Path) -> str:
    """The program of that name, or of the filter of that name, which has a file in `folder`.

    Raises:
        UsageError: None has; the message names the nearest.
    """
    from sfm_stream.errors import UsageError
    from sfm_stream.settings.faults import nearest
    from sfm_stream.sources import registry

    known = programs(folder)
    for program in (name, *(registry.program(each, name) for each in registry.names())):
        if program in known:
            return program
    prefixes = [registry.program(each, "") for each in registry.names()]
    names = [each.removeprefix(next((p for p in prefixes if each.startswith(p)), "")) for each in known]
    raise UsageError(f"no {folder.name} of {name!r} in {folder}; {nearest(name, names) if names else 'it holds none'}")


state_dir_option = click.option(
    "--state-dir",
    type=_DIRECTORY,
    help="Where journal/ and status/ lie; if not given, where the streams of this host say.",
)
