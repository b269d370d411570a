"""Which directory the archive is: the empty place of a disk that is not mounted must not be taken for it.

A hidden file at its root and a line in the state directory hold the same number. Where one of them lacks it, or has
another, the directory is not the one that files were sorted into before.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from sfm_stream import reading
from sfm_stream.durable import replace_file, sync_directory, write_all

NAME = ".sfm-archive"
"""The file at the root of an archive."""
_TEXT = """{number}
This directory is an archive of capture files. sfm-stream knows it by the number above: keep this file where it is.
"""
_LIMIT = 4096

State = Literal["known", "new", "unmarked", "strange"]


class ArchiveMarker(msgspec.Struct, frozen=True):
    """What is known of an archive directory.

    Attributes:
        path: The directory.
        number: That of its marker; empty where there is none.
        recorded: The one that the state directory has for this path; empty where it has none.
    """

    path: str
    number: str
    recorded: str

    @property
    def state(self) -> State:
        """``known``: both are the same; ``new``: never recorded; ``unmarked``: no marker, though it had one;
        ``strange``: that of another archive."""  # noqa: D205, D209
        if not self.recorded:
            return "new"
        return "known" if self.number == self.recorded else "strange" if self.number else "unmarked"

    @property
    def fault(self) -> str:
        """What is wrong with it; empty where nothing is."""
        if self.state == "unmarked":
            return f"this is not the archive that files were sorted into: its {NAME} is not there. Is its disk mounted?"
        if self.state == "strange":
            return (
                f"this is not the archive that files were sorted into: its {NAME} is another's. Which disk is mounted?"
            )
        return ""


def look(archive: Path, state_dir: Path) -> ArchiveMarker:
    """Reads the marker and the record.

    Raises:
        OSError: The marker cannot be read, or is no regular file.
        UnreadableError: The state directory's record cannot be read.
    """
    path = os.path.abspath(archive)  # noqa: PTH100 - where it is reached, whatever is mounted there
    try:
        lines = reading.read_small(f"{path}/{NAME}", _LIMIT).decode("ascii", "replace").splitlines()
    except FileNotFoundError:
        lines = []
    return ArchiveMarker(
        path=path, number=lines[0].strip() if lines else "", recorded=_recorded(state_dir).get(path, "")
    )


def keep(place: ArchiveMarker, state_dir: Path) -> None:
    """Makes the directory known as the archive from now on; it gets a marker where it has none.

    Raises:
        OSError: The marker or the record cannot be written.
        UnreadableError: The record that is there cannot be read.
    """
    number = place.number
    if not number:
        number = secrets.token_hex(16)
        marker = f"{place.path}/{NAME}"
        with suppress(FileNotFoundError):
            os.unlink(marker)  # noqa: PTH108 - an empty one
        fd = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)  # the first effect in the archive
        try:
            write_all(fd, _TEXT.format(number=number).encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        sync_directory(Path(place.path))
    known = _recorded(state_dir) | {place.path: number}
    replace_file(_record(state_dir), msgspec.json.format(msgspec.json.encode(known)) + b"\n")


def _record(state_dir: Path) -> Path:
    return state_dir / "archives.json"


def _recorded(state_dir: Path) -> dict[str, str]:
    return reading.read_record(_record(state_dir), dict[str, str]) or {}
