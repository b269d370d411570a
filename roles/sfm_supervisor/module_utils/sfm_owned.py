"""Reads, as root, what the process owner writes: no link is followed, no pipe waited for, no flood taken in."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

MOST_BYTES = 16 << 20
"""The outcome of a job that has much to say is the longest; a live status has a few kilobytes."""


def read_owned(folder: Path, *names: str) -> dict[str, Any]:
    """The JSON object in a file below a directory of the process owner's.

    Args:
        folder: The directory; its own name is root's to give, those below are not.
        names: The way from there to the file.

    Raises:
        OSError: There is none, or a link is on the way.
        ValueError: It is not a regular file, or holds no JSON object, or more than `MOST_BYTES`.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            inner = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle)
            os.close(handle)
            handle = inner
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("not a regular file")
        with os.fdopen(os.dup(handle), "rb") as file:
            text = file.read(MOST_BYTES + 1)
    finally:
        os.close(handle)
    if len(text) > MOST_BYTES:
        raise ValueError(f"it is longer than {MOST_BYTES} bytes")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it holds no JSON object")
    return value
