"""The role that makes the pages of a report each night: what it would do to a host, what it makes, what it refuses."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.roles.reader import ROOT, as_nobody, let_read, require_python, written
from tests.roles.role_play import run_role
from tests.support.collected import Collecting, Host
from tests.support.passable import passable

pytest.importorskip("ansible")


@pytest.fixture
def here() -> Iterator[Path]:
    """A directory that the user who makes the pages can pass."""
    with passable() as place:
        yield place


def run(here: Path, *options: str, tasks: str = "main", **variables: object) -> subprocess.CompletedProcess[str]:
    """Runs tasks of the role with a user of this machine in the place of one that would be made."""
    own: dict[str, object] = {
        "_sfm_report_unit_dir": str(here),
        "_sfm_report_cron_file": str(here / "sfm-report"),
        "sfm_report_user": "nobody",
        "sfm_group": "nogroup",
    }
    return run_role("sfm_report", here, *options, tasks=tasks, **{**own, **variables})


def test_without_a_directory_for_the_pages_nothing_is_done(here: Path) -> None:
    """Neither a user nor a schedule."""
    done = run(here, "--check")
    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout


def test_a_host_without_systemd_gets_a_cron_entry(here: Path) -> None:
    """Each night, as the user of the pages, with the directories of the inventory; per cent signs survive cron."""
    done = run(here, "--check", sfm_report_dir="/srv/sfm/r%1", sfm_archive_dir="/mnt/a", sfm_report_without=["tags"])
    assert done.returncode == 0, done.stdout
    assert "+41 2 * * * nobody umask 0027; nice -n 15 ionice -c 3 /opt/sfm/current/bin/sfm-stream report" in done.stdout
    assert r"-o /srv/sfm/r\%1 --keep /srv/sfm/r\%1/.kept --config-dir /etc/sfm" in done.stdout
    assert "--archive-dir /mnt/a --without tags" in done.stdout
    assert "nobody:nogroup 2751" in done.stdout


def test_a_host_with_systemd_gets_a_timer(here: Path) -> None:
    """It catches up on what a host that was off has missed; nothing but the pages can be written."""
    done = run(here, "--check", service_mgr="systemd", sfm_report_dir="/srv/sfm/report")
    assert done.returncode == 0, done.stdout
    for line in ("OnCalendar=*-*-* 02:41", "Persistent=true", "User=nobody", "ReadWritePaths=/srv/sfm/report"):
        assert f"\n+{line}\n" in done.stdout, line
    assert "+InaccessiblePaths=-/etc/sfm/credentials" in done.stdout


def test_a_schedule_that_is_no_longer_asked_for_is_taken_away(here: Path) -> None:
    """Of either kind, and the pages stay."""
    for name in ("sfm-report", "sfm-report.timer", "sfm-report.service"):
        (here / name).touch()
    (here / "pages").mkdir()
    done = run(here, sfm_report_dir="")
    assert done.returncode == 0, done.stdout
    assert [path.name for path in here.iterdir() if path.name.startswith("sfm-report")] == []
    assert (here / "pages").exists()
    assert "changed=0" in run(here, sfm_report_dir="").stdout


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"sfm_report_group": "no-such-group"}, "there is no group no-such-group on localhost"),
        ({"sfm_report_schedule_kind": "systemd"}, "say auto or cron"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_changed(
    here: Path, variables: dict[str, object], said: str
) -> None:
    """By name, with what to do."""
    done = run(here, sfm_report_dir=str(here / "pages"), **variables)
    assert done.returncode == 2
    assert said in " ".join(done.stdout.split())
    assert not (here / "pages").exists()


@ROOT
def test_a_directory_that_holds_what_is_somebody_else_s_is_refused(here: Path) -> None:
    """Its owner would lose it to the user of the pages."""
    (here / "pages").mkdir()
    (here / "pages" / "thesis.txt").touch()
    os.chown(here / "pages", 1, 1)
    done = run(here, tasks="look", sfm_report_dir=str(here / "pages"))
    assert done.returncode == 2
    assert "belongs to daemon and holds nothing of ours" in " ".join(done.stdout.split())


@ROOT
def test_pages_of_an_earlier_user_are_handed_over(here: Path) -> None:
    """With what is kept beside them; else the new user could neither replace nor read it."""
    pages = here / "pages"
    (pages / ".kept" / "summaries").mkdir(parents=True)
    for path in (pages / "report.json", pages / ".sfm-report.json", pages / ".kept" / "report.json"):
        path.write_text("[]")
    for path in (pages, *pages.rglob("*")):
        os.chown(path, 1, 1)
    done = run(here, tasks="place", sfm_report_dir=str(pages))
    assert done.returncode == 0, done.stdout
    assert {path.owner() for path in (pages, *pages.rglob("*"))} == {"nobody"}


@ROOT
def test_the_pages_are_made_by_a_user_who_can_write_nothing_else(here: Path) -> None:
    """By the very command of the schedule; another user may read how it went, and nothing besides."""
    require_python()
    collected = Host(here, date(2026, 11, 24), 2)
    collected.collect(Collecting("x", "storms", 300))
    let_read(collected)
    pages = here / "pages"
    variables = {
        "sfm_report_dir": str(pages),
        "sfm_config_dir": str(collected.config),
        "sfm_data_dir": str(collected.data),
        "sfm_state_dir": str(collected.state),
        "service_mgr": "systemd",
    }
    predicted = run(here, "--check", tasks="place", **variables)
    assert not pages.exists()
    made = run(here, tasks="place", **variables)
    assert "changed=1" in predicted.stdout, predicted.stdout
    assert "changed=1" in made.stdout, made.stdout
    assert "changed=0" in run(here, tasks="place", **variables).stdout

    shown = run(here, "--check", **variables).stdout
    (line,) = [each for each in shown.splitlines() if each.startswith("+ExecStart=")]
    command = [sys.executable, "-m", "sfm_stream", *shlex.split(line)[1:]]

    before = written(collected)
    for _ in range(2):
        done = as_nobody(*command)
        assert (done.returncode, done.stderr) == (0, "")
    assert "posts of 1 stream" in done.stdout
    assert written(collected) == before
    assert json.loads((pages / "report.json").read_text())["streams"][0]["program"] == "twitterfilter-storms"

    readable = [path for path in (pages, *pages.rglob("*")) if path.stat().st_mode & stat.S_IROTH]
    assert readable == [pages / ".kept" / "report.json"]
    assert stat.S_IMODE((pages / ".kept" / "summaries").stat().st_mode) == 0o700
    assert json.loads((pages / ".kept" / "report.json").read_text())["exit_code"] == 0
    assert as_nobody("touch", collected.data / "x").returncode == 1
