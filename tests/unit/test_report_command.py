"""The command `report`: figures and tables."""

from __future__ import annotations

import csv
import fcntl
import gzip
import hashlib
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sfm_stream.commands.report import report
from sfm_stream.record.status import Lock
from sfm_stream.settings.reports import LISTS

STORMS, DEFAULTS = "twitterfilter-storms", {"source": "x", "kind": "filterstream", "name": "storms", "credential": "c"}


def post(number: int, time: str) -> str:
    data = {
        "id": str(number),
        "author_id": "7",
        "created_at": time,
        "lang": "en",
        "entities": {"hashtags": [{"tag": "Hail"}]},
    }
    return json.dumps({"data": data, "includes": {"users": [{"id": "7", "username": "maria"}]}})


class Host:
    """A host with one filter: a journal with gaps, two versions of its settings, a sorted and a loose file."""

    def __init__(self, top: Path) -> None:
        self.top, self.config, self.state, self.data = top, top / "etc", top / "state", top / "data"
        for folder in (self.config / "streams", self.state / "journal", self.state / "history", self.data):
            folder.mkdir(parents=True)

    def settings(self, time: str, **keys: object) -> None:
        line = {"time": time, "sha256": f"{len(keys):064x}", "settings": DEFAULTS | keys}
        with (self.state / "history" / f"{STORMS}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def happened(self, time: str, event: str, **fields: object) -> None:
        with (self.state / "journal" / f"{STORMS}.jsonl").open("a") as file:
            file.write(json.dumps({"time": time, "event": event, **fields}) + "\n")

    def gap(self, start: str, end: str, cause: str, **fields: object) -> None:
        self.happened(end, "gap", start=start, end=end, seconds=600, cause=cause, **{"planned": False, **fields})

    def file(self, time: str, posts: int, *, hour: str = "", duplicates: int | None = None) -> Path:
        name = f"{STORMS}-2026-11-24T{time}Z.jsonl.gz"
        clock = time.replace("-", ":")
        raw = gzip.compress("".join(post(n, f"2026-11-24T{clock}.000Z") + "\n" for n in range(posts)).encode())
        digest = hashlib.sha256(raw).hexdigest()
        day = self.data / STORMS / "2026/11/24"
        path = day / hour / name if hour else self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        if hour:
            with (day / "SHA256SUMS").open("a") as file:
                file.write(f"{digest}  {hour}/{name}\n")
        more = {"duplicates": duplicates} if duplicates else {}
        self.happened(f"2026-11-24T{clock}.000Z", "rotate", file=name, sha256=digest, bytes=len(raw), **more)
        return path

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        places = ["--config-dir", self.config, "--state-dir", self.state, "--dir", self.data]
        command = [sys.executable, "-m", "sfm_stream", "report", *map(str, places), *options]
        return subprocess.run(command, capture_output=True, text=True)

    def figures(self, *options: str) -> dict:
        done = self.run("--json", "--from", "2026-11-24", "--to", "2026-11-24", *options)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return json.loads(done.stdout)

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.top / "out" / f"{name}.csv").open() as file:
            return list(csv.DictReader(file))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    lock = Lock(made.state, STORMS)  # the program is alive
    made.settings("2026-11-23T10:00:00Z", rules=[{"name": "main", "track": ["hail"]}])
    made.settings("2026-11-24T11:00:00Z", rules=[{"name": "main", "track": ["hail", "snow"]}], save_interval=300)
    made.happened("2026-11-24T00:00:00Z", "connect")
    made.gap("2026-11-24T01:00:00Z", "2026-11-24T01:10:00Z", "closed by X")
    made.gap("2026-11-24T02:00:00Z", "2026-11-24T02:20:00Z", "no answer", recovered=True)
    made.gap("2026-11-24T03:00:00Z", "2026-11-24T03:30:00Z", "stopped: SIGTERM", planned=True)
    made.file("12-00-00", 3, hour="12", duplicates=1)
    made.file("13-15-00", 2)
    yield made
    del lock


def test_the_figures_are_of_all_finished_files(host: Host) -> None:
    """Sorted or not; the cost is that of the settings in force."""
    (stream,) = host.figures()["streams"]
    (day,) = stream["days"]
    assert (day["files"], day["posts"], day["duplicates"], day["dollars"]) == (2, 5, 1, 0.025)
    assert sorted(stream["hours"].values()) == [2, 3]
    assert stream["tags"] == {"entries": [{"what": "hail", "posts": 5}], "floor": 0}
    assert stream["accounts"]["entries"] == [{"what": "7", "posts": 5, "name": "maria"}]
    manifest = (host.data / STORMS / "2026/11/24/SHA256SUMS").read_bytes()
    assert day["manifest"] == hashlib.sha256(manifest).hexdigest()


def test_lost_recovered_and_planned_are_told_apart(host: Host) -> None:
    """By seconds within the days of the report."""
    done = host.run("--to", "2026-11-24", "-o", str(host.top / "out"))
    assert done.returncode == 0, done.stderr
    (row,) = host.table("streams")
    assert [row[f"seconds_{kind}"] for kind in ("lost", "recovered", "planned")] == ["600.0", "1200.0", "1800.0"]
    assert {(each["kind"], each["cause"]) for each in host.table("gap-causes")} == {
        ("lost", "closed by X"), ("recovered", "no answer"), ("planned", "stopped: SIGTERM"),
    }  # fmt: skip


