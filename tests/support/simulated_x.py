"""The simulated X as a client sees it, for the tests of the simulator itself.

::

    with SimulatedX("--rate", "100") as x:
        x.add_rules("storm", "vote lang:en")
        x.plan({"do": "close", "after": 5})
        with x.stream() as lines:
            next(lines)
        x.wait_for("close", reason="client closed")
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.support.simulator import Entry, Simulator
from tests.support.waiting import PATIENCE

STREAM = "/2/tweets/search/stream"
RULES = f"{STREAM}/rules"
SAMPLE = "/2/tweets/sample/stream"


class SimulatedX(Simulator):
    """A simulated X with the requests that X's clients make, as the app of one test.

    Args:
        options: More of the command line.
    """

    def __init__(self, *options: str) -> None:
        self.headers = {"Authorization": "Bearer token-of-the-test-app", "User-Agent": "sfm-stream-tests"}
        self._app: str | None = None
        self._folder = tempfile.TemporaryDirectory()
        super().__init__(Path(self._folder.name), *options)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
            if kind is None:
                assert not self.said(), f"the simulator complained: {self.said()}"
                assert self.process.returncode == 0
        finally:
            self._folder.cleanup()

    def begin(self, test: str) -> None:
        """Makes it as good as new for a test: an app of its own, no plan, and only that app's entries in the ledger."""
        self.headers["Authorization"] = f"Bearer {test}"
        self._app = f"app-{hashlib.sha256(test.encode()).hexdigest()[:8]}"
        self.plan()

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request, as the test's app unless `headers` are given."""
        options = {"headers": self.headers, "timeout": PATIENCE, "allow_redirects": False, **options}
        return requests.request(method, self.url + path, **options)

    def add_rules(self, *values: str, tag: str = "") -> list[dict[str, str]]:
        """Adds rules; all must be accepted."""
        rules = [{"value": value, **({"tag": tag} if tag else {})} for value in values]
        answer = self.call("POST", RULES, json={"add": rules})
        assert answer.status_code == 201, answer.text
        added: list[dict[str, str]] = answer.json()["data"]
        return added

    def open(self, path: str = STREAM, **parameters: str) -> requests.Response:
        """Connects to a stream; whatever the answer."""
        return self.call("GET", path, params=parameters, stream=True)

    @contextlib.contextmanager
    def stream(self, path: str = STREAM, **parameters: str) -> Iterator[Iterator[bytes]]:
        """The lines of a stream, without line ends, keep-alives as empty ones; closed at the end."""
        with self.open(path, **parameters) as answer:
            assert answer.status_code == 200, answer.text
            yield lines_of(answer)

    def ledger(self, event: str | None = None, **facts: object) -> list[Entry]:
        """The ledger's entries of this app, or those of an event that have these facts."""
        entries = super().ledger()
        if self._app:
            own = {entry["connection"] for entry in entries if entry["event"] == "open" and entry["app"] == self._app}
            entries = [entry for entry in entries if entry.get("app") == self._app or entry.get("connection") in own]
        return [
            entry
            for entry in entries
            if event in {None, entry["event"]} and all(entry.get(key) == value for key, value in facts.items())
        ]

    def wait_for(self, event: str, *, count: int = 1, **facts: object) -> list[dict[str, Any]]:
        """The entries, as soon as there are `count` of them."""
        until = time.monotonic() + PATIENCE
        while len(found := self.ledger(event, **facts)) < count:
            assert time.monotonic() < until, f"no {count} {event} {facts} in the ledger: {self.ledger()[-20:]}"
            time.sleep(0.02)
        return found


def lines_of(answer: requests.Response) -> Iterator[bytes]:
    """The lines of a response as they come; a last line without its end is given too."""
    rest = b""
    for piece in answer.iter_content(chunk_size=None):
        *lines, rest = (rest + piece).split(b"\r\n")
        yield from lines
    if rest:
        yield rest


def posts_of(lines: Iterator[bytes], count: int) -> list[dict[str, Any]]:
    """The next posts of a stream, keep-alives left out."""
    posts: list[dict[str, Any]] = []
    while len(posts) < count:
        if line := next(lines):
            posts.append(json.loads(line))
    return posts
