"""Worlds for the fault suite; ``--full``, or ``SFM_FAULT=full``, makes it as long as it can be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fault.world import World
from tests.support.simulator import Simulator

_FIGURES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--full``."""
    parser.addoption("--full", action="store_true", help="the fault suite in its full length (most of an hour)")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line("markers", "full: only in the full fault suite")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is only for the full form."""
    if is_full(config):
        return
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason="takes long: only with SFM_FAULT=full or --full"))


def is_full(config: pytest.Config) -> bool:
    """Whether the full form was asked for."""
    return os.environ.get("SFM_FAULT") == "full" or bool(config.getoption("--full", default=False))


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the full form was asked for."""
    return is_full(request.config)


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> list[str]:
    """Measured figures, printed at the end."""
    return request.config.stash.setdefault(_FIGURES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints what was measured."""
    for line in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(f"measured: {line}")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One simulator for all tests that need no other: each test's token is an app of its own."""
    simulated = Simulator(tmp_path_factory.mktemp("simulator"), "--rate", "150", "--keep-alive", "2")
    yield simulated
    simulated.close()


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Makes simulators with options of their own."""
    made: list[Simulator] = []

    def make(*options: str) -> Simulator:
        folder = tmp_path / f"simulator-{len(made)}"
        folder.mkdir()
        made.append(Simulator(folder, *options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def make_world(tmp_path: Path, shared: Simulator) -> Iterator[Callable[..., World]]:
    """Makes worlds, and ends what runs in them."""
    made: list[World] = []

    def make(simulated: Simulator | None = None, **settings: object) -> World:
        made.append(World(tmp_path / f"world-{len(made)}", simulated or shared, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def world(request: pytest.FixtureRequest, make_world: Callable[..., World]) -> World:
    """A filter at the shared simulator; its files are in gzip, where `in_both_formats` does not say otherwise."""
    return make_world(compression=getattr(request, "param", "gzip"))
