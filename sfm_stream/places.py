"""Options that name the directories of a host, and what they are where none is given."""

from __future__ import annotations

from pathlib import Path

import click

CONFIG_DIR = Path("/etc/sfm")
STATE_DIR = Path("/var/lib/sfm/state")

config_dir_option = click.option(
    "--config-dir",
    type=click.Path(path_type=Path),
    default=CONFIG_DIR,
    show_default=True,
    help="Where streams/ and credentials/ lie.",
)


def find_state_dir(given: Path | None, config_dir: Path) -> Path:
    """The state directory: the given one, or the one that the settings of this host's streams name."""
    if given is not None:
        return given
    import msgspec

    for path in sorted((config_dir / "streams").glob("*.json")):
        try:
            return Path(msgspec.json.decode(path.read_bytes())["state_dir"])
        except (OSError, msgspec.DecodeError, KeyError, TypeError):
            continue
    return STATE_DIR


state_dir_option = click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="Where journal/ and status/ lie; if not given, where the streams of this host say.",
)
