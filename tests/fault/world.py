"""A real capture program against a real simulator, and what each of them says afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.simulator import Entry, Simulator
from tests.support.waiting import PATIENCE, until

PROMPT = 5.0
"""Seconds that a stop may take here; two are promised, on a machine with nothing else to do."""
COMMON_WORDS = ("the", "in", "for", "election", "vote", "storm", "flood")
COMPRESSIONS = ("gzip", "zstd")
in_both_formats = pytest.mark.parametrize("world", COMPRESSIONS, indirect=True)
"""For tests of what files hold and of what is left of them."""
_HERE = Path(__file__).parent


def read_lines(path: Path) -> list[Entry]:
    """The complete lines of a journal or ledger."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


class World:
    """One filter of its own app at a simulator, with everything that belongs to it in one folder."""

    def __init__(self, folder: Path, simulated: Simulator, **settings: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.simulated = folder, simulated
        self.token = hashlib.sha256(str(folder).encode()).hexdigest()
        self.app = f"app-{hashlib.sha256(self.token.encode()).hexdigest()[:8]}"
        kind = settings.get("kind", "filterstream")
        self.arguments = ["filterstream", "storms"] if kind == "filterstream" else ["streamsample"]
        self.program = "twitterfilter-storms" if kind == "filterstream" else "streamsample"
        self.data, self.state = folder / "data", folder / "state"
        self.settings: dict[str, object] = {
            "kind": "filterstream",
            "name": "storms" if kind == "filterstream" else "streamsample",
            "credential": "lab",
            **({"rules": [{"name": "main", "track": COMMON_WORDS}]} if kind == "filterstream" else {}),
            "api_url": simulated.url,
            "data_dir": str(self.data),
            "state_dir": str(self.state),
            "min_free": "0",
            **settings,
        }
        self.processes: list[Running] = []
        for directory in (self.data, self.state):  # as a deployment makes them
            directory.mkdir(parents=True, exist_ok=True)
        self.write_settings()
        secret = folder / "config" / "credentials" / "lab.json"
        secret.parent.mkdir(exist_ok=True)
        secret.write_text(json.dumps({"bearer_token": self.token}))
        secret.chmod(0o640)

    # --- What is done ---------------------------------------------------------------------------------------------

    @property
    def settings_path(self) -> Path:
        """The settings file."""
        return self.folder / "config" / "streams" / f"{self.program}.json"

    def write_settings(self, **changes: object) -> None:
        """Puts changed settings in place of the old ones."""
        self.settings |= changes
        self.settings_path.parent.mkdir(parents=True, exist_ok=True)
        self.settings_path.write_text(json.dumps(self.settings))

    def order(self, *steps: Entry) -> None:
        """Orders faults for this app, after those ordered before."""
        mine = [{"app": self.app, **step} for step in steps]
        self.simulated.plan(*mine, append=True)

    def start(self, *options: str, patch: str = "", prefix: tuple[str, ...] = ()) -> Running:
        """Starts the program; `patch` is run in it first, `prefix` is a command that runs it."""
        running = Running(self, options, patch, prefix)
        self.processes.append(running)
        return running

    def connected(self, times: int = 1) -> Entry:
        """Waits until the program has connected so often, and returns that entry of its journal."""
        return until(lambda: self.events("connect")[times - 1 : times], times, "connects in", self)[0]

    def sent_more(self, posts: int) -> None:
        """Waits until X has sent so many more posts to this app."""
        before = len(self.sent())
        until(lambda: len(self.sent()) >= before + posts, posts, "more posts sent to", self)

    def happened(self, event: str, times: int = 1, **fields: object) -> Entry:
        """Waits for an entry of the journal with these fields, and returns it."""

        def found() -> list[Entry]:
            entries = [each for each in self.events(event) if fields.items() <= each.items()]
            return entries[times - 1 : times]

        return until(found, event, fields, "in", self)[0]

    def waits(self, words: str, state: str = "waiting") -> Entry:
        """Waits until the status is `state` with `words` in its detail, and returns it."""

        def found() -> Entry | None:
            status = self.status()
            alive = status.get("pid") == self.processes[-1].process.pid
            return status if alive and status.get("state") == state and words in status.get("detail", "") else None

        return until(found, "status", state, words, "in", self)

    # --- What is left ---------------------------------------------------------------------------------------------

    def journal(self) -> list[Entry]:
        """The program's journal."""
        return read_lines(self.state / "journal" / f"{self.program}.jsonl")

    def events(self, event: str) -> list[Entry]:
        """The journal's entries of one kind."""
        return [entry for entry in self.journal() if entry["event"] == event]

    def status(self) -> Entry:
        """The live status; empty before there is one."""
        path = self.state / "status" / f"{self.program}.json"
        return json.loads(path.read_bytes()) if path.exists() else {}

    def ledger(self) -> list[Entry]:
        """What the simulator noted of this app."""
        entries = self.simulated.ledger()
        connections = {
            entry["connection"] for entry in entries if entry["event"] == "open" and entry["app"] == self.app
        }
        return [entry for entry in entries if entry.get("app") == self.app or entry.get("connection") in connections]

    def sent(self) -> list[Entry]:
        """The posts sent to this app."""
        return [entry for entry in self.ledger() if entry["event"] == "post"]

    def answers(self, method: str, path: str) -> list[int]:
        """The statuses of the answers to one kind of request."""
        return [
            e["status"] for e in self.ledger() if e["event"] == "answer" and (e["method"], e["path"]) == (method, path)
        ]

    def rules(self) -> list[Entry]:
        """The rules that X holds for this app."""
        return self.simulated.ask("/_simulator/state")["apps"][self.app]["rules"]

    def connections(self) -> list[Entry]:
        """The connections that X holds open for this app."""
        return self.simulated.ask("/_simulator/state")["apps"][self.app]["connections"]

    def log(self) -> str:
        """What the programs printed."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("program-*.log")))

    def close(self) -> None:
        """Ends what still runs."""
        for running in self.processes:
            running.kill()

    def __str__(self) -> str:
        lines = [json.dumps(entry)[:300] for entry in self.journal()[-12:]]
        return "\n".join([str(self.folder), *lines, json.dumps(self.status())[:900], self.log()[-1500:]])


class Running:
    """A process of the program."""

    def __init__(self, world: World, options: tuple[str, ...], patch: str, prefix: tuple[str, ...]) -> None:
        self.world = world
        self.log_path = world.folder / f"program-{len(world.processes) + 1:04}.log"
        arguments = [*world.arguments, "--save", "--config-dir", str(world.folder / "config"), *options]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, str(_HERE / "launcher.py"), patch, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=_HERE.parent.parent,
                env=os.environ | {"PYTHONPATH": str(_HERE.parent.parent)},
            )

    @property
    def log(self) -> str:
        """What it printed."""
        return self.log_path.read_text()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kills it as kill -9 does, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> float:
        """Asks it to stop, sees that it does so in time and with 0, and returns the seconds that this took."""
        begun = time.monotonic()
        self.send(signal.SIGTERM)
        try:
            code = self.process.wait(PROMPT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs {PROMPT} s after SIGTERM: {self.world}") from None
        assert code == 0, f"left with {code}: {self.world}"
        return time.monotonic() - begun

    def send_term_and_wait(self, patience: float) -> None:
        """Asks it to stop where the disk is too slow for an end in time, and sees that it ends with 0."""
        self.send(signal.SIGTERM)
        assert self.left(patience) == 0, str(self.world)

    def left(self, patience: float = PATIENCE) -> int:
        """Waits for its end, and returns its exit code."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {patience} s: {self.world}") from None
