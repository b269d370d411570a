"""Capture programs as hosts run them, each with a directory of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.lib import process
from benchmarks.lib.process import CompetitorError, Used, fresh

_PATIENCE = 120.0


class Program:
    """A filter's settings, and what its program leaves.

    Args:
        place: Its directory, which is made anew.
        settings: Of the stream, as in ``/etc/sfm/streams``; directories and limits are added.
        environment: Of the process, as the inventory may ask for.
        token: For sources that want a credential, with the name "c".
    """

    def __init__(
        self,
        place: Path,
        settings: Mapping[str, object],
        *,
        environment: Mapping[str, str] | None = None,
        token: str = "",
    ) -> None:
        self.place = fresh(place)
        for part in ("streams", "credentials", "data", "state"):
            (place / part).mkdir()
        self.name = f"{settings.get('source', 'twitterfilter')}-{settings['name']}"
        dirs = {"data_dir": f"{place}/data", "state_dir": f"{place}/state", "min_free": "0"}
        (place / "streams" / f"{self.name}.json").write_text(json.dumps({**dirs, **settings}))
        (place / "environment.json").write_text(json.dumps(environment or {}))
        (place / "credentials/c.json").write_text(json.dumps({"bearer_token": token}))
        for secret in ("environment.json", "credentials/c.json"):
            (place / secret).chmod(0o600)
        self.command: list[str | Path] = [sys.executable, "-m", "sfm_stream", "filterstream", str(settings["name"])]
        self.command += ["--save", "--config-dir", place]

    def wait(self, running: subprocess.Popen[bytes], reached: Callable[[dict[str, object]], object]) -> None:
        """Waits until the live status says what `reached` asks for.

        Raises:
            CompetitorError: It never did; the message has the program's last words.
        """
        status, until = self.place / f"state/status/{self.name}.json", time.monotonic() + _PATIENCE
        while not (status.exists() and reached(json.loads(status.read_bytes()))):
            if running.poll() is not None or time.monotonic() > until:
                raise CompetitorError(f"{self.name} did not get there\n{(self.place / 'errors').read_text()[-2000:]}")
            time.sleep(0.05)

    def run_until(self, reached: Callable[[dict[str, object]], object]) -> Used:
        """What it used until the live status said what `reached` asks for, and it was stopped as supervisor does.

        Raises:
            CompetitorError: It never did, or ended with an error.
        """

        def stop(running: subprocess.Popen[bytes]) -> None:
            self.wait(running, reached)
            running.send_signal(signal.SIGTERM)

        return process.run(self.command, cwd=self.place, until=stop)

    def start(self) -> subprocess.Popen[bytes]:
        """Its process, on the competitors' core."""
        return process.start(self.command, cwd=self.place)

    @property
    def kept(self) -> int:
        """Lines that its journal says are in files."""
        return self._posts("rotate")

    @property
    def overflowed(self) -> int:
        """Lines that its journal says came faster than they could be written."""
        return self._posts("overflow")

    def events(self, event: str) -> int:
        """How many entries of this kind its journal has."""
        return len(self._entries(event))

    def _posts(self, event: str) -> int:
        return sum(entry.get("posts", 0) for entry in self._entries(event))

    def _entries(self, event: str) -> list[dict[str, Any]]:
        path = self.place / f"state/journal/{self.name}.jsonl"
        journal = path.read_text().splitlines() if path.exists() else []
        return [entry for entry in map(json.loads, journal) if entry["event"] == event]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.stat().st_size for file in (self.place / "data").glob("*.jsonl.*"))
