"""The role that has a host looked at each minute: what it would do to a host, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from sfm_stream.report.look import HostInputs
from sfm_stream.settings.config import read_alerts
from sfm_stream.settings.host import alert_path
from tests.roles.role_play import run_role

pytest.importorskip("ansible")


def run(tmp_path: Path, *options: str, tasks: str = "main", **variables: object) -> subprocess.CompletedProcess[str]:
    (tmp_path / "etc").mkdir(exist_ok=True)
    # Whatever this machine has of its own stays out of it.
    own: dict[str, object] = {
        "_sfm_monitor_unit_dir": str(tmp_path),
        "_sfm_monitor_cron_file": str(tmp_path / "sfm-monitor"),
        "_sfm_monitor_exporter_dir": str(tmp_path / "exporter"),
        "sfm_config_dir": str(tmp_path / "etc"),
        "sfm_group": "root",
    }
    return run_role("sfm_monitor", tmp_path, *options, tasks=tasks, **{**own, **variables})


def test_a_host_without_systemd_gets_a_cron_entry(tmp_path: Path) -> None:
    """For what is asked: alerts where there is a way to send them, metrics where there is a place for them."""
    done = run(tmp_path, "--check", sfm_alert_mail=["me@example.org"], sfm_metrics_dir="/srv/metrics")
    assert done.returncode == 0, done.stdout
    assert "+* * * * * root umask 0027; nice -n 5 /opt/sfm/current/bin/sfm-stream alert --config-dir" in done.stdout
    assert "sfm-stream metrics --textfile /srv/metrics --config-dir" in done.stdout
    assert ".timer" not in done.stdout.partition("Write the cron entry")[2]


def test_a_host_with_systemd_gets_timers(tmp_path: Path) -> None:
    """Each minute; as root, who alone may ask supervisord."""
    done = run(tmp_path, "--check", service_mgr="systemd", sfm_alert_command="/bin/tell", sfm_metrics_dir="/srv/m")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("+OnCalendar=minutely") == 2
    assert "+ExecStart=/opt/sfm/current/bin/sfm-stream alert --config-dir" in done.stdout
    assert "User=" not in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="the role gives files to root")
def test_commands_are_told_what_the_inventory_says_of_the_host(tmp_path: Path) -> None:
    """They read what is written; a secret shows in no output; a second run changes nothing; a change takes it away."""
    variables = {
        "sfm_alert_urls": ["ntfys://token-of-mine@ntfy.example.org/topic"],
        "sfm_alert_digest": "07:30",
        "sfm_alert_gap": 600,
        "sfm_organize_schedule": "30min",
        "sfm_organize_audit": False,
        "sfm_supervisor_config": "",
        "_sfm_monitor_jobs": [],
    }
    done = run(tmp_path, "-vvv", **variables)
    assert done.returncode == 0, done.stdout
    assert "token-of-mine" not in done.stdout.replace(json.dumps(variables["sfm_alert_urls"]), "")
    host = HostInputs(tmp_path / "etc")
    assert host.faults == []
    assert host.settings.limits.gap == 600
    assert {name: job.every for name, job in host.settings.jobs.items()} == {"organize": 1800}
    assert host.settings.alerts == "apprise"
    alerts = read_alerts(alert_path(tmp_path / "etc"))
    assert alerts is not None
    assert (list(map(str.__str__, alerts.urls)), alerts.digest) == (variables["sfm_alert_urls"], "07:30")
    assert "changed=0" in run(tmp_path, **variables).stdout
    assert run(tmp_path, **{**variables, "sfm_alert_urls": []}).returncode == 0
    assert read_alerts(alert_path(tmp_path / "etc")) is None


def test_work_that_is_under_way_is_marked_and_unmarked(tmp_path: Path) -> None:
    """Neither counts as a change, and a dry run does neither."""
    assert "changed=0" in run(tmp_path, "--check", tasks="planned").stdout
    assert HostInputs(tmp_path / "etc").planned is None
    assert "changed=0" in run(tmp_path, tasks="planned").stdout
    host = HostInputs(tmp_path / "etc")
    assert (host.planned is not None, host.faults) == (True, [])
    assert "changed=0" in run(tmp_path, tasks="done").stdout
    assert HostInputs(tmp_path / "etc").planned is None


def test_metrics_that_nobody_renews_are_taken_away(tmp_path: Path) -> None:
    """They would seem to hold for ever."""
    exporter = tmp_path / "exporter"
    exporter.mkdir()
    (exporter / "sfm.prom").touch()
    (exporter / "apt.prom").touch()
    assert run(tmp_path, tasks="remove").returncode == 0
    assert [path.name for path in exporter.iterdir()] == ["apt.prom"]


def test_a_host_without_our_directories_is_told_what_would_be(tmp_path: Path) -> None:
    """As before the first deployment."""
    done = run(tmp_path, "--check", sfm_config_dir=str(tmp_path / "gone"))
    assert done.returncode == 0, done.stdout
    assert f"{tmp_path}/gone/host.json would be written" in " ".join(done.stdout.split())


def test_systemd_is_refused_where_it_does_not_run(tmp_path: Path) -> None:
    """By name, with what is allowed."""
    done = run(tmp_path, "--check", sfm_monitor_schedule_kind="systemd")
    assert done.returncode == 2
    assert "say auto or cron" in " ".join(done.stdout.split())
