"""Reads what a program needs from its host: the settings of its stream, and its secret.

Both are JSON files below the configuration directory (``/etc/sfm``)::

    streams/<program>.json        everything that one program needs, resolved
    credentials/<name>.json       one X app's secret; no one else may read it
    environment.json              proxies and certificates to trust, where the site has any; may hold a login

The deployment writes them; `sfm-stream validate` judges them with this same code.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from sfm_stream import reading
from sfm_stream.errors import ConfigError
from sfm_stream.settings.checks import credential_faults, stream_faults
from sfm_stream.settings.environment import NAMES, convert_environment, missing_files
from sfm_stream.settings.faults import Fault, convert
from sfm_stream.settings.model import Credential, Kind, Stream, program_name
from sfm_stream.sources.x.rules.accounts import by_id

SETTINGS = 16 << 20
"""Bytes; more than the rules of any app take."""
T = TypeVar("T", Stream, Credential)


def stream_path(config_dir: Path, kind: Kind, name: str) -> Path:
    """Where the settings of a stream lie."""
    return config_dir / "streams" / f"{program_name(kind, name)}.json"


def credential_path(config_dir: Path, name: str) -> Path:
    """Where a credential lies."""
    return config_dir / "credentials" / f"{name}.json"


def read_stream(path: Path) -> Stream:
    """The settings in `path`, with ids in place of the names of accounts that have been resolved.

    Raises:
        ConfigError: The file cannot be read, or any of it is wrong; one line for each fault.
    """
    return by_id(_read(path, Stream, lambda stream, where: stream_faults(by_id(stream), where)))


def read_credential(path: Path) -> Credential:
    """The secret in `path`.

    Raises:
        ConfigError: As for `read_stream`, and where others than its owner and group may read the file.
    """
    credential = _read(path, Credential, credential_faults)
    _refuse_open(path)
    return credential


def read_environment(path: Path) -> dict[str, str]:
    """The variables in `path`, see `sfm_stream.settings.environment`; none where there is no such file.

    Raises:
        ConfigError: As for `read_credential`, and where certificates that it names cannot be read.
    """
    if not path.exists():
        return {}
    faults: list[Fault] = []
    values = convert_environment(_decode(path), str(path), faults)
    faults.extend(missing_files(values, str(path)))
    if faults:
        raise ConfigError("\n".join(map(str, faults)))
    _refuse_open(path)
    return values


def _refuse_open(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IRWXO:
        raise ConfigError(
            f"{path}: mode {mode:04o} lets everyone on this host use the secret; "
            f"only its owner and group may: chmod 0640 {path}"
        )


class Unusable(msgspec.Struct, frozen=True):
    """A settings file that cannot be used: its program, and one line for each fault."""

    program: str
    fault: str


def list_streams(config_dir: Path) -> Iterator[Stream | Unusable]:
    """All streams of this host, active and inactive, by program name; a bad file costs itself alone.

    Raises:
        NotAllowedError: This user may not see them.
    """
    for path in reading.matching(config_dir / "streams", "*.json"):
        try:
            yield read_stream(path)
        except ConfigError as error:
            yield Unusable(path.stem, str(error))


def validate_file(path: Path) -> None:
    """Judges a file of settings, a credential or an environment, whichever it is by its keys.

    Raises:
        ConfigError: As for `read_stream` and `read_credential`.
    """
    raw = _decode(path)
    secrets = {field.name for field in msgspec.structs.fields(Credential)}
    if isinstance(raw, dict) and "kind" not in raw and secrets & raw.keys():
        read_credential(path)
    elif isinstance(raw, dict) and set(NAMES) & raw.keys():
        read_environment(path)
    else:
        read_stream(path)


def _decode(path: Path) -> object:
    try:
        return msgspec.json.decode(reading.read_small(path, SETTINGS))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except reading.DAMAGE as error:
        raise ConfigError(f"{path}: is not JSON: {error}") from error


def _read(path: Path, kind: type[T], check: Callable[[T, str], Iterable[Fault]]) -> T:
    faults: list[Fault] = []
    try:
        value: T | None = convert(kind, _decode(path), str(path), faults)
    except RecursionError as error:
        raise ConfigError(f"{path}: is nested far deeper than settings are") from error
    if value is not None and not faults:
        faults.extend(check(value, str(path)))
    if value is None or faults:
        raise ConfigError("\n".join(map(str, faults)))
    return value
