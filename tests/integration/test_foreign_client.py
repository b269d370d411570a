"""The simulator speaks Jetstream to a client that nobody here wrote: npm's @skyware/jetstream."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.support import npm
from tests.support.jetstream_client import events
from tests.support.simulator import Simulator

PACKAGES = ("@skyware/jetstream@0.2.5", "ws@8.18.3")
READER = Path(__file__).parents[1] / "data" / "jetstream_reader.mjs"
COUNT = 300


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where npm has installed it."""
    return npm.install(tmp_path_factory.mktemp("npm"), *PACKAGES)


def test_a_foreign_client_reads_every_event_of_a_replay(modules: Path, tmp_path: Path) -> None:
    """It hands on the events that it knows; all that were sent are such."""
    with Simulator(tmp_path, "--rate", "500", "--past", "60", source="bluesky") as host:
        cursor = int((time.time() - 50) * 1e6)
        expected = events(host.url, 1, COUNT, cursor=str(cursor), wantedCollections="app.bsky.feed.post")
        files = [str(modules / each) for each in ("@skyware/jetstream/dist/index.js", "ws/wrapper.mjs")]
        endpoint = f"{host.url.replace('http:', 'ws:')}/subscribe"
        read = subprocess.run(
            ["node", READER, *files, endpoint, str(cursor), str(COUNT)], capture_output=True, text=True, timeout=60
        )
    assert read.returncode == 0, read.stderr
    assert [json.loads(line) for line in read.stdout.splitlines()] == expected
