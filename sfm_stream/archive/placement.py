"""The pure plan: where a loose capture file goes in its day, given what is there and listed already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Literal

import msgspec

from sfm_stream.names import CaptureName

PlacementKind = Literal["move", "rename", "known"]


class Loose(msgspec.Struct, frozen=True):
    """A capture file that lies loose in the data directory.

    Attributes:
        name: Its name as it stands; an old one may have colons in the time, and keeps them.
        capture: What the name says.
        day: Its day's directory, from the archive directory: ``<program>/<YYYY>/<MM>/<DD>``.
        size: Bytes.
        modified: Time of the last change, nanoseconds.
        inode: Its number in the filesystem.
    """

    name: str
    capture: CaptureName
    day: str
    size: int
    modified: int
    inode: int


class Placement(msgspec.Struct, frozen=True):
    """What to do with a loose file.

    Attributes:
        kind: ``move`` to its own name; ``rename``: move, but under a new name, because another file has its own;
            ``known``: the same content is there, so that the loose file can go.
        file: Its place from the day's directory: ``HH/<name>``.
    """

    kind: PlacementKind
    file: str


def day_of(capture: CaptureName) -> str:
    """The directory of a capture file's day, from the archive directory."""
    return f"{capture.program}/{capture.time:%Y/%m/%d}"


def place(
    loose: Loose,
    listed: Mapping[str, str],
    taken: Collection[str],
    sha256: Callable[[str], str],
    there: Callable[[str], bool],
    same: Callable[[str], bool],
    wanted: Callable[[str], bool],
) -> Placement:
    """Finds the place of one file; never one where another content stands or is due.

    Args:
        loose: The file.
        listed: The day's manifest: sha256 by file.
        taken: Places that this same run gives to other files.
        sha256: The sha256 that the file would be listed with under a name (asked for only where it matters).
        there: Whether a file stands at a place.
        same: Whether the file at a place holds the same bytes as the loose one.
        wanted: Whether another loose file has a name already; a new name is never that of another.
    """
    hour = f"{loose.capture.time.hour:02d}"
    name, number = loose.name, loose.capture.number
    while True:
        file = f"{hour}/{name}"
        if file not in taken:
            if there(file):
                # Both are read and compared; a manifest alone is not enough to delete a file on.
                if same(file):
                    return Placement(kind="known", file=file)
            elif name != loose.name and wanted(name):
                pass  # that file must find its own name free
            elif file not in listed or listed[file] == sha256(name):
                return Placement(kind="move" if name == loose.name else "rename", file=file)
        number += 1
        name = str(msgspec.structs.replace(loose.capture, number=number))
