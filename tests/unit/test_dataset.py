"""`sfm-stream dataset sync`: each capture file is one Parquet file, made once, made again where it changed."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sfm_stream.cli import cli
from sfm_stream.export import columns as export_columns
from tests.support import bluesky_events

parquet = pytest.importorskip("pyarrow.parquet")

PROGRAM = "twitterfilter-storms"
FIRST, SECOND = f"{PROGRAM}-2026-11-24T23-45-00Z", f"{PROGRAM}-2026-11-25T00-00-00Z"


class Host:
    """A data directory, and a dataset beside it."""

    def __init__(self, here: Path) -> None:
        self.data, self.root = here / "data", here / "dataset"
        self.data.mkdir()
        self.root.mkdir()

    def capture(self, name: str, *texts: str) -> Path:
        lines = [{"data": {"id": str(10**18 + n), "text": text}} for n, text in enumerate(texts)]
        path = self.data / f"{name}.jsonl.gz"
        path.write_bytes(gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))
        return path

    def sync(self, *options: str) -> Result:
        command = ["dataset", "sync", "--to", str(self.root), "--dir", str(self.data), *options]
        return CliRunner().invoke(cli, command, catch_exceptions=True)

    def files(self) -> dict[str, int]:
        """The Parquet files with their inodes: a file that was made again has another."""
        return {str(path.relative_to(self.root)): path.stat().st_ino for path in self.root.rglob("*.parquet")}

    def rows(self, name: str, source: str = "x") -> list[dict[str, Any]]:
        (path,) = self.root.glob(f"source={source}/program=*/day=*/{name}.parquet")
        rows: list[dict[str, Any]] = parquet.ParquetFile(path).read().to_pylist()
        return rows


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.capture(FIRST, "hail", "snow")
    made.capture(SECOND, "rain")
    return made


def place(name: str, day: str) -> str:
    return f"source=x/program={PROGRAM}/day={day}/{name}.parquet"


def test_each_capture_file_is_one_file_in_the_folder_of_its_day(host: Host) -> None:
    done = host.sync()
    assert done.exit_code == 0, done.output
    assert "2 files written (3 rows)" in done.output
    assert set(host.files()) == {place(FIRST, "2026-11-24"), place(SECOND, "2026-11-25")}
    rows = host.rows(FIRST)
    assert [(row["text"], row["line"], row["file"]) for row in rows] == [
        ("hail", "post", f"{FIRST}.jsonl.gz"),
        ("snow", "post", f"{FIRST}.jsonl.gz"),
    ]
    assert json.loads(rows[0]["raw"])["data"]["text"] == "hail"
    assert not {"source", "program", "day"} & set(rows[0]), "what the folders say"


def test_a_second_run_writes_what_is_new_and_touches_nothing_else(host: Host) -> None:
    host.sync()
    before = host.files()
    host.capture(f"{PROGRAM}-2026-11-25T00-15-00Z", "wind")
    assert "1 file written (1 row)" in host.sync().output
    after = host.files()
    assert {name: after[name] for name in before} == before
    assert len(after) == 3


def test_a_capture_file_that_changed_is_written_again_alone(host: Host) -> None:
    """As after a takedown."""
    host.sync()
    before = host.files()
    host.capture(FIRST, "hail")
    assert "1 file written (1 row)" in host.sync().output
    after = host.files()
    assert after[place(FIRST, "2026-11-24")] != before[place(FIRST, "2026-11-24")]
    assert after[place(SECOND, "2026-11-25")] == before[place(SECOND, "2026-11-25")]
    assert [row["text"] for row in host.rows(FIRST)] == ["hail"]


def test_a_file_moved_into_the_date_tree_is_the_same(host: Host) -> None:
    host.sync()
    folder = host.data / PROGRAM / "2026" / "11" / "24" / "23"
    folder.mkdir(parents=True)
    (host.data / f"{FIRST}.jsonl.gz").rename(folder / f"{FIRST}.jsonl.gz")
    assert "0 files written (0 rows)" in host.sync().output


def test_files_whose_capture_file_is_gone_are_told_and_removed_where_it_is_asked(host: Host) -> None:
    host.sync()
    (host.data / f"{FIRST}.jsonl.gz").unlink()
    assert "1 file: their capture files are gone; --prune removes them" in host.sync().output
    assert len(host.files()) == 2
    assert "1 removed" in host.sync("--prune").output
    assert set(host.files()) == {place(SECOND, "2026-11-25")}


def test_what_cannot_be_looked_at_is_not_taken_for_gone(host: Host) -> None:
    """A day in the place of which there is a link, which nobody follows."""
    day = host.data / PROGRAM / "2026" / "11" / "24"
    (day / "23").mkdir(parents=True)
    (host.data / f"{FIRST}.jsonl.gz").rename(day / "23" / f"{FIRST}.jsonl.gz")
    host.sync()
    before = host.files()
    day.rename(host.data / "elsewhere")
    day.symlink_to(host.data / "elsewhere")
    done = host.sync("--prune")
    assert getattr(done.exception, "exit_code", None) == 3
    assert str(day) in str(done.exception)
    assert host.files() == before


def test_a_damaged_capture_file_gives_what_can_be_read_and_is_told_each_time(host: Host) -> None:
    path = host.data / f"{SECOND}.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-6])
    for _ in range(2):
        done = host.sync(PROGRAM)
        assert getattr(done.exception, "exit_code", None) == 3
        assert f"{SECOND}.jsonl.gz: stops before its end" in str(done.exception)
        assert [row["text"] for row in host.rows(SECOND)] == ["rain"]
    whole = host.capture(SECOND, "rain", "sun")
    assert host.sync().exit_code == 0
    assert whole.stat().st_mtime_ns == (host.root / place(SECOND, "2026-11-25")).stat().st_mtime_ns


def test_deletions_are_rows_of_their_own(tmp_path: Path) -> None:
    """So that a file depends on nothing but its capture file; the column `line` tells them."""
    host = Host(tmp_path)
    lines = [bluesky_events.post("goes"), bluesky_events.commit(operation="delete")]
    name = "bluesky-birds-2026-11-25T00-00-00Z"
    (host.data / f"{name}.jsonl.gz").write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))
    host.sync()
    rows = host.rows(name, "bluesky")
    assert [row["line"] for row in rows] == ["post", "delete"]
    assert rows[0]["id"] == rows[1]["id"]


def test_a_run_that_was_ended_is_gone_on_with(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is half there under its name, and what was left half written is cleared away."""

    def end(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", end)
        host.sync()
    assert host.files() == {}
    assert host.sync().exit_code == 0
    assert len(host.files()) == 2
    assert [path for path in host.root.rglob(".*") if path.name != ".lock"] == []


def test_files_of_a_release_with_other_columns_are_told_and_written_again_where_it_is_asked(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        fewer = [each for each in export_columns.EXTRA if each.name != "line"]
        monkeypatch.setattr("sfm_stream.export.dataset.LINE", "file")
        earlier.setattr(export_columns, "EXTRA", tuple(fewer))
        host.sync()
    monkeypatch.undo()
    assert "line" not in host.rows(FIRST)[0]
    note = f"{PROGRAM}: files of an earlier release have other columns; --renew writes them again"
    assert note in host.sync().output
    assert "2 files written" in host.sync("--renew").output
    assert note not in host.sync("--renew").output
    assert host.rows(FIRST)[0]["line"] == "post"


def test_only_one_run_at_a_time(host: Host) -> None:
    import fcntl

    with (host.root / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another `dataset sync` is at work on it" in str(host.sync().exception)


def test_a_directory_that_is_not_there_is_named(host: Host) -> None:
    host.root.rmdir()
    assert str(host.root) in str(host.sync().exception)
