"""Reads what a program needs from its host: the settings of its stream, and its secret.

Both are JSON files below the configuration directory (``/etc/sfm``)::

    streams/<program>.json        everything that one program needs, resolved
    credentials/<name>.json       the secret of one account or app; no one else may read it
    environment.json              proxies and certificates to trust, where the site has any; may hold a login

The deployment writes them; `sfm-stream validate` judges them with this same code.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sfm_stream import reading
from sfm_stream.errors import ConfigError, UsageError
from sfm_stream.settings.alerts import alert_faults
from sfm_stream.settings.environment import NAMES, convert_environment, missing_files
from sfm_stream.settings.faults import Fault, UnknownKey, convert, nearest, show
from sfm_stream.settings.host import AlertSettings
from sfm_stream.settings.model import Credential, StreamSettings
from sfm_stream.sources import registry

if TYPE_CHECKING:
    from sfm_stream.sources.base import Source

SETTINGS = 16 << 20
"""Bytes; more than the rules of any app take."""
T = TypeVar("T", bound=msgspec.Struct)


def stream_path(config_dir: Path, program: str) -> Path:
    """Where the settings of a program lie."""
    return config_dir / "streams" / f"{program}.json"


def find_filter(config_dir: Path, name: str) -> Path:
    """Where the settings of a filter lie, whatever its source.

    Raises:
        UsageError: There is none of that name; the message names the nearest.
        NotAllowedError: This user may not see them.
    """
    paths = [stream_path(config_dir, registry.program(source, name)) for source in registry.names()]
    found = [path for path in paths if os.path.lexists(path)]
    there = [] if found else [path.stem for path in reading.matching(config_dir / "streams", "*.json")]
    if not found and (config_dir / "streams").is_dir():
        prefixes = [registry.program(source, "") for source in registry.names()]
        known = [each.removeprefix(prefix) for prefix in prefixes for each in there if each.startswith(prefix)]
        raise UsageError(f"no filter {name!r} on this host; {nearest(name, known) if known else 'it has none'}")
    return found[0] if found else stream_path(config_dir, registry.program(registry.DEFAULT, name))


def credential_path(config_dir: Path, name: str) -> Path:
    """Where a credential lies."""
    return config_dir / "credentials" / f"{name}.json"


def read_stream(path: Path, *, strict: bool = False, unknown: list[Fault] | None = None) -> StreamSettings:
    """The settings in `path`, with ids in place of the names of accounts that have been resolved.

    Releases of two ages meet on a host: after a rollback, a program may find settings that a newer release wrote. So
    keys that it does not know keep it from nothing, unless with `strict`.

    Args:
        path: The file.
        strict: Whether an unknown key is a fault.
        unknown: Receives each unknown key otherwise, for a warning.

    Raises:
        ConfigError: The file cannot be read, or any of it is wrong; one line for each fault.
    """
    raw = _decode(path)
    name = raw.get("source", registry.DEFAULT) if isinstance(raw, dict) else registry.DEFAULT
    if name not in registry.names():
        fix = nearest(str(name), registry.names())
        raise ConfigError(str(Fault(where=f"{path}: source", problem=f"found {show(name)}", fix=fix)))
    source = registry.source(name)
    settings = _read(
        path, source.settings, source.faults, unknown=None if strict else [] if unknown is None else unknown
    )
    stream: StreamSettings = source.with_account_ids(settings)
    return stream


def credential_of(config_dir: Path, stream: StreamSettings) -> Credential | None:
    """The secret that a stream needs; None where it needs none.

    Raises:
        ConfigError: As for `read_credential`.
    """
    source = registry.source(stream.source)
    if source.credential is None:
        return None
    return read_credential(credential_path(config_dir, stream.credential), source)


def read_credential(path: Path, source: Source) -> Credential:
    """The secret in `path`, of an account or app of `source`.

    Raises:
        ConfigError: As for `read_stream`, and where others than its owner and group may read the file.
    """
    assert source.credential is not None  # noqa: S101 - for the type checker
    credential: Credential = _read(path, source.credential, source.credential_faults)
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


def read_alerts(path: Path) -> AlertSettings | None:
    """How people are told of trouble; None where there is no such file.

    Raises:
        ConfigError: As for `read_credential`.
    """
    if not path.exists():
        return None
    settings = _read(path, AlertSettings, alert_faults, unknown=[])
    _refuse_open(path)
    return settings


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


def list_streams(config_dir: Path) -> Iterator[StreamSettings | Unusable]:
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
    """Judges a file of settings, a credential or an environment, whichever it is by its keys; strictly.

    Raises:
        ConfigError: As for `read_stream` and `read_credential`.
    """
    raw = _decode(path)
    keys = set(raw) if isinstance(raw, dict) else set()
    owner = next((source for source in map(registry.source, registry.names()) if _secret_keys(source) & keys), None)
    if owner is not None and not {"name", "kind"} & keys:  # which streams have, and no secret
        read_credential(path, owner)
    elif set(NAMES) & keys:
        read_environment(path)
    else:
        read_stream(path, strict=True)


def _secret_keys(source: Source) -> set[str]:
    return {field.name for field in msgspec.structs.fields(source.credential)} if source.credential else set()


def _decode(path: Path) -> object:
    try:
        return msgspec.json.decode(reading.read_small(path, SETTINGS))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except reading.DAMAGE as error:
        raise ConfigError(f"{path}: is not JSON: {error}") from error


def _read(
    path: Path, kind: type[T], check: Callable[[T, str], Iterable[Fault]], *, unknown: list[Fault] | None = None
) -> T:
    """What a file holds; unknown keys are put into `unknown`, and are faults without it."""
    faults: list[Fault] = []
    try:
        value: T | None = convert(kind, _decode(path), str(path), faults)
    except RecursionError as error:
        raise ConfigError(f"{path}: is nested far deeper than settings are") from error
    if unknown is not None:
        unknown.extend(each for each in faults if isinstance(each, UnknownKey))
        faults = [each for each in faults if not isinstance(each, UnknownKey)]
    if value is not None and not faults:
        faults.extend(check(value, str(path)))
    if value is None or faults:
        raise ConfigError("\n".join(map(str, faults)))
    return value
