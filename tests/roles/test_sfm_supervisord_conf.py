"""The module that edits supervisord.conf, run by Ansible beside a real supervisord that has other people's programs."""

from __future__ import annotations

import grp
import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SUPERVISOR = [sys.executable, "-m"]

CONFIGURATION = """\
[unix_http_server]
file=%(here)s/s.sock
chmod=0700   ; nobody else
password = hunter2
username = them

[supervisord]
nodaemon=true
logfile={here}/supervisord.log
pidfile={here}/supervisord.pid

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{here}/s.sock
password = hunter2
username = them

[program:theirs]
command={python} -c "import signal; signal.pause()"

[include]
files = theirs/*.conf
"""


class Host:
    """A directory with a supervisord.conf, and the supervisord that was started with it."""

    def __init__(self, here: Path) -> None:
        self.here = here
        self.conf = here / "supervisord.conf"
        self.original = CONFIGURATION.format(here=here, python=sys.executable)
        self.conf.write_text(self.original)
        self.conf.chmod(0o640)
        (here / "ours").mkdir()
        self.daemon = subprocess.Popen([*SUPERVISOR, "supervisor.supervisord", "-c", str(self.conf)], cwd=here)
        while not self.control("status").endswith("RUNNING"):
            assert self.daemon.poll() is None
            time.sleep(0.05)

    def control(self, *command: str) -> str:
        """What supervisorctl says; of a status, program and state alone."""
        done = subprocess.run(
            [*SUPERVISOR, "supervisor.supervisorctl", "-c", str(self.conf), *command],
            capture_output=True,
            text=True,
            check=False,
        )
        return re.sub(r"\s+pid .*", "", done.stdout).strip()

    def module(self, *options: str, **parameters: Any) -> dict[str, Any]:
        """Runs the module as a task does."""
        arguments = json.dumps({"path": str(self.conf), **parameters})
        where = ["localhost", "-i", "localhost,", "-c", "local"]
        command = [*where, "-m", "sfm_supervisord_conf", "-a", arguments, *options]
        done = subprocess.run(
            [str(BIN / "ansible"), *command],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "ANSIBLE_LIBRARY": str(ROOT / "roles/sfm_supervisor/library"),
                "ANSIBLE_MODULE_UTILS": str(ROOT / "roles/sfm_supervisor/module_utils"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
                "LC_ALL": "C.UTF-8",
            },
        )
        assert "=> {" in done.stdout, done.stdout + done.stderr
        return {**json.loads(done.stdout[done.stdout.index("=> {") + 3 :]), "printed": done.stdout}

    def extend(self, *options: str) -> dict[str, Any]:
        """Adds our pattern and settings."""
        pattern = f"{self.here}/ours/*.conf"
        return self.module(*options, pattern=pattern, socket={"chmod": "0770", "chown": "root:root"})

    @property
    def socket_mode(self) -> int:
        """The live socket's permissions."""
        return stat.S_IMODE((self.here / "s.sock").stat().st_mode)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    running = Host(tmp_path)
    yield running
    running.daemon.terminate()
    running.daemon.wait(20)


root = pytest.mark.skipif(os.geteuid() != 0, reason="the socket is given to root")


@root
def test_programs_of_ours_run_without_a_restart_of_supervisord(host: Host) -> None:
    """The include list and the socket's mode take effect at once; the other program keeps its process."""
    theirs, daemon = host.control("pid", "theirs"), host.control("pid")
    assert host.socket_mode == 0o700
    assert host.extend()["changed"]
    assert host.socket_mode == 0o770
    (host.here / "ours/one.conf").write_text(
        f'[program:one]\ncommand={sys.executable} -c "import signal; signal.pause()"\n'
    )
    assert "one: added process group" in host.control("update")
    assert host.control("pid") == daemon
    assert host.control("pid", "theirs") == theirs
    assert not host.extend()["changed"]


