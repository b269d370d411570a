"""A damaged journal: every entry that is whole is read, nothing is made up, and no report fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream import clock
from sfm_stream.capture.recount import recount
from sfm_stream.commands.gaps import gaps
from sfm_stream.record import journal, last_run
from sfm_stream.record.entries import KINDS
from tests.fuzz.damage import HARM, Harm, first_difference, harmed

PROGRAM = "twitterfilter-storms"
NOON = "2026-11-24T12:00:00.000Z"
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("start", "end", "last_byte", "unwritten", "lost_after", "first_time", "last_time"), st.just(NOON)),
    **dict.fromkeys(("server_time", "aside_since"), st.just(NOON)),
    **dict.fromkeys(("seconds", "posts", "bytes", "torn_bytes", "aside_lines"), st.integers(0, 10**6)),
    **dict.fromkeys(("reason", "cause", "file", "segment", "sha256", "boot", "lost", "aside"), st.text(max_size=9)),
    "planned": st.booleans(),
}
EVENTS = [
    event
    for event, kind in KINDS.items()
    if {field.name for field in msgspec.structs.fields(kind) if field.required} <= {"time", "event", *FIELDS}
]
assert len(EVENTS) > 10
ENTRY = st.builds(
    lambda event, fields: {"time": NOON, "event": event, **fields},
    st.sampled_from([*EVENTS, "budget", "unheard-of"]),
    st.fixed_dictionaries(FIELDS),
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIELDS, "time", "event"]), inner),
    max_leaves=12,
)


def written(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> Path:
    state = tmp_path_factory.mktemp("state")
    path = journal.journal_path(state, PROGRAM)
    path.parent.mkdir()
    path.write_bytes(raw)
    return state


OPTIONS = st.sampled_from([(), ("--json",), ("--format", "csv"), ("--since", "2026-11-01")])


def all_reports(state: Path, options: tuple[str, ...]) -> None:
    """Everything that reads a journal, by the start of a program and by commands."""
    last_run.read(state, PROGRAM)
    recount(state, PROGRAM, "lab", clock.now())
    done = CliRunner().invoke(gaps, ["--state-dir", str(state), *options])
    assert done.exception is None or getattr(done.exception, "exit_code", None) == 3, done.exception


@given(st.lists(ENTRY, max_size=8), st.lists(HARM, min_size=1, max_size=3), OPTIONS)
def test_damage_costs_the_entries_it_lies_in_and_bars_nothing(
    tmp_path_factory: pytest.TempPathFactory, entries: list[dict[str, Any]], harms: list[Harm], options: tuple[str, ...]
) -> None:
    """All before the damage are read; the next start cuts a torn end off, and goes on."""
    lines = [msgspec.json.encode(entry) + b"\n" for entry in entries]
    whole = raw = b"".join(lines)
    for harm in harms:
        raw = harmed(raw, harm)
    at = first_difference(whole, raw)
    before = len(lines) if at is None else whole[:at].count(b"\n")
    state = written(tmp_path_factory, raw)
    path = journal.journal_path(state, PROGRAM)
    found = list(journal.read(path))
    assert [entry.event for entry in found[:before]] == [entry["event"] for entry in entries[:before]]
    all_reports(state, options)
    journal.Journal(path).write("refused", reason="the last")
    again = list(journal.read(path))
    assert [entry.event for entry in again[:before]] == [entry["event"] for entry in entries[:before]]
    assert again[-1].event == "refused"


@given(st.lists(st.one_of(ODD, ENTRY), max_size=8), OPTIONS)
def test_entries_of_any_type_bar_nothing(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], options: tuple[str, ...]
) -> None:
    """Each line is an entry or counted as none."""
    raw = b"".join(msgspec.json.encode(value) + b"\n" for value in values)
    state = written(tmp_path_factory, raw)
    found = journal.read(journal.journal_path(state, PROGRAM))
    assert len(list(found)) + found.skipped == len(values)
    all_reports(state, options)
