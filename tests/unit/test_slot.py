"""Which connection is our own dead self, and which is somebody's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sfm_stream import clock
from sfm_stream.record.last_run import LastRun
from sfm_stream.sources.x.slot import Slot
from tests.unit.rules_server import App, serving

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Told:
    """A journal that is looked at."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def write(self, event: str, /, **fields: Any) -> None:
        self.entries.append({"event": event, **fields})


@pytest.fixture
def app() -> Iterator[App]:
    with serving(App()) as running:
        yield running


def live(identity: str, second: float, address: str = "192.0.2.7") -> dict[str, Any]:
    at = clock.text(NOON + timedelta(seconds=second))
    return {"id": identity, "endpoint_name": "filtered_stream", "connected_at": at, "client_ip": address}


def slot(**past: Any) -> tuple[Slot, Told]:
    told = Told()
    return Slot("filtered_stream", told, LastRun(connected_at=NOON, **past)), told


def test_the_connection_that_had_our_id_is_ended(app: App) -> None:
    """Whenever X says that it began, and whatever else is connected."""
    app.connections = [live("other", 0.1), live("ours", 700, "198.51.100.1")]
    found, told = slot(connection="ours", address="192.0.2.99")
    assert found.release(app.client()) is None
    assert [each["id"] for each in app.connections] == ["other"]
    assert told.entries[-1]["action"] == "ended: it was ours, and is dead"


@pytest.mark.parametrize(
    "past",
    [{}, {"address": "198.51.100.1"}, {"connection": "before"}, {"connection": "before", "address": "192.0.2.7"}],
)
def test_a_connection_of_the_same_second_is_somebodys(app: App, past: dict[str, str]) -> None:
    """The time alone says nothing: it is left alone, and named."""
    app.connections = [live("other", 0.0)]
    found, told = slot(**past)
    holder = found.release(app.client())
    assert holder is not None
    assert "192.0.2.7 since 2026-11-24 12:00:00" in holder
    assert [each["id"] for each in app.connections] == ["other"]
    assert told.entries[-1]["action"] == "waiting: it is not ours"


def test_from_the_address_that_x_knows_and_of_the_time_of_our_connect_it_is_ours(app: App) -> None:
    """A crash came before X could be asked for its id."""
    app.connections = [live("other", 700), live("ours", 1)]
    found, _ = slot(address="192.0.2.7")
    assert found.release(app.client()) is None
    assert [each["id"] for each in app.connections] == ["other"]


def test_x_is_asked_which_connection_is_ours(app: App) -> None:
    """The only one that began when we connected; the journal has it for the next run."""
    app.connections = [live("other", 700), live("ours", 1)]
    found, told = slot(connection="before")
    found.took(NOON)
    assert found.identify(app.client())
    assert told.entries == [
        {
            "event": "slot",
            "connection": "ours",
            "client_ip": "192.0.2.7",
            "connected_at": NOON + timedelta(seconds=1),
            "action": "ours",
        }
    ]
    assert found.release(app.client()) is None
    assert [each["id"] for each in app.connections] == ["other"]


@pytest.mark.parametrize("connections", [[], [live("a", 1), live("b", 2)], [live("a", 60)]])
def test_what_x_does_not_say_for_certain_is_not_known(app: App, connections: list[dict[str, Any]]) -> None:
    """Two that began at the same time may each be somebody's."""
    app.connections = list(connections)
    found, told = slot()
    assert not found.identify(app.client())
    assert told.entries == []
    assert found.release(app.client()) is not None
    assert app.connections == connections
