"""Log rotation with a real logrotate and a real supervisord: compressed, dated, and not a line lost."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jinja2
import pytest

ROOT = Path(__file__).resolve().parents[2]
LOGROTATE = shutil.which("logrotate", path="/usr/sbin:/usr/bin")

CHATTER = """\
import itertools, time
for number in itertools.count():
    print(number, flush=True)
    time.sleep(0.002)
"""

CONFIGURATION = """\
[unix_http_server]
file={here}/s.sock
{login}
[supervisord]
nodaemon=true
logfile={here}/supervisord.log
pidfile={here}/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{here}/s.sock
{login}
[program:one]
command={python} {here}/chatter.py
stdout_logfile={here}/log/one.out.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=3
"""


@pytest.mark.skipif(LOGROTATE is None, reason="logrotate is not installed; script/bootstrap --test installs it")
@pytest.mark.parametrize("login", ["", "username=%(ENV_SUP_USER)s\npassword=%(ENV_SUP_PASSWORD)s"], ids=["none", "env"])
def test_rotation_loses_no_line_and_compresses_the_day_before(tmp_path: Path, login: str) -> None:
    """Rotated twice while a program talks: its lines are all there, over one compressed and two plain files.

    Also where supervisorctl wants a login of supervisord's own environment, which logrotate does not have.
    """
    (tmp_path / "log").mkdir(mode=0o750)
    (tmp_path / "chatter.py").write_text(CHATTER)
    (tmp_path / "supervisord.conf").write_text(CONFIGURATION.format(here=tmp_path, python=sys.executable, login=login))
    template = (ROOT / "roles/sfm_base/templates/logrotate.j2").read_text()
    variables = {"sfm_log_dir": tmp_path / "log", "sfm_log_days": 30, "ansible_managed": "x"}
    environment = jinja2.Environment(autoescape=False, trim_blocks=True)
    environment.filters["quote"] = str
    text = environment.from_string(template).render(variables, sfm_supervisor_config=tmp_path / "supervisord.conf")
    # The client is the one beside this Python.
    text = text.replace("/usr/bin/supervisorctl", f"{sys.executable} -m supervisor.supervisorctl")
    (tmp_path / "rotate.conf").write_text(text)

    command = [Path(sys.executable).with_name("supervisord"), "-c", tmp_path / "supervisord.conf"]
    secrets = {"SUP_USER": "them", "SUP_PASSWORD": "hunter2"}
    daemon = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **secrets})
    current = tmp_path / "log/one.out.log"
    days = iter(["20200101", "20200102"])
    try:
        for _ in range(2):
            _await_lines(current)
            rotate = [str(LOGROTATE), "--force", "--state", str(tmp_path / "state"), str(tmp_path / "rotate.conf")]
            done = subprocess.run(rotate, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            for today in (tmp_path / "log").glob("*.log-2*[0-9]"):  # let a day pass
                today.rename(today.with_name("one.out.log-" + next(days)))
        _await_lines(current)
    finally:
        daemon.terminate()
        daemon.wait(20)

    files = {each.name: each for each in (tmp_path / "log").iterdir()}
    assert sorted(files) == ["one.out.log", "one.out.log-20200101.gz", "one.out.log-20200102"]
    first = gzip.decompress(files["one.out.log-20200101.gz"].read_bytes())
    lines = (first + files["one.out.log-20200102"].read_bytes() + current.read_bytes()).splitlines()
    assert [int(line) for line in lines] == list(range(len(lines)))


def _await_lines(path: Path) -> None:
    while not (path.exists() and path.stat().st_size > 500):
        time.sleep(0.02)
