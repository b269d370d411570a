"""A simulated Jetstream host as a process of its own, and what must arrive from it.

Run as a program, it serves until it is terminated, and prints its address first::

    python -m tests.contract.host LEDGER PORT START OPTIONS

START is the time of event 0 (hosts that share it, the seed and the rate tell of the same network), OPTIONS a JSON
object of the simulator's `Options`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from sfm_stream.sources.bluesky.simulator import wires
from sfm_stream.sources.bluesky.simulator.events import Happening, Network

_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"


class Jetstream:
    """A running host.

    Args:
        folder: Where its ledger lies.
        start: When event 0 happens, in seconds since 1970.
        port: Its port; 0 for any.
        options: Of the simulator.
    """

    def __init__(self, folder: Path, *, start: float | None = None, port: int = 0, **options: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.start = round(time.time(), 3) if start is None else start
        self.options = {"rate": 200.0, "seed": 1, "first_seq": 1000, **options}
        self.network = Network(int(self.options["seed"]), self.options["rate"], self.start)
        self._ledger = folder / "ledger.jsonl"
        self._log = (folder / "simulator.log").open("wb")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.contract.host",
                *(str(self._ledger), str(port), str(self.start), json.dumps(self.options)),
            ],
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=Path(__file__).parents[2],
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().decode().strip()
        assert self.address, (folder / "simulator.log").read_text()
        self.port = int(self.address.rpartition(":")[2])

    @property
    def url(self) -> str:
        """As the settings name it."""
        return f"ws://{self.address}"

    def ask(self, path: str, body: object = None) -> Any:
        """GETs, or POSTs `body`."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"http://{self.address}{path}", data, timeout=20) as answer:
            return json.load(answer)

    def order(self, *steps: dict[str, object]) -> None:
        """Orders faults in the place of those that are left."""
        self.ask("/_simulator/plan", {"steps": steps})

    @property
    def steps_left(self) -> int:
        """The steps of the plan that no connection has taken."""
        return int(self.ask("/_simulator/state")["steps"])

    def ledger(self, event: str) -> list[dict[str, Any]]:
        """What it noted of one event."""
        lines = self._ledger.read_bytes().split(b"\n")[:-1]
        return [each for each in map(json.loads, lines) if each["event"] == event]

    def line(self, number: int, wire: int) -> bytes:
        """Event `number` as it sends it."""
        return wires.encode(self.network.event(number), wire, number + int(self.options["first_seq"]))

    def close(self) -> None:
        """Ends it."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)
        self._log.close()


def number_of(line: bytes) -> int:
    """Which event of the network a line tells of, on either wire."""
    found = json.loads(line)
    body = found.get("payload", found)
    commit = body if "rev" in body else body.get("commit")
    if commit is not None:
        return sum(_DIGITS.index(sign) * 32**place for place, sign in enumerate(reversed(commit["rev"][2:])))
    return int(body["account"]["seq"]) - 30_000_000_000


def is_post(event: Happening) -> bool:
    """Whether an event makes, changes or takes away a post."""
    return event.kind == "commit" and event.body["collection"] == "app.bsky.feed.post"


async def _serve(ledger: str, port: int, start: float, options: dict[str, Any]) -> None:
    from aiohttp import web

    from sfm_stream.simulator.ledger import Ledger
    from sfm_stream.sources.bluesky.simulator.server import Jetstream as Host
    from sfm_stream.sources.bluesky.simulator.server import Options

    host = Host(msgspec.convert(options, Options), Ledger(Path(ledger)), [])
    host.network = Network(host.options.seed, host.options.rate, start)
    runner = web.AppRunner(host.application(), access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
    await site.start()
    print(f"127.0.0.1:{runner.addresses[0][1]}", flush=True)  # noqa: T201 - its address, for who started it
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), json.loads(sys.argv[4])))
