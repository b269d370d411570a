"""A directory for tests that play other users."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def passable() -> Iterator[Path]:
    """A directory of its own that every user may pass; pytest closes its own to others whenever it starts."""
    place = Path(tempfile.mkdtemp(prefix="sfm-"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place)
