"""Capture files of either format."""

from __future__ import annotations

from pathlib import Path

from sfm_stream import names
from sfm_stream.compression.content import opened


def capture_files(directory: Path, program: str = "") -> list[Path]:
    """Those that lie in a directory, by name."""
    found = [path for path in directory.iterdir() if path.name.endswith(names.SUFFIXES)]
    return sorted(path for path in found if path.name.startswith(f"{program}-" if program else ""))


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file, which is whole and of the format that its name says."""
    with opened(path) as content:
        lines = list(content.lines())
    assert content.format is not None
    assert (content.ending, content.rest) == ("whole", b""), path.name
    assert path.name.endswith(content.format.suffix)
    return lines
