"""`sfm-stream exports`: what the inventory asks for by schedule is made when it is due, whole, and once."""

from __future__ import annotations

import csv
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sfm_stream import clock
from sfm_stream.cli import cli
from tests.support.collected import Collecting, Host

PROGRAM = "twitterfilter-storms"
WEEK = "weekly/weekly-2026-W47.csv"


class Exports:
    """A host on which two weeks were collected, and its exports."""

    def __init__(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = datetime(2026, 11, 23, 3, 41, tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: self._now)
        self.host = Host(here, date(2026, 11, 9), 14, minutes=360)
        self.host.collect(Collecting("x", "storms", 20))
        self.root = here / "exports"
        self.root.mkdir()
        self.declare({"name": "weekly"})

    def declare(self, *exports: dict[str, Any]) -> None:
        """What the inventory says, as the role writes it."""
        declared = [{"filter": "storms", "program": PROGRAM} | each for each in exports]
        settings = {"directory": str(self.root), "exports": declared}
        (self.host.config / "exports.json").write_text(json.dumps(settings))

    def at(self, day: int, hour: int = 3, minute: int = 41) -> None:
        """The time goes on."""
        self._now = datetime(2026, 11, day, hour, minute, tzinfo=UTC)

    def run(self, *options: str) -> Result:
        done = CliRunner().invoke(cli, ["exports", "run", *self.host.options, *options])
        assert done.exception is None or isinstance(done.exception, SystemExit) or done.exit_code == 1, done.output
        return done

    def list(self) -> list[dict[str, Any]]:
        done = CliRunner().invoke(cli, ["exports", "list", "--json", "--config-dir", str(self.host.config)])
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def files(self) -> set[str]:
        return {
            str(path.relative_to(self.root))
            for path in self.root.glob("*/*")
            if path.parent.name != ".kept" and path.name not in ("datapackage.json", "README.md")
        }

    @property
    def outcome(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / ".kept" / "export.json").read_text())
        return found


@pytest.fixture
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exports:
    return Exports(tmp_path, monkeypatch)


def test_a_week_that_is_over_becomes_a_file_with_its_posts_and_no_others(exports: Exports) -> None:
    """As export makes it, with descriptor and README; a second run makes nothing."""
    assert exports.list() == [
        {"name": "weekly", "filter": "storms", "format": "csv", "span": "week", "newest": None, "due": [WEEK[7:]]}
    ]
    done = exports.run()
    assert done.exception is None, done.output
    assert done.stdout.startswith("1 file made (")
    assert exports.files() == {WEEK}
    rows = list(csv.DictReader((exports.root / WEEK).read_text().splitlines()))
    assert len(rows) > 50
    assert {row["time"][:10] for row in rows} == {f"2026-11-{day}" for day in range(16, 23)}
    (resource,) = json.loads((exports.root / "weekly" / "datapackage.json").read_text())["resources"]
    assert resource["sfm-stream"]["rows"] == len(rows)
    before = (exports.root / WEEK).stat().st_ino
    assert exports.run().stdout.startswith("0 files made")
    assert (exports.root / WEEK).stat().st_ino == before
    assert exports.list()[0] | {"newest": WEEK, "due": []} == exports.list()[0]


def test_a_person_sees_what_there_is_and_what_is_due(exports: Exports) -> None:
    """A row for each, and where they lie."""
    exports.declare({"name": "weekly"}, {"name": "ids", "span": "all", "format": "ids"})
    exports.run("weekly")
    done = CliRunner().invoke(cli, ["exports", "list", "--config-dir", str(exports.host.config)])
    head, weekly, ids, where = done.stdout.splitlines()
    assert head.split() == ["EXPORT", "FILTER", "FORMAT", "SPAN", "NEWEST", "FILE", "DUE"]
    assert weekly.split() == ["weekly", "storms", "csv", "week", WEEK, "-"]
    assert ids.split() == ["ids", "storms", "ids", "all", "-", "ids-ids.txt"]
    assert where == f"below {exports.root}"


def test_a_file_that_somebody_removed_is_made_again_with_the_same_bytes(exports: Exports) -> None:
    """It was a function of what was collected."""
    exports.run()
    before = (exports.root / WEEK).read_bytes()
    (exports.root / WEEK).unlink()
    exports.run()
    assert (exports.root / WEEK).read_bytes() == before


def test_a_stream_without_a_post_gives_an_empty_table(exports: Exports) -> None:
    """So that one can see that there was none."""
    exports.declare({"name": "none", "filter": "hail", "program": "twitterfilter-hail"})
    assert exports.run().exception is None
    assert len((exports.root / "none" / "none-2026-W47.csv").read_text().splitlines()) == 1


