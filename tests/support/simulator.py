"""A simulated source as a process of its own, and what it says that it did."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Simulator:
    """A running simulator."""

    def __init__(self, url: str, ledger: Path, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.process = process
        self._ledger = ledger

    def ledger(self, event: str | None = None) -> list[dict[str, Any]]:
        """What it did so far: all entries, or those of one event."""
        entries = []
        for line in self._ledger.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                entry = json.loads(line)
                if event is None or entry["event"] == event:
                    entries.append(entry)
        return entries

    def sent(self) -> list[str]:
        """The ids of the posts that it sent, in order."""
        return [entry["id"] for entry in self.ledger("post")]

    def plan(self, *steps: dict[str, Any]) -> None:
        """Orders faults: see the source's own simulator."""
        self.call("POST", "/_simulator/plan", {"steps": list(steps)})

    def call(self, method: str, path: str, body: object = None, token: str = "TOKEN") -> Any:
        """Asks it something as a client of X would."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if content.strip() else None


@contextmanager
def simulator(folder: Path, *options: str, source: str = "x") -> Iterator[Simulator]:
    """Runs a simulator of a source on a free port, with its ledger in `folder`."""
    ledger = folder / "ledger.jsonl"
    command = [sys.executable, "-m", "sfm_stream", "simulate", source, "--port", "0", "--ledger", str(ledger)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().decode().strip()
            assert url.startswith("http://127."), "the simulator did not start"
            yield Simulator(url, ledger, process)
        finally:
            process.terminate()
            process.wait(10)
