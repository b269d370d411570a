"""Versions of a stream's settings, and what changed between them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.errors import ConfigError, StorageError
from sfm_stream.record import history

PROGRAM = "twitterfilter-storms"
START = datetime(2026, 11, 24, 20, 15, tzinfo=UTC)


def settings(**changed: object) -> bytes:
    rules = [{"name": "reports", "track": ["hail", "rain"]}]
    return json.dumps(
        {"kind": "filterstream", "name": "storms", "rules": rules, "save_interval": 900} | changed
    ).encode()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sfm_stream", "history", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_only_new_settings_make_a_new_version(tmp_path: Path) -> None:
    """A restart with the same settings adds nothing; going back to earlier ones is a version again."""
    raws = [settings(), settings(), settings(save_interval=300), settings()]
    assert [history.record(tmp_path, PROGRAM, raw) for raw in raws] == [True, False, True, True]
    kept = history.versions(tmp_path, PROGRAM)
    assert [version.settings["save_interval"] for version in kept] == [900, 300, 900]
    assert kept[0].sha256 == kept[2].sha256 != kept[1].sha256
    assert history.history_path(tmp_path, PROGRAM).stat().st_mode & 0o777 == 0o640


def test_a_line_cut_short_by_a_crash_costs_that_line_alone(tmp_path: Path) -> None:
    """What was recorded before and after it is read as ever."""
    history.record(tmp_path, PROGRAM, settings())
    path = history.history_path(tmp_path, PROGRAM)
    path.write_bytes(path.read_bytes() + b'{"time": "2026-11-2')
    history.record(tmp_path, PROGRAM, settings(save_interval=300))
    assert [version.settings["save_interval"] for version in history.versions(tmp_path, PROGRAM)] == [900, 300]


DAMAGED = [
    *(b"\0\0", b"\xff", b"[]", b'{"time": 5}', b"[" * 100_000),
    b'{"time": "2026-11-24T20:15:00", "sha256": "x", "settings": {}}',
    b'{"time": "0001-01-01T00:00:00+14:00", "sha256": "x", "settings": {}}',
    b'{"time": "2026-11-24T20:15:00Z", "sha256": "x", "settings": {"a": "\xff"}}',
    b'{"time": "2026-11-24T20:15:00Z", "sha256": "x", "settings": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
]


def test_damaged_versions_are_left_out_counted_and_bar_nothing(tmp_path: Path) -> None:
    """The command shows the others, says how many are missing, and exits with 3; the next version is recorded."""
    path = history.history_path(tmp_path, PROGRAM)
    history.record(tmp_path, PROGRAM, settings(), START)
    with path.open("ab") as file:
        file.write(b"\n".join(DAMAGED) + b"\n")
    assert history.record(tmp_path, PROGRAM, settings(save_interval=300), START + timedelta(hours=1))
    known = history.versions(tmp_path, PROGRAM)
    assert [version.settings["save_interval"] for version in known] == [900, 300]
    assert known.skipped == len(DAMAGED)
    for options in ((), ("--json",)):
        done = run("storms", "--state-dir", tmp_path, *options)
        assert done.returncode == 3
        assert "300" in done.stdout
    assert f"{len(DAMAGED)} unreadable versions skipped" in run("storms", "--state-dir", tmp_path).stderr


def test_what_lies_in_the_place_of_a_history_is_set_aside(tmp_path: Path) -> None:
    """A report of it says so and does not hang; a start records its settings all the same."""
    path = history.history_path(tmp_path, PROGRAM)
    path.parent.mkdir()
    os.mkfifo(path)
    done = run("storms", "--state-dir", tmp_path)
    assert (done.returncode, "not a regular file" in done.stderr) == (3, True)
    assert history.record(tmp_path, PROGRAM, settings())
    assert len(history.versions(tmp_path, PROGRAM)) == 1
    assert path.with_name(f"{path.name}.damaged").is_fifo()


def test_a_version_came_into_force_when_x_was_first_seen_to_hold_it(tmp_path: Path) -> None:
    """Apart from when it was asked for; a version that X refused never did."""
    first, second, third = (hashlib.sha256(settings(save_interval=n)).hexdigest() for n in (1, 2, 3))
    assert not history.record_in_force(tmp_path, PROGRAM, first), "nothing was asked for"
    history.record(tmp_path, PROGRAM, settings(save_interval=1), START)
    assert history.record_in_force(tmp_path, PROGRAM, first, START + timedelta(seconds=2))
    assert not history.record_in_force(tmp_path, PROGRAM, first, START + timedelta(seconds=9)), "it was already"
    history.record(tmp_path, PROGRAM, settings(save_interval=2), START + timedelta(minutes=1))
    assert not history.record_in_force(tmp_path, PROGRAM, first), "it is not what was last asked for"
    history.record(tmp_path, PROGRAM, settings(save_interval=3), START + timedelta(minutes=2))
    assert history.record_in_force(tmp_path, PROGRAM, third, START + timedelta(minutes=3))
    known = history.versions(tmp_path, PROGRAM)
    assert [version.in_force for version in known] == [
        START + timedelta(seconds=2),
        None,
        START + timedelta(minutes=3),
    ]
    assert [version.sha256 for version in known] == [first, second, third]
    at = [START + timedelta(seconds=seconds) for seconds in (1, 30, 90, 150, 181)]
    held = [[version.settings["save_interval"] for version in history.during(known, time, time)] for time in at]
    assert held == [[1], [1], [1, 2], [1, 2, 3], [3]]


def test_a_secret_is_never_kept(tmp_path: Path) -> None:
    """Even where somebody wrote it into the settings by mistake."""
    history.record(tmp_path, PROGRAM, settings(bearer_token="AAAA"))
    assert b"AAAA" not in history.history_path(tmp_path, PROGRAM).read_bytes()


def test_what_cannot_be_recorded_is_said(tmp_path: Path) -> None:
    """Settings that are no JSON object, and a directory that cannot be written, each have their error."""
    with pytest.raises(ConfigError, match="twitterfilter-storms are no JSON object"):
        history.record(tmp_path, PROGRAM, b"[]")
    (tmp_path / "history").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be"):
        history.record(tmp_path, PROGRAM, settings())


def test_changes_name_each_key_and_what_became_of_it() -> None:
    """Rules go by their names; of a list only what came and went is told."""
    before = json.loads(settings(credential="a", fields={"tweet": ["id"]}))
    after = json.loads(
        settings(
            save_interval=300,
            credential="a",
            rules=[{"name": "reports", "track": ["rain", "snow"]}, {"name": "raw", "query": "x"}],
        )
    )
    assert {change.key: str(change) for change in history.changes(before, after)} == {
        "rules[reports].track": '- "hail", + "snow"',
        "rules[raw].query": '+ "x"',
        "save_interval": "900 → 300",
        "fields.tweet": '- ["id"]',
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_equal_settings_have_no_changes(value: dict[str, object]) -> None:
    """And every change can be printed and encoded, whatever the values."""
    assert history.changes(value, value) == []
    for change in history.changes({}, value):
        assert str(change)
        assert msgspec.json.encode(change)


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(0, 40), st.integers(0, 10))
def test_the_settings_of_a_file_are_those_in_effect_while_it_was_made(
    times: list[int], begin: int, length: int
) -> None:
    """The last version that took effect before the file, and each that came while it was written."""
    known = [
        history.Version(START + timedelta(seconds=second, milliseconds=500), str(index), {})
        for index, second in enumerate(sorted(times))
    ]
    start, end = START + timedelta(seconds=begin), START + timedelta(seconds=begin + length)
    held = history.during(known, start, end)
    seconds = [int((version.time - START).total_seconds()) for version in held]
    assert [s for s in seconds if s > begin] == [s for s in sorted(times) if begin < s < begin + length]
    assert [s for s in seconds if s <= begin] == [s for s in sorted(times) if s <= begin][-1:]


def test_the_command_shows_versions_and_what_held_for_a_file(tmp_path: Path) -> None:
    """By the filter's name, by the program's, by a file; as a table and as JSON."""
    history.record(tmp_path, PROGRAM, settings(), START - timedelta(days=1))
    history.record(tmp_path, PROGRAM, settings(save_interval=300), START)
    both = run("storms", "--state-dir", tmp_path)
    assert both.returncode == 0, both.stderr
    assert both.stdout.startswith("twitterfilter-storms: 2 versions\nSINCE (UTC)          IN FORCE (UTC)")
    assert "2026-11-24 20:15:00" in both.stdout
    assert "900 → 300" in both.stdout
    earlier = run("--file", f"some/where/{PROGRAM}-2026-11-24T20-14-00Z.jsonl.gz", "--state-dir", tmp_path, "--json")
    versions = json.loads(earlier.stdout)
    # The file lasts 15 minutes by the settings of its start, and the second version came within them.
    assert [version["settings"]["save_interval"] for version in versions] == [900, 300]
    journal = tmp_path / "journal" / f"{PROGRAM}.jsonl"
    journal.parent.mkdir()
    line = {
        "time": "2026-11-24T20:14:30.000Z",
        "event": "rotate",
        "file": f"{PROGRAM}-2026-11-24T20-14-00Z.jsonl.gz",
        "bytes": 1,
        "sha256": "0" * 64,
    }
    journal.write_text(json.dumps(line) + "\n")
    # The journal knows that it was finished sooner.
    earlier = run("--file", f"{PROGRAM}-2026-11-24T20-14-00Z.jsonl.gz", "--state-dir", tmp_path, "--json")
    assert [version["settings"]["save_interval"] for version in json.loads(earlier.stdout)] == [900]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give the NAME"),
        (["strms"], "did you mean 'storms'?"),
        (["--file", "notes.txt"], "not the name of a capture file"),
        (["--file", f"{PROGRAM}-2020-01-01T00-00-00Z.gz"], "are recorded for 2020-01-01 00:00:00 or before"),
    ],
)
def test_a_wrong_argument_is_told_with_its_cure(tmp_path: Path, arguments: list[str], message: str) -> None:
    """The exit code is that of a wrong argument."""
    history.record(tmp_path, PROGRAM, settings(), START)
    result = run(*arguments, "--state-dir", tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert os.linesep + "Traceback" not in result.stderr
