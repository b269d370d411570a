"""Checks that an archive directory is the one used before: the mount point of an unmounted disk is no archive."""

from __future__ import annotations

import os
from pathlib import Path

from sfm_stream import names, places, reading
from sfm_stream.archive import marker, recorded
from sfm_stream.archive.tree import days
from sfm_stream.errors import StorageError


def check_identity(archive: str, data: str, state_dir: Path, *, accept: bool, keep: bool) -> None:
    """Compares the archive's marker with what is recorded of it; a new archive gets one.

    Args:
        archive: The archive directory.
        data: The data directory, which is another.
        state_dir: Where the marker's number is recorded.
        accept: Take the directory as it is now for the archive, whatever was there before.
        keep: Write the marker and the record; not so in a dry run.

    Raises:
        OSError: It cannot be looked at, or not be written.
        StorageError: It is not the archive; the message says how to make it that.
    """
    try:
        place = marker.look(Path(archive), state_dir)
    except reading.UnreadableError as error:
        raise StorageError(f"{error}; move it away, and run again") from error
    fault = place.fault
    if place.state == "new" and not place.number and next(days(archive, lambda *_trouble: None), None) is None:
        fault = _sorted_before(data, state_dir)
    if fault and not accept:
        raise StorageError(f"{archive}: {fault} If it is to be the archive from now on: organizedata --new-archive")
    if keep and (place.state != "known" or fault):
        marker.keep(place, state_dir)


def _sorted_before(data: str, state_dir: Path) -> str:
    """What shows that an empty archive was not so before: a finished file that is nowhere else."""
    for program in places.programs(state_dir / "journal"):
        for each in recorded.recorded_files(state_dir, program):
            capture = names.parse(each.file)
            here = (each.file, f"{capture.folder}/{each.file}") if capture else ()
            if capture and not any(os.path.lexists(f"{data}/{path}") for path in here):
                return f"it is empty, though {each.file} was finished and is no longer in {data}. Is its disk mounted?"
    return ""
