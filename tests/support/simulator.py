"""A simulated source as a process of its own, and what it says that it did. All tests start one here."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.support.waiting import PATIENCE

Entry = dict[str, Any]


class Simulator:
    """Runs ``sfm-stream simulate`` on a free port, from its making to `close`, or to the end of a ``with``.

    Args:
        folder: Where its ledger and its log go.
        options: More of the command line.
        source: Which source it simulates.
    """

    def __init__(self, folder: Path, *options: str, source: str = "x") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ledger_path, self._log = folder / "ledger.jsonl", folder / "simulator.log"
        self._entries: list[Entry] = []
        self._read = 0
        self._lock = threading.Lock()
        command = [sys.executable, "-m", "sfm_stream", "simulate", source, "--port", "0"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--ledger", str(self.ledger_path), *options], stdout=subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        assert self.url.startswith("http://127."), f"the simulator did not start: {self.said()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def said(self) -> str:
        """What it printed but for its URL."""
        return self._log.read_text()

    def ledger(self, event: str | None = None) -> list[Entry]:
        """What it did so far: all entries, or those of one event."""
        with self._lock:
            with self.ledger_path.open("rb") as file:
                file.seek(self._read)
                complete, newline, _ = file.read().rpartition(b"\n")
            self._entries.extend(map(json.loads, complete.splitlines()))
            self._read += len(complete) + len(newline)
            entries = list(self._entries)
        return entries if event is None else [entry for entry in entries if entry["event"] == event]

    def sent(self) -> list[str]:
        """The ids of the posts that it sent, in order."""
        return [entry["id"] for entry in self.ledger("post")]

    def plan(self, *steps: Entry, append: bool = False) -> None:
        """Orders faults, in place of those ordered before or after them: see the source's own simulator."""
        self.ask(f"/_simulator/plan{'?append=true' if append else ''}", {"steps": list(steps)})

    def ask(self, path: str, body: object = None, token: str | None = "TOKEN") -> Any:
        """GETs, or POSTs `body`, as a client of the service would."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            content = answer.read()
        return json.loads(content) if content.strip() else None

    def close(self) -> None:
        """Ends it."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the simulator did not end on SIGTERM") from None
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()
