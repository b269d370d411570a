"""Every version of a stream's settings: what had been asked for when a file was made, and since when it held at X.

A capture program records its settings when it starts and when it re-reads them. Each
line of ``<state dir>/history/<program>.jsonl`` is one version, or the time at which X
first held the rules of the last one::

    {"time": "2026-11-24T20:13:00.123Z", "sha256": "…", "settings": {…}}
    {"time": "2026-11-24T20:13:01.456Z", "sha256": "…", "in_force": true}

`sha256` is that of the settings file's bytes, as the live status names them too. The
settings never hold the secret, only the credential's name.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sfm_stream import clock, reading
from sfm_stream.durable import set_aside, write_all
from sfm_stream.errors import ConfigError, StorageError
from sfm_stream.settings.secrecy import SECRET_KEY

DEPTH = 32
"""Levels of objects and lists; settings have five."""


log = logging.getLogger(__name__)


class Version(msgspec.Struct, frozen=True):
    """One version of a stream's settings.

    Attributes:
        time: When it was asked for: the program read it (UTC).
        sha256: Of the settings file's bytes, in hex.
        settings: What the file held.
        in_force: When X was first seen to hold its rules; None where it was not, or where that was not recorded.
    """

    time: clock.Time
    sha256: str
    settings: dict[str, Any]
    in_force: datetime | None = None

    def __post_init__(self) -> None:
        clock.check(self.time)
        if not _is_flat(self.settings, DEPTH):
            raise ValueError(f"no settings are nested deeper than {DEPTH} levels")


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version, or that the last one is in force."""

    time: clock.Time
    sha256: str
    settings: dict[str, Any] | None = None
    in_force: bool = False

    def __post_init__(self) -> None:
        clock.check(self.time)
        if self.settings is None and not self.in_force:
            raise ValueError("neither a version nor the time of one")


class Versions(list[Version]):
    """Versions of a stream's settings, the earliest first.

    Attributes:
        skipped: Recorded ones that are damaged and left out.
    """

    skipped = 0


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key whose value differs between two versions; unset where a version does not have it.

    Attributes:
        key: The path to it: ``save_interval``, ``rules[agencies].track``.
        before: The earlier value.
        after: The later value.
    """

    key: str
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET

    def __str__(self) -> str:
        """The change in one line: ``900 → 300``, ``+ "hail"``, ``- "rain", + "hail"``."""
        if isinstance(self.before, list) and isinstance(self.after, list):
            gone = [f"- {_show(item)}" for item in self.before if item not in self.after]
            new = [f"+ {_show(item)}" for item in self.after if item not in self.before]
            return ", ".join(gone + new) or "the same in another order"
        if self.before is msgspec.UNSET:
            return f"+ {_show(self.after)}"
        if self.after is msgspec.UNSET:
            return f"- {_show(self.before)}"
        return f"{_show(self.before)} → {_show(self.after)}"


def history_path(state_dir: Path, program: str) -> Path:
    """Where the versions of a program's settings lie."""
    return state_dir / "history" / f"{program}.jsonl"


def record(state_dir: Path, program: str, raw: bytes, now: datetime | None = None) -> bool:
    """Keeps the settings `raw` as the version asked for from now on, unless they are the last recorded one.

    Args:
        state_dir: The state directory.
        program: The supervisor program.
        raw: The settings file's bytes, JSON.
        now: The time (UTC), in place of the clock's.

    Returns:
        Whether it is a new version.

    Raises:
        ConfigError: `raw` is no JSON object.
        StorageError: The history cannot be written.
    """
    digest = hashlib.sha256(raw).hexdigest()
    try:
        settings = msgspec.json.decode(raw, type=dict[str, Any])
    except reading.DAMAGE as error:
        raise ConfigError(f"the settings of {program} are no JSON object: {error}") from error
    try:
        settings = {key: value for key, value in settings.items() if not SECRET_KEY.search(key)}
        version = Version(time=now or clock.now(), sha256=digest, settings=settings)
    except ValueError as error:
        raise ConfigError(f"the settings of {program}: {error}") from error
    line = _Line(time=version.time, sha256=digest, settings=settings)
    return _record(state_dir, program, line, unless=lambda known: bool(known) and known[-1].sha256 == digest)


