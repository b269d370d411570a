"""The role that makes exports and the dataset by the clock: what it would do to a host, what is made, by whom."""

from __future__ import annotations

import gzip
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

WEEKLY = {"name": "weekly", "filter": "storms"}

pytest.importorskip("ansible")


@pytest.fixture
def here() -> Iterator[Path]:
    """A directory that the user who exports can pass."""
    with passable() as place:
        yield place


def run(here: Path, *options: str, tasks: str = "main", **variables: object) -> subprocess.CompletedProcess[str]:
    """Runs tasks of the role with a user of this machine in the place of one that would be made."""
    resolved = [{**WEEKLY, "program": "twitterfilter-storms"}] if variables.get("sfm_exports") else []
    own: dict[str, object] = {
        "_sfm_export_unit_dir": str(here),
        "_sfm_export_cron_file": str(here / "sfm-export"),
        "_sfm_plan": {"hosts": {"localhost": {"exports": resolved}}},
        "sfm_config_dir": str(here / "etc"),
        "sfm_export_user": "nobody",
        "sfm_group": "nogroup",
    }
    return run_role("sfm_export", here, *options, tasks=tasks, **{**own, **variables})


def test_without_exports_and_dataset_nothing_is_done(here: Path) -> None:
    """Neither a user nor a schedule."""
    done = run(here, "--check")
    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout


def test_a_host_without_systemd_gets_cron_entries(here: Path) -> None:
    """Each night, as the user of the exports, with the directories of the inventory; per cent signs survive cron."""
    done = run(here, "--check", sfm_exports=[WEEKLY], sfm_export_dir="/srv/sfm/e%1", sfm_dataset_dir="/srv/sfm/dataset")
    assert done.returncode == 0, done.stdout
    assert (
        "+41 3 * * * nobody umask 0027; nice -n 15 ionice -c 3 /opt/sfm/current/bin/sfm-stream exports run"
        in done.stdout
    )
    assert "sfm-stream dataset sync --to /srv/sfm/dataset --keep /srv/sfm/dataset/.kept --config-dir" in done.stdout
    assert done.stdout.count("nobody:nogroup 2751") == 2


def test_a_host_with_systemd_gets_timers(here: Path) -> None:
    """Each job can write its own directory and nothing else."""
    there = {"sfm_export_dir": "/srv/sfm/exports", "sfm_dataset_dir": "/srv/sfm/dataset"}
    done = run(here, "--check", service_mgr="systemd", sfm_exports=[WEEKLY], **there)
    assert done.returncode == 0, done.stdout
    for line in (
        "OnCalendar=*-*-* 03:41",
        "OnCalendar=*-*-* 04:11",
        *(f"ReadWritePaths={each}" for each in there.values()),
    ):
        assert f"\n+{line}\n" in done.stdout, line
    assert done.stdout.count("\n+User=nobody\n") == 2


def test_what_is_no_longer_asked_for_is_no_longer_made(here: Path) -> None:
    """What was made stays."""
    (here / "etc").mkdir()
    (here / "etc" / "exports.json").touch()
    for name in ("sfm-export", "sfm-export.timer", "sfm-export.service", "sfm-dataset.timer", "sfm-dataset.service"):
        (here / name).touch()
    (here / "exports").mkdir()
    done = run(here)
    assert done.returncode == 0, done.stdout
    assert {path.name for path in here.iterdir() if path.name.startswith("sfm-")} == set()
    assert not (here / "etc" / "exports.json").exists()
    assert (here / "exports").exists()
    assert "changed=0" in run(here).stdout


def test_a_group_that_is_not_there_is_refused_before_anything_is_changed(here: Path) -> None:
    """By the variable's name."""
    done = run(here, sfm_dataset_dir=str(here / "dataset"), sfm_export_group="no-such-group")
    assert done.returncode == 2
    assert "sfm_export_group: there is no group no-such-group on localhost" in " ".join(done.stdout.split())
    assert not (here / "dataset").exists()


@ROOT
def test_exports_and_dataset_are_made_by_a_user_who_can_write_nothing_else(here: Path) -> None:
    """By the very commands of the schedule; another user may read how it went, and nothing besides."""
    require_python()
    collected = Host(here, date(2026, 11, 9), 9)
    collected.collect(Collecting("x", "storms", 60))
    let_read(collected)
    exports, dataset = here / "exports", here / "dataset"
    variables = {
        "sfm_exports": [WEEKLY],
        "sfm_export_dir": str(exports),
        "sfm_dataset_dir": str(dataset),
        "sfm_config_dir": str(collected.config),
        "sfm_data_dir": str(collected.data),
        "sfm_state_dir": str(collected.state),
        "service_mgr": "systemd",
    }
    shown = run(here, "--check", **variables).stdout
    commands = [shlex.split(each)[1:] for each in shown.splitlines() if each.startswith("+ExecStart=")]
    assert len(commands) == 2
    for tasks in ("place", "settings"):
        made = run(here, tasks=tasks, **variables)
        assert "changed=1" in made.stdout, made.stdout
        assert "changed=0" in run(here, tasks=tasks, **variables).stdout

    before = written(collected)
    for command in commands * 2:
        done = as_nobody(sys.executable, "-m", "sfm_stream", *command)
        assert (done.returncode, done.stderr) == (0, "")
    assert written(collected) == before
    (table,) = (exports / "weekly").glob("*.csv")
    assert table.read_text().count("\n") >= 1
    files = [each for each in collected.data.rglob("*.gz") if gzip.decompress(each.read_bytes())]
    assert len(list(dataset.rglob("*.parquet"))) == len(files)

    outcomes = [exports / ".kept" / "export.json", dataset / ".kept" / "dataset.json"]
    everything = [path for top in (exports, dataset) for path in (top, *top.rglob("*"))]
    assert [path for path in everything if path.stat().st_mode & stat.S_IROTH] == outcomes
    assert [json.loads(each.read_text())["exit_code"] for each in outcomes] == [0, 0]
    assert as_nobody("touch", collected.data / "x").returncode == 1
    os.chown(exports, 1, 1)
    exports.chmod(0o2755)
    refused = as_nobody(sys.executable, "-m", "sfm_stream", *commands[0])
    assert refused.returncode == 77
    assert f"{exports} belongs to daemon, who alone may write there: sudo sfm-stream exports run" in refused.stderr
