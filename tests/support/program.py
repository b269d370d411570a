"""A capture program as a process of its own, in a directory of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.files import capture_files, whole_lines
from tests.support.waiting import PATIENCE, until


class Program:
    """A stream's settings, its process, and what it leaves on the disk."""

    def __init__(
        self, folder: Path, api_url: str, *, token: str = "TOKEN", launcher: str | None = None, **settings: Any
    ):
        self.folder = folder
        self.launcher = launcher
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "log"
        defaults: dict[str, Any] = {
            "kind": "filterstream",
            "name": "storms",
            "credential": "lab",
            "api_url": api_url,
            "data_dir": str(folder / "data"),
            "state_dir": str(folder / "state"),
            "save_interval": 3600,
            "min_free": "0",
            "rules": [{"name": "main", "track": ["storm", "election", "flood"]}],
        }
        self.settings = {key: value for key, value in {**defaults, **settings}.items() if value is not None}
        if self.settings["kind"] == "streamsample":
            self.settings.pop("rules", None)
            self.settings["name"] = "streamsample"
        sample = self.settings["kind"] == "streamsample"
        self.name = "streamsample" if sample else f"twitterfilter-{self.settings['name']}"
        self.arguments = ["streamsample"] if sample else ["filterstream", self.settings["name"]]
        for directory in (folder / "data", folder / "state"):  # as a deployment makes them
            directory.mkdir(parents=True, exist_ok=True)
        self.write_settings()
        self.write_credential({"bearer_token": token})

    def write_settings(self, **changes: Any) -> None:
        """Writes the settings file, with changes that stay."""
        self.settings |= changes
        path = self.folder / "streams" / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.settings))

    def write_credential(self, secret: dict[str, str]) -> None:
        """Writes the credential file."""
        path = self.folder / "credentials" / f"{self.settings['credential']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(secret))
        path.chmod(0o640)

    def command(self, *options: str) -> list[str]:
        """The command line."""
        start = [sys.executable, self.launcher] if self.launcher else [sys.executable, "-m", "sfm_stream"]
        return [*start, *self.arguments, *options, "--config-dir", str(self.folder)]

    def start(self, *options: str, environment: dict[str, str] | None = None) -> None:
        """Starts it, with ``--save`` unless other options are given."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(*(options or ("--save",))),
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Sends a signal and waits for the end; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def stop(self) -> int:
        """Asks it to stop; returns the exit code."""
        return self.kill(signal.SIGTERM)

    def wait(self) -> int:
        """Waits until it ends by itself; returns the exit code."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def status(self) -> dict[str, Any]:
        """Its live status; empty before there is one."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "state" / "status" / f"{self.name}.json").read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def wait_for_state(self, state: str) -> None:
        """Waits until its live status has `state`."""
        until(lambda: self.status().get("state") == state)

    def journal(self, event: str | None = None) -> list[dict[str, Any]]:
        """Its journal: all entries, or those of one event."""
        path = self.folder / "state" / "journal" / f"{self.name}.jsonl"
        if not path.exists():
            return []
        entries = [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        return [entry for entry in entries if event is None or entry["event"] == event]

    def files(self) -> list[Path]:
        """Its capture files, oldest first."""
        return capture_files(self.folder / "data", self.name)

    def segments(self) -> list[Path]:
        """Its segments."""
        return sorted((self.folder / "data").glob(f"{self.name}-*.part"))

    def lines(self) -> list[bytes]:
        """All lines of its capture files, without their ends."""
        return [line for path in self.files() for line in whole_lines(path)]

    def ids(self) -> list[str]:
        """The ids of the posts in its capture files."""
        return [json.loads(line)["data"]["id"] for line in self.lines()]
