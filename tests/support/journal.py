"""A journal as it stands, with all fields of its entries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def entries(path: Path, event: str | None = None) -> list[dict[str, Any]]:
    """The entries, or those of one event; each line must be one."""
    found = [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    return [entry for entry in found if event is None or entry["event"] == event]