def record_in_force(state_dir: Path, program: str, sha256: str, time: datetime | None = None) -> bool:
    """Keeps that X was first seen at `time` to hold the rules of the last version, if that is `sha256`.

    Returns:
        Whether that was not recorded before.

    Raises:
        StorageError: The history cannot be written.
    """
    line = _Line(time=time or clock.now(), sha256=sha256, in_force=True)
    return _record(
        state_dir,
        program,
        line,
        unless=lambda known: not known or known[-1].sha256 != sha256 or known[-1].in_force is not None,
    )


def _record(state_dir: Path, program: str, line: _Line, unless: Callable[[Versions], bool]) -> bool:
    path = history_path(state_dir, program)
    try:
        if os.path.lexists(path) and not reading.is_regular(path):
            log.warning("%s is no regular file: it is now %s, and the history starts over", path, set_aside(path).name)
        if unless(_read(path)):
            return False
        _append(path, msgspec.json.encode(line) + b"\n")
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error
    return True


def versions(state_dir: Path, program: str) -> Versions:
    """All versions, the earliest first; none where the program never ran here.

    Raises:
        UnreadableError: The history may not be read, fails, or is no regular file.
    """
    path = history_path(state_dir, program)
    try:
        known = _read(path)
    except OSError as error:
        raise reading.UnreadableError(f"{path}: cannot be read: {error.strerror}") from error
    known.sort(key=lambda version: version.time)
    return known


def during(known: Sequence[Version], start: datetime, end: datetime) -> list[Version]:
    """The versions of a time: the one that X held at `start`, and each that was asked for since, up to `end`.

    File names tell the time to the second only, so a version of the same second counts as in effect.
    """
    recorded = next((index for index, version in enumerate(known) if version.in_force), len(known))
    held = -1
    for index, version in enumerate(known):
        # Before it was recorded when versions came into force, they are taken to have done so when they were asked for.
        since = version.in_force or (version.time if index < recorded else None)
        if since is not None and since.replace(microsecond=0) <= start:
            held = index
    asked = [index for index, version in enumerate(known) if index > held and version.time <= end]
    return [known[index] for index in ([held] if held >= 0 else []) + asked]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs from one version's settings to the next, key by key."""
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        Change(key=key, before=old.get(key, msgspec.UNSET), after=new.get(key, msgspec.UNSET))
        for key in {**old, **new}
        if old.get(key, msgspec.UNSET) != new.get(key, msgspec.UNSET)
    ]


def _read(path: Path) -> Versions:
    """In the order in which they were recorded, each with the time at which it came into force."""
    known = Versions()
    try:
        for text in reading.lines(path):
            try:
                _take(known, msgspec.json.decode(text, type=_Line))
            except reading.DAMAGE:
                known.skipped += bool(text)  # an empty one stands where a crash cut another short
    except FileNotFoundError:
        pass
    return known


def _take(known: Versions, line: _Line) -> None:
    if line.settings is not None:
        known.append(Version(time=line.time, sha256=line.sha256, settings=line.settings))
    elif known and known[-1].sha256 == line.sha256 and known[-1].in_force is None:
        known[-1] = msgspec.structs.replace(known[-1], in_force=line.time)


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(mode=0o750, exist_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(path, flags, 0o640)
    try:
        # A line that a crash cut short stays alone on its line.
        size = os.fstat(fd).st_size
        whole = not size or os.pread(fd, 1, size - 1) == b"\n"
        write_all(fd, line if whole else b"\n" + line)
        os.fsync(fd)
    finally:
        os.close(fd)


def _is_flat(value: object, depth: int) -> bool:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_flat(each, depth - 1) for each in inner)
    return True


def _flat(value: object, key: str = "") -> Iterable[tuple[str, Any]]:
    """Each leaf with the path to it; entries of a list go by their names where they have such."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        for item in value:
            yield from _flat({name: each for name, each in item.items() if name != "name"}, f"{key}[{item['name']}]")
    else:
        yield key, value


def _show(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