def test_one_export_that_cannot_be_made_keeps_no_other_from_it(exports: Exports) -> None:
    """It is told, by name, in status as well."""
    exports.declare({"name": "secret", "pseudonymise": "/no/such/key"}, {"name": "weekly"})
    done = exports.run()
    assert done.exit_code == 1
    assert "secret: /no/such/key: there is no such key file; make one: " in str(done.exception)
    assert exports.files() == {WEEK}
    assert exports.outcome["exit_code"] == 3
    assert [(each["name"], each["made"]) for each in exports.outcome["exports"]] == [
        ("secret", []),
        ("weekly", [WEEK[7:]]),
    ]


def test_a_damaged_capture_file_is_told_and_costs_no_row_but_its_own(exports: Exports) -> None:
    """The file is made of what can be read."""
    victim = min(exports.host.data.rglob(f"{PROGRAM}-2026-11-18*.gz"))
    victim.write_bytes(victim.read_bytes()[:-20])
    done = exports.run()
    assert victim.name in str(done.exception)
    assert exports.files() == {WEEK}
    assert exports.outcome["exit_code"] == 3


@contextmanager
def running(exports: Exports, program: str = PROGRAM) -> Iterator[None]:
    """The program holds its name."""
    with (exports.host.state / "lock" / f"{program}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_a_span_waits_for_the_file_that_is_being_written(exports: Exports) -> None:
    """A week without its last minutes would never be made whole."""
    part = exports.host.data / f"{PROGRAM}-2026-11-22T23-45-00Z.jsonl.gz.part"
    part.touch()
    with running(exports):
        done = exports.run()
        assert done.exception is None
        assert f"note: weekly-2026-W47.csv waits: {part} is not finished" in done.stderr
        assert exports.files() == set()
        part.unlink()
        exports.run()
    assert exports.files() == {WEEK}


def test_a_span_waits_while_an_outage_may_still_be_made_good(exports: Exports) -> None:
    """But no longer than its source would send again what was missed."""
    birds = Collecting("bluesky", "birds", 20)
    exports.host.collect(birds)
    exports.declare({"name": "weekly", "filter": "birds", "program": birds.program})
    away = "2026-11-22T23:30:00.000000Z"
    entry = {"time": away, "event": "disconnect", "reason": "timeout", "planned": False, "last_byte": away}
    with (exports.host.state / "journal" / f"{birds.program}.jsonl").open("a") as file:
        file.write(json.dumps(entry) + "\n")
    with running(exports, birds.program):
        assert "there has been no connection since 2026-11-22T23:30:00Z" in exports.run().stderr
        exports.at(25)
        assert exports.run().stdout.startswith("1 file made")


def test_what_a_dead_program_left_behind_is_told(exports: Exports) -> None:
    """It would wait for ever."""
    (exports.host.data / f"{PROGRAM}-2026-11-22T23-45-00Z.jsonl.gz.part").touch()
    done = exports.run()
    assert f"{PROGRAM} left" in str(done.exception)
    assert "finishes it when it is started again" in str(done.exception)


def test_a_span_that_has_only_just_ended_waits(exports: Exports) -> None:
    """What was sent in its last second may be on its way."""
    exports.at(23, 0, 20)
    assert "its span has only just ended" in exports.run().stderr


def test_one_is_made_by_name(exports: Exports) -> None:
    """The outcome of all stays as it was; a name that there is not is told with the nearest."""
    exports.declare({"name": "weekly"}, {"name": "daily", "span": "day"})
    exports.run("daily")
    assert exports.files() == {"daily/daily-2026-11-22.csv"}
    assert not (exports.root / ".kept").exists()
    assert "no scheduled export 'weekli'; did you mean 'weekly'?" in str(exports.run("weekli").exception)


def test_two_runs_at_once_are_one_too_many(exports: Exports) -> None:
    """The second one says so, and changes no outcome."""
    with (exports.root / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another `exports run` is at work" in str(exports.run().exception)
    assert not (exports.root / ".kept" / "export.json").exists()


def test_a_host_without_exports_says_how_to_have_some(exports: Exports) -> None:
    """In the inventory."""
    (exports.host.config / "exports.json").unlink()
    assert "no exports are scheduled on this host; in the inventory: sfm_exports" in str(exports.run().exception)


def test_the_clock_of_status_is_that_of_the_run(exports: Exports) -> None:
    """The outcome can be read by everybody, and nothing besides."""
    exports.run()
    assert exports.outcome["time"] == "2026-11-23T03:41:00.000Z"
    assert (exports.root / ".kept").stat().st_mode & 0o777 == 0o711
    assert (exports.root / ".kept" / "export.json").stat().st_mode & 0o777 == 0o644
    assert timedelta(seconds=exports.outcome["seconds"]) >= timedelta(0)
