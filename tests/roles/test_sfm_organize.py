"""The role that schedules sorting and audits: what it would do to a bare host, and what it refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.roles.role_play import run_role

pytest.importorskip("ansible")


def dry_run(tmp_path: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    # Whatever this machine has of its own stays out of it.
    variables |= {"_sfm_organize_unit_dir": str(tmp_path), "_sfm_organize_cron_file": str(tmp_path / "sfm-organize")}
    return run_role("sfm_organize", tmp_path, "--check", **variables)


def test_a_host_without_systemd_gets_a_cron_entry(tmp_path: Path) -> None:
    """As the process owner, niced, with the directories of the inventory; per cent signs survive cron."""
    run = dry_run(tmp_path, sfm_process_owner="clerk", sfm_data_dir="/srv/sfm%1", sfm_organize_schedule="30min")
    assert run.returncode == 0, run.stdout
    assert "+7,37 * * * * clerk umask 0027; nice -n 10 ionice" in run.stdout
    assert r"organizedata --dir /srv/sfm\%1 --state-dir" in run.stdout
    assert "audit --dir" in run.stdout
    assert ".timer" not in run.stdout.partition("Write the cron entry")[2]


def test_a_host_with_systemd_gets_timers(tmp_path: Path) -> None:
    """One for sorting, one for the audit, both catching up on what a host that was off has missed."""
    run = dry_run(tmp_path, service_mgr="systemd", sfm_archive_dir="/mnt/archive/sfm", sfm_organize_audit_sample=5)
    assert run.returncode == 0, run.stdout
    assert "+ExecStart=/opt/sfm/current/bin/sfm-stream organizedata" in run.stdout
    assert "--archive-dir /mnt/archive/sfm --sample 5" in run.stdout
    assert "+RequiresMountsFor=/mnt/archive/sfm" in run.stdout
    assert "+OnCalendar=*:17" in run.stdout
    assert run.stdout.count("+Persistent=true") == 2


def test_no_schedule_writes_nothing(tmp_path: Path) -> None:
    """On a host that has none, there is nothing to take away either."""
    run = dry_run(tmp_path, sfm_organize_enabled=False)
    assert run.returncode == 0, run.stdout
    assert "changed=0" in run.stdout


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"sfm_organize_schedule_kind": "systemd"}, "here it is sysvinit"),
        ({"sfm_archive_dir": "archive"}, '"archive"'),
        ({"sfm_organize_audit_sample": 101}, "101"),
        (
            {"sfm_organize_schedule": "weekly"},
            "value of sfm_organize_schedule must be one of: 15min, 30min, hourly, daily",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, variables: dict[str, object], named: str) -> None:
    """With the value found and what is allowed."""
    run = dry_run(tmp_path, **variables)
    assert run.returncode == 2
    assert named in " ".join(run.stdout.replace('\\"', '"').split())
