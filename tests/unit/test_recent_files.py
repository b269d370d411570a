"""Where the last lines of a program lie."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sfm_stream.capture import recent_files

PROGRAM = "bluesky-votes"


class Host:
    """A host with a data directory, a state directory and an archive."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.data, self.state, self.archive = folder / "data", folder / "state", folder / "archive"
        for directory in (self.data, self.state, self.archive):
            directory.mkdir()

    def file(self, root: Path, hours: float, *, in_tree: bool, program: str = PROGRAM) -> Path:
        """A file begun so many hours ago, and written for half an hour."""
        begun = self.now - timedelta(hours=hours)
        folder = root / program / f"{begun:%Y/%m/%d/%H}" if in_tree else root
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{program}-{begun:%Y-%m-%dT%H-%M-%SZ}.jsonl.gz"
        path.write_bytes(gzip.compress(b"{}\n"))
        written = (begun + timedelta(minutes=30)).timestamp()
        os.utime(path, (written, written))
        return path

    def since(self, hours: float) -> list[Path]:
        return recent_files.since(self.now - timedelta(hours=hours), self.data, self.state, PROGRAM)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_files_are_found_in_the_data_directory_and_in_its_tree(host: Host) -> None:
    """Oldest first; those that were finished before are left out, and so are those of other programs."""
    host.file(host.data, 30, in_tree=True)
    first = host.file(host.data, 10.2, in_tree=True)
    second = host.file(host.data, 2, in_tree=False)
    host.file(host.data, 2, in_tree=False, program="bluesky-storms")
    assert host.since(10) == [first, second]


@pytest.mark.parametrize("minute", [0, 3, 30, 59])
def test_a_file_of_the_present_hour_is_found_at_any_minute(
    host: Host, monkeypatch: pytest.MonkeyPatch, minute: int
) -> None:
    """Also where the look begins late in the hour before."""
    host.now = host.now.replace(minute=minute, second=30)
    monkeypatch.setattr(recent_files.clock, "now", lambda: host.now)
    just_now = host.file(host.data, 1 / 240, in_tree=True)
    for minutes in (1, 20, 59):
        assert host.since(minutes / 60) == [just_now], minutes


def test_an_archive_elsewhere_is_looked_into_where_the_last_report_says_it_is(host: Host) -> None:
    """The job that sorts files knows; a report that cannot be read costs no start."""
    moved = host.file(host.archive, 3, in_tree=True)
    assert host.since(10) == []
    (host.state / "organize.json").write_text(json.dumps({"archive_dir": str(host.archive)}))
    assert host.since(10) == [moved]
    (host.state / "organize.json").write_bytes(b"\0" * 40)
    assert host.since(10) == []


def test_all_lines_are_read_in_order_and_what_cannot_be_is_named(host: Host) -> None:
    """From the date tree, the archive and the data directory; a damaged file costs itself."""
    for root, hours, in_tree in ((host.archive, 900, True), (host.data, 30, True), (host.data, 2, False)):
        host.file(root, hours, in_tree=in_tree).write_bytes(gzip.compress(b'{"hours":%d}\n' % hours))
    (host.state / "organize.json").write_text(json.dumps({"archive_dir": str(host.archive)}))
    host.file(host.data, 10, in_tree=True).unlink()
    broken = host.file(host.data, 5, in_tree=False)
    broken.unlink()
    broken.symlink_to(host.data / "nowhere")
    said: list[str] = []
    lines = [json.loads(line)["hours"] for line in recent_files.lines(host.data, host.state, PROGRAM, said.append)]
    assert lines == [900, 30, 2]
    assert [each.partition(": ")[0] for each in said] == [str(broken)]
