"""What earlier audits counted, so that a program, a day or a manifest entry that vanishes is missed.

One file in the state directory, ``audited.json``, holds for each data directory the days with the number of files that
their manifests listed, and a digest of the manifest as far as it went: it only ever grows.
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path

import msgspec

from sfm_stream import clock, reading
from sfm_stream.archive.manifest import Manifest
from sfm_stream.durable import replace_file

_LIMIT = 1 << 30


class ListedManifest(msgspec.Struct, frozen=True, array_like=True):
    """A day's manifest, as an audit read it.

    Attributes:
        files: How many files it listed.
        length: Its bytes, whole lines only.
        digest: The first half of their sha256, in hex.
    """

    files: int
    length: int
    digest: str

    def begins(self, raw: bytes) -> bool:
        """Whether a manifest is this one, or this one with more entries at its end."""
        return len(raw) >= self.length and _digest(raw[: self.length]) == self.digest


class ProgramBaseline(msgspec.Struct):
    """What was counted of one program.

    Attributes:
        days: The manifests of each day, ``2026/11/24``: two where part of it lies in the data directory yet.
        recorded: Files that its journal recorded.
    """

    days: dict[str, list[ListedManifest]] = {}
    recorded: int = 0


class Baseline(msgspec.Struct):
    """What was counted of one archive.

    Attributes:
        programs: By name.
        accepted: What a person accepted as gone or changed, ``<program>[/<YYYY>[/<MM>[/<DD>]]]``, and when.
    """

    programs: dict[str, ProgramBaseline] = {}
    accepted: dict[str, datetime] = {}

    def program(self, name: str) -> ProgramBaseline:
        """What was counted of a program."""
        return self.programs.setdefault(name, ProgramBaseline())

    def accept(self, place: str) -> None:
        """Forgets what was counted below `place`; days that are gone there are missed no more."""
        self.accepted[place] = clock.now()
        for name, program in self.programs.items():
            if place == name:
                program.recorded = 0
            program.days = {day: listed for day, listed in program.days.items() if not _below(f"{name}/{day}", place)}

    def accepts(self, place: str) -> bool:
        """Whether a day, ``<program>/<YYYY>/<MM>/<DD>``, is accepted as gone."""
        return any(_below(place, accepted) for accepted in self.accepted)


def listed(raw: bytes, listing: Manifest) -> ListedManifest:
    """What is to be kept of a manifest that was read."""
    return ListedManifest(len(listing.entries), listing.length, _digest(raw[: listing.length]))


def read(state_dir: Path, data_dir: Path) -> Baseline:
    """What earlier audits counted of an archive.

    Raises:
        UnreadableError: It cannot be read.
    """
    return _read_all(state_dir).get(_key(data_dir), Baseline())


def write(state_dir: Path, data_dir: Path, baseline: Baseline) -> None:
    """Keeps what was counted; what was counted of other archives stays, unless it cannot be read.

    Raises:
        OSError: It cannot be written.
    """
    try:
        known = _read_all(state_dir)
    except reading.UnreadableError:
        known = {}
    known[_key(data_dir)] = baseline
    replace_file(_path(state_dir), msgspec.json.encode(known) + b"\n")


def _read_all(state_dir: Path) -> dict[str, Baseline]:
    path = _path(state_dir)
    try:
        known = msgspec.json.decode(reading.read_small(path, _LIMIT), type=dict[str, Baseline])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise reading.UnreadableError(f"{path}: cannot be read: {error.strerror}") from error
    except reading.DAMAGE as error:
        raise reading.UnreadableError(f"{path}: is damaged: {error}") from error
    if not known:
        raise reading.UnreadableError(f"{path}: is damaged: it holds no archive, and no audit leaves it so")
    return known


def _path(state_dir: Path) -> Path:
    return state_dir / "audited.json"


def _key(data_dir: Path) -> str:
    return os.path.abspath(data_dir)  # noqa: PTH100 - as it is named, wherever a link leads


def _below(place: str, above: str) -> bool:
    return f"{place}/".startswith(f"{above}/")


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:32]
