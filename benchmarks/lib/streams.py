"""A host with as many streams as wanted, each with a journal, a live status and four weeks of rates."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from sfm_stream import clock

_FILES_A_DAY = 96


def fill(config: Path, state: Path, streams: int, days: int = 1) -> None:
    """Makes settings and records; no program runs, and there is no supervisord to ask.

    Args:
        config: The directory of settings.
        state: That of records.
        streams: How many.
        days: Of how many days each journal is.
    """
    for folder in (config / "streams", state / "status", state / "journal", state / "rates", state / "lock"):
        folder.mkdir(parents=True)
    (config / "host.json").write_text(json.dumps({"supervisor_config": ""}))
    now = clock.now()
    hours = {f"{now - timedelta(hours=hour):%Y-%m-%dT%H}": (1200 + hour, 3600.0) for hour in range(24 * 28)}
    minutes = {f"{now - timedelta(minutes=minute):%Y-%m-%dT%H:%M}": 20 for minute in range(60)}
    for number in range(streams):
        name = f"filter{number:04}"
        program = f"twitterfilter-{name}"
        settings: dict[str, Any] = {"kind": "filterstream", "name": name, "credential": "c", "min_free": "0"}
        settings |= {"rules": [{"name": "main", "track": ["hail"]}], "data_dir": str(config.parent)}
        (config / "streams" / f"{program}.json").write_text(json.dumps(settings | {"state_dir": str(state)}))
        seen = clock.text(now)
        status = {"program": program, "pid": 1, "state": "connected", "since": seen, "last_byte": seen}
        (state / "status" / f"{program}.json").write_text(json.dumps(status))
        (state / "rates" / f"{program}.json").write_text(json.dumps({"minutes": minutes, "hours": hours}))
        start = now - timedelta(days=days)
        with (state / "journal" / f"{program}.jsonl").open("w") as journal:
            journal.write(json.dumps({"time": clock.text(start), "event": "connect"}) + "\n")
            for index in range(_FILES_A_DAY * days):
                when = clock.text(start + timedelta(minutes=15 * index))
                file = {"file": f"{program}-{index}", "bytes": 100_000, "posts": 300, "sha256": f"{index:064x}"}
                journal.write(json.dumps({"time": when, "event": "rotate", **file}) + "\n")
