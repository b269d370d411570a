"""What the tests of all scenarios share: the hosts, the inventory, and a diagnosis where a test fails."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from deployment import Deployment
from hosts import Host

_HOSTS = pytest.StashKey[list[Host]]()


@pytest.fixture(scope="session")
def scenario() -> Path:
    """The scenario's directory."""
    return Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])


@pytest.fixture(scope="session")
def deployment(scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The scenario's inventory; what a test changes in it holds for the tests after it."""
    return Deployment(scenario, tmp_path_factory.mktemp("inventory"))


@pytest.fixture(scope="session")
def hosts(deployment: Deployment, request: pytest.FixtureRequest) -> dict[str, Host]:
    """Every host of the scenario, by name."""
    found = {name: Host(name) for name in deployment.hosts}
    request.config.stash[_HOSTS] = list(found.values())
    return found


@pytest.fixture(scope="session")
def one(hosts: dict[str, Host]) -> Host:
    """The first host: the only one of most scenarios."""
    return next(iter(hosts.values()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to a failed test what a person would look at first on each host."""
    report = yield
    if report.failed:
        for host in item.config.stash.get(_HOSTS, []):
            report.sections.append((f"host {host.name}", host.diagnosis()))
    return report
