"""Each trouble produced for real, and seen in `status`, `check`, `metrics` and `alert` alike."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sfm_stream import clock
from tests.support.program import Program
from tests.support.simulator import Simulator
from tests.support.waiting import until

SUPERVISORD = """
[unix_http_server]
file={here}/s.sock
[supervisord]
nodaemon=true
logfile={here}/supervisord.log
pidfile={here}/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{here}/s.sock
[program:twitterfilter-storms]
command={bin}/sfm-stream filterstream storms --save --config-dir {here}
environment=SFM_DIGEST="d"
startsecs=1
autorestart=false
stderr_logfile={here}/log
"""
BIN = Path(sys.executable).parent
PROGRAM = "twitterfilter-storms"


class Watched:
    """A host with one stream under a supervisord of its own; alerts go to a file."""

    def __init__(self, here: Path, x: Simulator) -> None:
        self.here = here
        self.x = x
        self.program = Program(here, x.url)
        self.alerts = here / "told"
        self._daemon: subprocess.Popen[bytes] | None = None
        (here / "supervisord.conf").write_text(SUPERVISORD.format(here=here, bin=BIN))
        self.expect()
        (here / "tell").write_text(f"#!/bin/sh\ncat >>{self.alerts}\n")
        (here / "tell").chmod(0o755)
        (here / "alert.json").write_text(json.dumps({"command": str(here / "tell")}))
        (here / "alert.json").chmod(0o640)

    def expect(self, **limits: float) -> None:
        """Writes what is expected of the host."""
        told = {"supervisor_config": str(self.here / "supervisord.conf"), "alerts": "command", "limits": limits}
        (self.here / "host.json").write_text(json.dumps(told))

    def start(self) -> None:
        """Starts supervisord, and so the stream."""
        self._daemon = subprocess.Popen(
            [BIN / "supervisord", "-c", self.here / "supervisord.conf"], stdout=subprocess.DEVNULL
        )

    def connected(self) -> None:
        """Starts, and waits until the stream gets posts, and supervisor would not start it again if it died."""
        self.start()
        until(lambda: "RUNNING" in self.ctl("status", PROGRAM))
        until(lambda: self.program.status().get("posts_today"))
        until(lambda: self.program.status().get("rules_checked"))

    def end(self) -> None:
        """Ends supervisord and its programs."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(30)
            self._daemon = None

    def ctl(self, *arguments: str) -> str:
        """What supervisorctl says."""
        command = [BIN / "supervisorctl", "-c", self.here / "supervisord.conf", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def pid(self) -> int:
        """The stream's process."""
        return int(self.ctl("pid", PROGRAM))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of ours."""
        command = [sys.executable, "-m", "sfm_stream", *arguments, "--config-dir", str(self.here)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def troubles(self) -> set[tuple[str, str, str]]:
        """What status tells: where, what, and how bad."""
        told = json.loads(self.run("status", "--json").stdout)
        found = {("", each["kind"], each["severity"]) for each in told["host"]["troubles"]}
        return found | {
            (stream["program"], each["kind"], each["severity"])
            for stream in told["streams"]
            for each in stream["troubles"]
        }

    def alert(self) -> str:
        """What people are told by two looks, a minute apart as far as the record of the first goes."""
        self.alerts.unlink(missing_ok=True)
        first = self.run("alert")
        assert first.returncode == 0, first.stderr
        path = self.here / "state" / "alerts.json"
        memory = json.loads(path.read_bytes())
        for each in memory["troubles"].values():
            for key in ("since", "gone"):
                if each[key] is not None:
                    each[key] = clock.text(clock.parse(each[key]) - timedelta(minutes=1))
        path.write_text(json.dumps(memory))
        second = self.run("alert")
        assert second.returncode == 0, second.stderr
        return self.alerts.read_text() if self.alerts.exists() else ""

    def all_show(self, where: str, kind: str, severity: str) -> None:
        """Sees the trouble in each rendering."""
        until(lambda: (where, kind, severity) in self.troubles())
        check = self.run("check")
        assert check.returncode == {"warning": 1, "critical": 2, "unknown": 3}[severity], check.stdout
        assert f"{where or 'host'}: " in check.stdout
        line = f'sfm_trouble{{kind="{kind}",program="{where}",severity="{severity}"}} 1.0'
        assert line in self.run("metrics").stdout.splitlines()
        assert f"({severity}) {where or 'this host'}: " in self.alert()


@pytest.fixture
def x(tmp_path: Path) -> Iterator[Simulator]:
    """An X with many posts a second."""
    with Simulator(tmp_path, "--rate", "50", "--keep-alive", "1") as running:
        yield running


@pytest.fixture
def host(x: Simulator) -> Iterator[Watched]:
    """Its socket's path must be short, which pytest's own directories are not."""
    here = Path(tempfile.mkdtemp(prefix="sfm-"))
    watched = Watched(here, x)
    try:
        yield watched
    finally:
        watched.end()
        shutil.rmtree(here, ignore_errors=True)


def test_a_stream_that_gets_posts_is_well_everywhere(host: Watched) -> None:
    """And nobody is called."""
    host.connected()
    until(lambda: not host.troubles())
    status = host.run("status")
    assert (status.returncode, status.stderr) == (0, "")
    assert "RUNNING" in status.stdout
    assert host.run("check").stdout.startswith("SFM OK: 1 stream, all well | ")
    metrics = host.run("metrics").stdout
    assert f'sfm_stream_running{{program="{PROGRAM}"}} 1.0' in metrics.splitlines()
    assert "sfm_trouble{" not in metrics
    assert host.alert() == ""


def killed(host: Watched) -> None:
    os.kill(host.pid(), signal.SIGKILL)


def stopped(host: Watched) -> None:
    host.ctl("stop", PROGRAM)


def without_supervisord(host: Watched) -> None:
    host.end()


def cut_off(host: Watched) -> None:
    host.expect(gap=0.5)
    host.x.process.terminate()


def with_a_record_that_cannot_be_read(host: Watched) -> None:
    path = host.here / "state" / "journal" / f"{PROGRAM}.jsonl"
    path.rename(path.with_suffix(".old"))
    path.mkdir()


def without_its_data_directory(host: Watched) -> None:
    (host.here / "data").rename(host.here / "elsewhere")


@pytest.mark.parametrize(
    ("trouble", "where", "kind", "severity"),
    [
        (killed, PROGRAM, "program", "critical"),
        (stopped, PROGRAM, "program", "critical"),
        (without_supervisord, "", "supervisor", "critical"),
        (cut_off, PROGRAM, "gap", "critical"),
        (with_a_record_that_cannot_be_read, PROGRAM, "unreadable", "unknown"),
    ],
)
def test_what_befalls_a_running_stream_is_seen_everywhere(
    host: Watched, trouble: Callable[[Watched], None], where: str, kind: str, severity: str
) -> None:
    """Within a look or two."""
    host.connected()
    trouble(host)
    host.all_show(where, kind, severity)


def test_a_rule_that_x_refuses_is_seen_everywhere(host: Watched) -> None:
    """With X's own words; the program ended with 66, which supervisor knows."""
    refusal = {"errors": [{"value": "flood", "details": ["flood is not for sale"], "title": "UnprocessableEntity"}]}
    host.x.plan({"on": "rules", "method": "POST", "do": "refuse", "status": 422, "body": refusal, "times": 0})
    host.start()
    host.all_show(PROGRAM, "rules", "critical")
    assert "flood is not for sale" in host.run("status").stdout


def test_a_credential_that_x_refuses_is_seen_everywhere(host: Watched) -> None:
    """It is not a program that crashed."""
    host.x.plan({"on": "rules", "do": "refuse", "status": 401, "times": 0})
    host.start()
    host.all_show(PROGRAM, "credential", "critical")


def test_a_budget_that_is_spent_is_seen_everywhere(host: Watched) -> None:
    """The stream waits, as it was told; people want to know."""
    host.program.write_settings(budget={"per_day": 20})
    host.start()
    host.all_show(PROGRAM, "budget-spent", "critical")


@pytest.fixture
def small_disk(host: Watched) -> Iterator[Path]:
    place = host.here / "data"
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "sfm-monitoring", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a filesystem")
    yield place
    host.end()
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_full_is_seen_everywhere(host: Watched, small_disk: Path) -> None:
    """Of the stream that waits, and of the host."""
    host.program.write_settings(min_free="2M")
    host.connected()
    (small_disk / "big").write_bytes(b"\0" * (5 << 20))
    host.all_show("", "disk", "critical")
    until(lambda: (PROGRAM, "disk", "critical") in host.troubles())


def test_people_are_told_once_and_again_when_it_is_over(host: Watched) -> None:
    """Not while a deployment is under way; and a way that fails shows in status, and is tried again."""
    host.connected()
    stopped(host)
    planned = host.here / "planned.json"
    planned.write_text(json.dumps({"until": clock.text(clock.now() + timedelta(minutes=5))}))
    assert host.alert() == ""
    planned.unlink()
    (host.here / "tell").chmod(0o644)
    with suppress(AssertionError):
        host.alert()
    assert ("", "alerting", "warning") in host.troubles()
    (host.here / "tell").chmod(0o755)
    told = host.alert()
    assert told.count("TROUBLE (critical) twitterfilter-storms: stopped: SIGTERM (supervisor: STOPPED)") == 1
    assert ("", "alerting", "warning") not in host.troubles()
    assert host.alert() == ""
    host.ctl("start", PROGRAM)
    until(lambda: not host.troubles())
    assert "OVER (critical) twitterfilter-storms: " in host.alert()


def test_a_test_goes_out_in_every_way_and_says_which_failed(host: Watched) -> None:
    """Addresses, which are secrets, are named by their number alone."""
    done = host.run("alert", "--test")
    assert (done.returncode, done.stdout) == (0, "A test went out in 1 way.\n")
    assert "This is a test" in host.alerts.read_text()
    ways: dict[str, Any] = {"command": "/nonexistent/tell", "urls": ["nosuch://token-of-mine@example.org"]}
    (host.here / "alert.json").write_text(json.dumps(ways))
    done = host.run("alert", "--test")
    assert done.returncode == 3
    assert "alerts by command fail: /nonexistent/tell: No such file or directory" in done.stderr
    assert "alerts by apprise fail: it does not understand address 1 of sfm_alert_urls" in done.stderr
    assert "token-of-mine" not in done.stdout + done.stderr
    (host.here / "alert.json").unlink()
    assert host.run("alert", "--test").returncode == 64


def test_metrics_are_written_whole_where_an_exporter_reads_them(host: Watched) -> None:
    """For everybody to read; root writes through no link, and nowhere but where root alone does."""
    place = host.here / "exporter"
    place.mkdir(mode=0o755)
    done = host.run("metrics", "--textfile", str(place))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in place.iterdir()] == ["sfm.prom"]
    assert (place / "sfm.prom").stat().st_mode & 0o777 == 0o644
    assert (place / "sfm.prom").read_text().startswith("# HELP sfm_look_timestamp_seconds ")
    link = host.here / "link"
    link.symlink_to(place)
    assert host.run("metrics", "--textfile", str(link)).returncode == 73
    if os.geteuid() == 0:
        place.chmod(0o777)
        refused = host.run("metrics", "--textfile", str(place))
        assert refused.returncode == 73
        assert "writable for root alone" in refused.stderr