@root
def test_removal_gives_back_the_file_and_the_socket(host: Host) -> None:
    """Byte for byte, with its mode; the backup goes with it, and a second removal finds nothing."""
    backup = Path(host.extend()["backup"])
    assert backup.read_text() == host.original
    assert stat.S_IMODE(host.conf.stat().st_mode) == stat.S_IMODE(backup.stat().st_mode) == 0o640
    assert host.module(state="absent")["changed"]
    assert host.conf.read_text() == host.original
    assert host.socket_mode == 0o700
    assert not backup.exists()
    assert not host.module(state="absent")["changed"]


@root
def test_the_backup_is_never_wider_than_the_file(host: Host) -> None:
    """Both may hold passwords: a file that was closed to others after the first deployment closes its backup too."""
    backup = Path(host.extend()["backup"])
    host.conf.chmod(0o600)
    assert host.extend("--check")["changed"]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o640
    assert host.extend()["changed"]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert not host.extend()["changed"]


@root
def test_the_backup_belongs_to_whom_the_file_belongs(host: Host) -> None:
    """A group that may read the file may be the only one: its backup has the same group before it has a name."""
    os.chown(host.conf, 0, 4)
    kept = Path(host.extend()["backup"]).stat()
    assert (kept.st_uid, kept.st_gid, stat.S_IMODE(kept.st_mode)) == (0, 4, 0o640)


@root
def test_a_dry_run_shows_the_edit_but_no_password_and_changes_nothing(host: Host) -> None:
    """The diff has our lines; a secret in its context is masked."""
    answer = host.extend("--check", "--diff")
    assert answer["changed"]
    assert f"+    {host.here}/ours/*.conf  ; added by sfm-stream" in answer["printed"]
    assert "hunter2" not in answer["printed"]
    assert host.conf.read_text() == host.original
    assert host.socket_mode == 0o700


@root
def test_all_programs_of_the_host_are_named(host: Host) -> None:
    """The one who must restart supervisord can say what that stops."""
    (host.here / "theirs").mkdir()
    (host.here / "theirs/a.conf").write_text(
        "[program:included]\ncommand=/bin/cat\n[eventlistener:ears]\ncommand=/bin/cat\n"
    )
    assert host.extend()["programs"] == ["ears", "included", "theirs"]


@root
def test_a_configuration_that_supervisor_cannot_read_is_named_with_its_repair(host: Host) -> None:
    """The message has the file, the line, and the command that brings back Debian's own."""
    host.conf.write_text("[supervisord]\nnonsense\n")
    answer = host.extend()
    assert str(host.conf) in answer["msg"]
    assert "[line 2]: 'nonsense" in answer["msg"]
    assert "apt-get install --reinstall" in answer["msg"]
    host.conf.write_text(host.original)


@root
def test_a_link_stays_a_link(host: Host) -> None:
    """A configuration that is kept elsewhere is edited there."""
    kept = host.here / "kept.conf"
    host.conf.rename(kept)
    host.conf.symlink_to(kept)
    host.extend()
    assert host.conf.is_symlink()
    assert "ours/*.conf" in kept.read_text()


@root
def test_who_loses_control_by_another_group_of_the_socket_is_named(host: Host) -> None:
    """Once: those of the group before, by its list or as their primary group, who are not in the new one."""
    socket = host.here / "s.sock"
    os.chown(socket, 0, grp.getgrnam("games").gr_gid)
    socket.chmod(0o770)
    parameters = {"pattern": f"{host.here}/ours/*.conf", "socket": {"chmod": "0770", "chown": "root:mail"}}
    for options in (["--check"], []):
        answer = host.module(*options, **parameters)
        assert (answer["socket_before"], answer["lost"]) == ("games", ["games"])
    assert socket.stat().st_gid == grp.getgrnam("mail").gr_gid
    answer = host.module(**parameters)
    assert (answer["changed"], answer["lost"]) == (False, [])


@root
def test_a_link_in_the_place_of_the_socket_is_not_followed(host: Host) -> None:
    """A socket may lie where others write, in /tmp for instance: what the name leads to is not given away."""
    kept = host.here / "other.sock"
    (host.here / "s.sock").rename(kept)
    (host.here / "s.sock").symlink_to(kept)
    try:
        host.extend()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    finally:
        kept.rename(host.here / "s.sock")