def test_what_was_asked_for_and_how_it_changed_is_in_it(host: Host) -> None:
    """Of the first day, what held when it began; of a change, the change; how the stream runs is named alone."""
    host.run("--from", "2026-11-24", "--to", "2026-11-24", "-o", str(host.top / "out"))
    rows = [(each["asked_for"][:10], each["key"], each["change"]) for each in host.table("asked-for")]
    assert ("2026-11-23", "rules[main].track", '+ ["hail"]') in rows
    assert ("2026-11-24", "rules[main].track", '+ "snow"') in rows
    assert ("2026-11-24", "save_interval", "") in rows
    assert not any(key == "credential" and change for _, key, change in rows)


def test_days_outside_are_left_out(host: Host) -> None:
    """Files by the day in their names, gaps by the clock."""
    done = host.run("--json", "--from", "2026-11-25", "--to", "2026-11-25")
    (stream,) = json.loads(done.stdout)["streams"]
    assert (stream["days"], stream["hours"], stream["files"]) == ([], {}, [])
    assert [gap["cause"] for gap in stream["coverage"]["gaps"]] != ["closed by X"]


def test_lists_are_left_out_for_privacy(host: Host) -> None:
    """Neither pages nor tables nor figures have them, and a table of an earlier report goes."""
    out = host.top / "out"
    host.run("-o", str(out))
    assert (out / "accounts.csv").exists()
    host.run("-o", str(out), "--without", "accounts")
    assert not (out / "accounts.csv").exists()
    assert not any("maria" in path.read_text() for path in out.iterdir())


def test_the_description_of_the_collection_is_in_it(host: Host) -> None:
    """That of the host, and that of the filter."""
    said = {"title": "Weather", "rights": "CC0", "filters": {STORMS: {"title": "Storms of autumn"}}}
    (host.config / "collection.json").write_text(json.dumps(said))
    found = host.figures()
    assert found["description"] == {"title": "Weather", "rights": "CC0"}
    assert found["streams"][0]["description"]["title"] == "Storms of autumn"


def test_a_file_that_cannot_be_read_is_a_finding(host: Host) -> None:
    """The report is made, says which, and exits with 3."""
    path = host.file("14-00-00", 500)
    path.write_bytes(path.read_bytes()[:-30])
    done = host.run("-o", str(host.top / "out"))
    assert done.returncode == 3
    assert f"{STORMS}: {path.name}: cannot be read to its end" in done.stderr
    assert host.table("volume")[0]["files_unreadable"] == "1"


def test_a_file_of_somebody_else_s_is_not_replaced(host: Host) -> None:
    """A directory that holds other pages is refused."""
    out = host.top / "out"
    out.mkdir()
    (out / "streams.csv").write_text("mine\n")
    done = host.run("-o", str(out))
    assert (done.returncode, (out / "streams.csv").read_text()) == (73, "mine\n")
    assert "which no report wrote" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Give a directory for the pages with -o"),
        (("strms", "--json"), "no files and no journal of 'strms' here; did you mean 'storms'?"),
        (("--json", "--from", "2026-11-25", "--to", "2026-11-24"), "--to 2026-11-24 is before --from 2026-11-25"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_cure(host: Host, options: tuple[str, ...], said: str) -> None:
    """Exit code 2, one line."""
    done = host.run(*options)
    assert done.returncode == 2
    assert said in done.stderr


def test_files_of_sfm_without_a_journal_are_reported(host: Host) -> None:
    """Their gaps are not known, which is not the same as none."""
    (host.state / "journal" / f"{STORMS}.jsonl").unlink()
    (stream,) = host.figures("storms")["streams"]
    assert stream["coverage"] is None
    assert sum(day["posts"] for day in stream["days"]) == 5
    assert stream["days"][0]["duplicates"] is None


def test_how_a_run_went_is_kept_for_others_to_read(host: Host) -> None:
    """Where it is well, where it found something, and where none could be made; nothing goes to the state directory."""
    kept, out = host.top / "kept", str(host.top / "out")
    host.run("-o", out, "--keep", str(kept))
    outcome = json.loads((kept / "report.json").read_text())
    assert (outcome["exit_code"], outcome["error"]) == (0, None)
    assert stat.S_IMODE((kept / "report.json").stat().st_mode) == 0o644
    assert stat.S_IMODE((kept / "summaries").stat().st_mode) == 0o700
    assert any((kept / "summaries").rglob("*.json.gz"))
    assert not (host.state / "summaries").exists()
    path = host.file("14-00-00", 500)
    path.write_bytes(path.read_bytes()[:-30])
    host.run("-o", out, "--keep", str(kept))
    outcome = json.loads((kept / "report.json").read_text())
    assert (outcome["exit_code"], "cannot be read to its end" in outcome["error"]) == (3, True)
    done = host.run("strms", "-o", out, "--keep", str(kept))
    outcome = json.loads((kept / "report.json").read_text())
    assert outcome["exit_code"] == done.returncode == 2


def test_a_run_that_another_holds_up_leaves_the_outcome_to_that(host: Host) -> None:
    """Else a report that is well would be called failed."""
    kept, out = host.top / "kept", str(host.top / "out")
    host.run("-o", out, "--keep", str(kept))
    before = (kept / "report.json").read_bytes()
    with (kept / "summaries" / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert host.run("-o", out, "--keep", str(kept)).returncode == 75
    assert (kept / "report.json").read_bytes() == before


def test_the_inventory_leaves_out_what_the_command_can() -> None:
    """The lists stand in both places: the command line imports no settings before it needs them."""
    without = next(each for each in report.params if each.name == "without")
    assert isinstance(without.type, click.Choice)
    assert tuple(without.type.choices) == LISTS
