"""A host for the tests of sfm_streams: a directory of its own, a real supervisord, and stand-ins for the programs."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TOKEN = "AAAAAAAAAAAAAAAAAAAAAsecretsecretsecret"

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: sfm_streams, tasks_from: preflight}
- hosts: all
  gather_facts: false
  # No other user may enter a test's directories; the inventory itself could not say so.
  vars: {sfm_process_owner: root, sfm_group: root}
  roles: [sfm_streams]
"""

STAND_IN = """#!{python}
import hashlib, json, os, pathlib, signal, sys, time
if sys.argv[1] in ("validate", "rules"):
    from sfm_stream.cli import main
    main()
here = pathlib.Path({here!r})
program = sys.argv[1] if sys.argv[1] == "streamsample" else "twitterfilter-" + sys.argv[2]
if (here / "etc" / "streams" / ("bluesky-" + sys.argv[-1 if len(sys.argv) < 3 else 2] + ".json")).exists():
    program = "bluesky-" + sys.argv[2]
crash = here / "crash" / program
if crash.exists():
    print("the token was refused by X", file=sys.stderr, flush=True)
    if crash.read_text() == "late":
        time.sleep(3)
    sys.exit(65 if crash.read_text() == "late" else 1)
def terminate(*_):
    sys.exit(0)
def read(*_):
    if (here / "deaf").exists():
        return
    raw = (here / "etc" / "streams" / (program + ".json")).read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    status = dict(pid=os.getpid(), state="connected", settings=digest, rules_wanted=digest, rules_live=digest)
    status.update(json.loads((here / "status").read_text()) if (here / "status").exists() else dict())
    path = here / "state" / "status" / (program + ".json")
    path.parent.mkdir(exist_ok=True)
    path.with_suffix(".new").write_text(json.dumps(status))
    path.with_suffix(".new").rename(path)
signal.signal(signal.SIGTERM, terminate)
signal.signal(signal.SIGHUP, read)
read()
while True:
    signal.pause()
"""

SUPERVISORD = """
[unix_http_server]
file={here}/s.sock  ; as Debian's own file has it
[supervisord]
nodaemon=true
logfile={here}/supervisord.log
pidfile={here}/supervisord.pid
childlogdir={here}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{here}/s.sock
[include]
files = {here}/etc/supervisor.d/*.conf {here}/theirs/*.conf
"""


class Host:
    """What a deployment sees as one host; `variables` is its inventory."""

    def __init__(self, here: Path) -> None:
        self.here = here
        self._daemon: subprocess.Popen[bytes] | None = None
        for name in ("etc/streams", "etc/credentials", "etc/supervisor.d", "data", "state", "log", "bin", "crash"):
            (here / name).mkdir(parents=True)
        (here / "theirs").mkdir()
        self.config = here / "supervisord.conf"
        self.config.write_text(SUPERVISORD.format(here=here))
        self.write_program(STAND_IN.format(python=sys.executable, here=str(here)))
        (here / "play.yml").write_text(PLAY)
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "sfm_bin": str(here / "bin"),
            "_sfm_release": "r1",
            "sfm_config_dir": str(here / "etc"),
            "sfm_data_dir": str(here / "data"),
            "sfm_state_dir": str(here / "state"),
            "sfm_log_dir": str(here / "log"),
            "sfm_operator_group": "nogroup",
            "sfm_supervisor_config": str(self.config),
            "sfm_credentials": {name: {"bearer_token": TOKEN + name} for name in ("one", "two", "three", "four")},
            "sfm_filters": [
                {"name": "elections", "credential": "one", "track": ["election"]},
                {"name": "storms", "credential": "two", "track": ["storm", "naïve 100%"]},
                {"name": "asleep", "credential": "three", "track": ["sleep"], "active": False},
            ],
        }

    def write_program(self, text: str) -> None:
        """What stands in for the console script."""
        path = self.here / "bin" / "sfm-stream"
        path.write_text(text)
        path.chmod(0o755)

    def filter(self, name: str) -> dict[str, Any]:
        """An entry of the inventory, to be changed in place."""
        found: dict[str, Any] = next(each for each in self.variables["sfm_filters"] if each["name"] == name)
        return found

    def start(self) -> None:
        """Starts supervisord."""
        self._daemon = subprocess.Popen([BIN / "supervisord", "-c", self.config], stdout=subprocess.DEVNULL)
        self.await_that(lambda: (self.here / "s.sock").exists())
        self.await_that(lambda: self.ctl("pid").isdigit())

    def stop(self) -> None:
        """Ends supervisord and its programs."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(30)
            self._daemon = None

    def deploy(self, *options: str, play: str = "play.yml") -> Deployed:
        """Runs the play; never raises because it failed."""
        inventory = {"all": {"hosts": {"here": {}}, "vars": copy.deepcopy(self.variables)}}
        return run_playbook(self.here / play, inventory, self.here, *options)

    def ctl(self, *arguments: str) -> str:
        """What supervisorctl says."""
        command = [BIN / "supervisorctl", "-c", self.config, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def programs(self) -> dict[str, str]:
        """The state of every program that supervisor has."""
        return {line.split()[0]: line.split()[1] for line in self.ctl("status").splitlines()}

    def pids(self) -> dict[str, int]:
        """The process of every running program."""
        found = (re.match(r"(\S+)\s+RUNNING\s+pid (\d+)", line) for line in self.ctl("status").splitlines())
        return {match[1]: int(match[2]) for match in found if match}

    def files(self, directory: str) -> set[str]:
        """The names in a directory below /etc/sfm's stand-in, without their suffix."""
        return {each.stem for each in (self.here / "etc" / directory).iterdir()}

    @staticmethod
    def await_that(condition: Callable[[], object], seconds: float = 20) -> None:
        """Returns when a condition holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if condition():
                    return
            except (OSError, xmlrpc.client.Error):
                pass
            time.sleep(0.05)
        raise AssertionError("it did not become true in time")


class Deployed:
    """How a run of ansible-playbook ended."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.output = done.stdout + done.stderr

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        return sum(map(int, re.findall(r"changed=(\d+)", self.output)))

    def ok(self) -> Deployed:
        """Itself, if the run succeeded."""
        assert self.code == 0, self.output
        return self


def run_playbook(play: Path, inventory: dict[str, Any], directory: Path, *options: str, **environment: str) -> Deployed:
    """Runs a playbook from the repository, so with its ansible.cfg."""
    path = directory / "inventory.json"
    path.write_text(json.dumps(inventory))
    done = subprocess.run(
        [BIN / "ansible-playbook", "-i", path, play, *options],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return Deployed(done)


@contextmanager
def running_host() -> Iterator[Host]:
    """A host whose supervisord runs; all of it goes at the end."""
    # A socket's path must be short, which pytest's own directories are not.
    here = Path(tempfile.mkdtemp(prefix="sfm-"))
    host = Host(here)
    try:
        host.start()
        yield host
    finally:
        host.stop()
        shutil.rmtree(here)
