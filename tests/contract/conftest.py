"""Streams for the contract suite, which are ended with their test; ``SFM_FUZZ=long`` makes it longer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfm_stream.sources import registry
from tests.contract.harnesses import HARNESSES, Harness
from tests.contract.host import Jetstream
from tests.contract.streams import BlueskyWorld
from tests.fault.world import World

LONG = os.environ.get("SFM_FUZZ") == "long"


@pytest.fixture(scope="session")
def kills() -> int:
    """How often a program is killed in a test that does so at random."""
    return 50 if LONG else 12


@pytest.fixture(params=registry.names())
def harness(request: pytest.FixtureRequest) -> Harness:
    """Each source of the registry in turn."""
    assert request.param in HARNESSES, f"the source {request.param} has no harness in tests/contract/harnesses.py"
    return HARNESSES[request.param]


@pytest.fixture
def service(harness: Harness, tmp_path: Path) -> Iterator[Any]:
    """The source's simulated service."""
    served = harness.serve(tmp_path / "service")
    yield served
    served.close()


@pytest.fixture
def world(harness: Harness, service: Any, tmp_path: Path) -> Iterator[World]:
    """A stream of the source."""
    made = harness.world(tmp_path / "world", service)
    yield made
    made.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Callable[..., Jetstream]]:
    """Makes Jetstream hosts."""
    made: list[Jetstream] = []

    def make(**options: Any) -> Jetstream:
        made.append(Jetstream(tmp_path / f"host-{len(made)}", **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def bluesky(tmp_path: Path) -> Iterator[Callable[..., BlueskyWorld]]:
    """Makes streams of Bluesky."""
    made: list[BlueskyWorld] = []

    def make(*hosts: Jetstream, **settings: object) -> BlueskyWorld:
        made.append(BlueskyWorld(tmp_path / f"world-{len(made)}", *hosts, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()
