"""A damaged live status, or settings that are no settings: a row that says so, and nobody else's fault."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.commands.status import status as command
from sfm_stream.reading import UnreadableError
from sfm_stream.record import last_run, status
from sfm_stream.sources.x.settings import Rule, XStream
from tests.fuzz.damage import HARM, Harm, harmed

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
STREAM = XStream(kind="filterstream", name="storms", credential="lab", rules=(Rule(name="main", track=("hail",)),))
LIVE = status.Status(program=STREAM.program, pid=1, since=NOON, last_byte=NOON, last_post=NOON, state="connected")
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def host(tmp_path_factory: pytest.TempPathFactory, live: bytes, settings: bytes | None = None) -> Path:
    place = tmp_path_factory.mktemp("host")
    (place / "streams").mkdir()
    (place / "state" / "status").mkdir(parents=True)
    for name in ("storms", "votes"):
        stream = msgspec.structs.replace(STREAM, name=name, state_dir=str(place / "state"))
        (place / "streams" / f"{stream.program}.json").write_bytes(msgspec.json.encode(stream))
    if settings is not None:
        (place / "streams" / f"{STREAM.program}.json").write_bytes(settings)
    (place / "host.json").write_text('{"supervisor_config": ""}')
    status.status_path(place / "state", STREAM.program).write_bytes(live)
    return place


def looked_at(place: Path) -> None:
    """Each way of `status`, and the next start."""
    for options in ((), ("--json",)):
        arguments = ["--config-dir", str(place), "--state-dir", str(place / "state"), *options]
        with patch("sfm_stream.report.look.become_owner"):  # this process goes on
            done = CliRunner().invoke(command, arguments)
        assert getattr(done.exception, "exit_code", None) == 3, done.exception
        assert "twitterfilter-votes" in done.output
    last_run.read(place / "state", STREAM.program)


def read(place: Path) -> status.Status | None:
    try:
        return status.read(place / "state", STREAM.program)
    except UnreadableError:
        return None


@given(st.lists(HARM, min_size=1, max_size=3))
def test_a_damaged_status_is_unreadable_or_a_status(
    tmp_path_factory: pytest.TempPathFactory, harms: list[Harm]
) -> None:
    """Whatever bytes are other than were written."""
    raw = msgspec.json.encode(LIVE)
    for harm in harms:
        raw = harmed(raw, harm)
    place = host(tmp_path_factory, raw)
    looked_at(place)
    status.write(place / "state", LIVE)
    assert read(place) == LIVE


@given(st.dictionaries(st.sampled_from(LIVE.__struct_fields__), ODD, min_size=1))
def test_a_status_of_other_types_is_unreadable_or_a_status(
    tmp_path_factory: pytest.TempPathFactory, odd: dict[str, Any]
) -> None:
    """Whatever its fields are."""
    looked_at(host(tmp_path_factory, msgspec.json.encode(msgspec.to_builtins(LIVE) | odd)))


@given(st.lists(HARM, min_size=1, max_size=3), st.dictionaries(st.sampled_from(STREAM.__struct_fields__), ODD))
def test_damaged_settings_are_a_row(
    tmp_path_factory: pytest.TempPathFactory, harms: list[Harm], odd: dict[str, Any]
) -> None:
    """The other stream's stays as it is."""
    raw = msgspec.json.encode(msgspec.to_builtins(STREAM) | odd)
    for harm in harms:
        raw = harmed(raw, harm)
    looked_at(host(tmp_path_factory, msgspec.json.encode(LIVE), raw))
