"""What files hold, counted once and kept."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from datetime import date
from pathlib import Path

import pytest

from sfm_stream.errors import LockedError
from sfm_stream.report import summary_files
from sfm_stream.report.summary import DaySummary, FileSummary, Tally, count
from sfm_stream.report.summary_files import find, summarize
from sfm_stream.report.summary_store import Store
from sfm_stream.sources import registry

STORMS, DAY = "twitterfilter-storms", date(2026, 11, 24)
X = registry.source("x")


def post(number: int, time: str = "2026-11-24T12:10:00.000Z", tag: str = "hail", author: str = "7") -> bytes:
    entities = {"hashtags": [{"tag": tag}]}
    data = {"id": str(number), "author_id": author, "created_at": time, "lang": "en", "entities": entities}
    return json.dumps({"data": data, "includes": {"users": [{"id": author, "username": f"u{author}"}]}}).encode()


class Host:
    def __init__(self, top: Path) -> None:
        self.data, self.state = top / "data", top / "state"
        self.data.mkdir()
        (self.state / "journal").mkdir(parents=True)
        self.store = Store(self.state)
        self.read: list[str] = []

    def file(self, time: str, lines: list[bytes], *, hour: str = "", journal: bool = True) -> Path:
        name = f"{STORMS}-2026-11-24T{time}Z.jsonl.gz"
        raw = gzip.compress(b"\n".join([*lines, b""]))
        day = self.data / STORMS / "2026/11/24"
        path = day / hour / name if hour else self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        digest = hashlib.sha256(raw).hexdigest()
        if hour:
            with (day / "SHA256SUMS").open("a") as file:
                file.write(f"{digest}  {hour}/{name}\n")
        if journal:
            entry = {
                "time": "2026-11-24T13:00:00Z",
                "event": "rotate",
                "file": name,
                "sha256": digest,
                "bytes": len(raw),
            }
            with (self.state / "journal" / f"{STORMS}.jsonl").open("a") as file:
                file.write(json.dumps({**entry, "duplicates": 1}) + "\n")
        return path

    def summary(self) -> DaySummary:
        place = find(STORMS, str(self.data), str(self.data), self.state, None, None)
        assert place.faults == []
        return summarize(STORMS, DAY, place.days[DAY], X, self.store)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    real = summary_files.lines_of
    monkeypatch.setattr(summary_files, "lines_of", lambda path: made.read.append(Path(path).name) or real(path))
    return made


def test_a_file_is_counted_by_hour_language_tag_and_account(host: Host) -> None:
    """With what is no post apart."""
    host.file(
        "12-00-00", [post(1), post(2, "2026-11-24T13:00:00.000Z", author="8"), b'{"errors":[{"title":"x"}]}', b"{"]
    )
    found = host.summary()
    (file,) = found.files.values()
    assert (sorted(file.hours.values()), file.posts, file.notices, file.others) == ([1, 1], 2, 1, 1)
    assert found.langs.counts == {"en": 2}
    assert found.tags.counts == {"hail": 2}
    assert (found.accounts.counts, found.names) == ({"7": 1, "8": 1}, {"7": "u7", "8": "u8"})


def test_a_second_report_reads_only_what_is_new(host: Host) -> None:
    """A file that was sorted meanwhile is the same file; the numbers are those of reading all of it."""
    loose = host.file("12-00-00", [post(1)])
    host.summary()
    loose.unlink()
    host.file("12-00-00", [post(1)], hour="12", journal=False)
    host.file("12-15-00", [post(2, tag="rain")])
    host.read.clear()
    found = host.summary()
    assert [name[-18:] for name in host.read] == ["12-15-00Z.jsonl.gz"]
    assert found.tags.counts == {"hail": 1, "rain": 1}
    host.read.clear()
    again = host.summary()
    assert (host.read, again) == ([], found)


def test_a_day_is_read_again_where_a_file_was_changed_or_taken_away(host: Host) -> None:
    """After a takedown, nothing of what is gone stays in the counts."""
    host.file("12-00-00", [post(1)], hour="12")
    gone = host.file("12-15-00", [post(2, tag="secret")], hour="12")
    assert "secret" in host.summary().tags.counts
    gone.write_bytes(gzip.compress(post(3, tag="harmless") + b"\n"))
    assert "secret" not in host.summary().tags.counts
    gone.unlink()
    assert set(host.summary().tags.counts) == {"hail"}


def test_a_file_that_ends_too_soon_is_counted_as_far_as_it_goes_and_named(host: Host) -> None:
    """What could not be read is a fault of the file, not an end of the report."""
    path = host.file("12-00-00", [post(number) for number in range(2000)], journal=False)
    path.write_bytes(path.read_bytes()[:-200])
    (file,) = host.summary().files.values()
    assert file.fault
    assert 0 < file.posts < 2000


def test_a_file_with_altered_bytes_is_counted_up_to_them_and_named(host: Host) -> None:
    """As above, where the compression itself is damaged."""
    path = host.file("12-00-00", [post(number) for number in range(2000)], journal=False)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 :] = b"\xff" * (len(raw) - len(raw) // 2)
    path.write_bytes(raw)
    (file,) = host.summary().files.values()
    assert file.fault
    assert 0 < file.posts < 2000


def test_a_damaged_record_is_made_anew(host: Host) -> None:
    """Summaries can be thrown away at any time."""
    host.file("12-00-00", [post(1)])
    before = host.summary()
    (kept,) = (host.state / "summaries" / STORMS).iterdir()
    kept.write_bytes(b"\x1f\x8bnot gzip")
    assert host.summary() == before


def test_files_that_are_listed_and_gone_and_segments_are_told(host: Host) -> None:
    """A part of the day that is not there is no part of the counts."""
    host.file("12-00-00", [post(1)], hour="12").unlink()
    (host.data / f"{STORMS}-2026-11-24T12-30-00Z.jsonl.gz.part").touch()
    place = find(STORMS, str(host.data), str(host.data), host.state, None, None)
    assert [name[-18:] for name in place.missing] == ["12-00-00Z.jsonl.gz"]
    assert place.writing == 1


def test_a_link_or_a_pipe_under_a_file_s_name_is_not_followed(host: Host) -> None:
    """It is named; nothing hangs."""
    os.mkfifo(host.data / f"{STORMS}-2026-11-24T12-45-00Z.jsonl.gz")
    (host.data / f"{STORMS}-2026-11-24T12-50-00Z.jsonl.gz").symlink_to("/etc/hostname")
    place = find(STORMS, str(host.data), str(host.data), host.state, None, None)
    assert len(place.faults) == 2
    assert not place.days


def test_a_tally_that_was_cut_says_by_how_much_it_may_be_too_low() -> None:
    """The largest that was left out."""
    cut = Tally({"a": 9, "b": 5, "c": 5, "d": 1}).cut(2)
    assert (cut.counts, cut.floor) == ({"a": 9, "b": 5}, 5)
    cut.add(Tally({"c": 4}, floor=2))
    assert (cut.top(2), cut.floor) == ([("a", 9), ("b", 5)], 7)


def test_lines_that_break_off_leave_what_came_before() -> None:
    """An error of reading ends a file, and is its fault."""

    def lines():
        yield post(1)
        raise EOFError("ended before the end-of-stream marker was reached")

    file = FileSummary()
    count(lines(), X.features, file)
    assert (file.posts, file.fault) == (1, "ended before the end-of-stream marker was reached")


def test_two_reports_at_a_time_are_refused(host: Host) -> None:
    """The second is told to wait."""
    with host.store.alone(), pytest.raises(LockedError, match="another report"), Store(host.state).alone():
        pass


def test_who_may_not_keep_summaries_reports_all_the_same(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of the archive has no right to write the state directory."""
    host.file("12-00-00", [post(1)])

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sfm_stream.report.summary_store.replace_file", refuse)
    assert host.summary().langs.counts == {"en": 1}
    assert "Permission denied" in host.store.fault
