"""A connection that is over leaves nothing behind: a stream that reconnects each hour for years would grow by it."""

from __future__ import annotations

import gc
from pathlib import Path

import requests

from sfm_stream.sources.x.exchange import Exchange
from tests.support.simulator import Simulator


def test_who_spoke_over_a_connection_is_forgotten_with_it(tmp_path: Path) -> None:
    """Its session, the pool of its connections, and the classes of these that were made for it."""
    with Simulator(tmp_path, "--rate", "10") as x:
        for _ in range(3):
            session = requests.Session()
            Exchange(session)
            session.get(f"{x.url}/2/tweets/search/stream/rules", timeout=10)
            del session
    gc.collect()
    assert [each for each in gc.get_objects() if type(each) is Exchange] == []
