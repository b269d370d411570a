"""Whether the host's supervisord answers is told by asking a real one, with the login that its configuration gives."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.roles.streams_host import BIN, ROOT, TOKEN, run_playbook

PASSWORD = "naïve 100% pass;word"
ESCAPED = PASSWORD.replace("%", "%%")
HASHED = "{SHA}" + hashlib.sha1(PASSWORD.encode()).hexdigest()

CONFIGURATION = """
[{server}]
{listen}
{login}
[supervisord]
nodaemon=true
logfile={here}/supervisord.log
pidfile={here}/supervisord.pid
childlogdir={here}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[include]
files = %(here)s/*.ini
{client}
"""
UNIX = {"server": "unix_http_server", "listen": "file=%(here)s/s.sock"}
CLIENT = "[supervisorctl]\nserverurl=unix://%(here)s/s.sock\n"

LOGINS = {
    "none": ({}, CLIENT),
    "plain in both sections": (
        {"login": "username=them\npassword=hunter2"},
        CLIENT + "username=them\npassword=hunter2",
    ),
    "plain in the server's alone": ({"login": "username=them\npassword=hunter2"}, CLIENT),
    "no section for supervisorctl": ({"login": "username=them\npassword=hunter2"}, ""),
    "escaped": (
        {"login": f"username=them\npassword={ESCAPED}"},
        f"{CLIENT}username=them\npassword={ESCAPED}",
    ),
    "hashed in the server's": (
        {"login": f"username=them\npassword={HASHED}"},
        f"{CLIENT}username=them\npassword={ESCAPED}",
    ),
    "from supervisord's own environment": (
        {"login": "username=%(ENV_SUP_USER)s\npassword=%(ENV_SUP_PASSWORD)s"},
        f"{CLIENT}username=%(ENV_SUP_USER)s\npassword=%(ENV_SUP_PASSWORD)s",
    ),
    "by TCP": (
        {"server": "inet_http_server", "listen": "port=127.0.0.1:{port}", "login": "username=them\npassword=hunter2"},
        "[supervisorctl]\nserverurl=http://127.0.0.1:{port}\nusername=them\npassword=hunter2",
    ),
}


class Supervisord:
    """A real supervisord in a directory of its own; `ask` runs the module on the configuration as it stands."""

    def __init__(self, here: Path) -> None:
        self.here = here
        self.config = here / "supervisord.conf"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._daemon: subprocess.Popen[bytes] | None = None

    def configure(self, client: str = CLIENT, **parts: str) -> None:
        """Writes the configuration."""
        filled = {key: value.replace("{port}", str(self.port)) for key, value in {**UNIX, "login": "", **parts}.items()}
        client = client.replace("{port}", str(self.port))
        self.config.write_text(CONFIGURATION.format(here=self.here, client=client, **filled))

    def start(self) -> None:
        """Starts it and waits until it listens."""
        environment = {**os.environ, "SUP_USER": "them", "SUP_PASSWORD": PASSWORD, "LC_ALL": "C.UTF-8"}
        command = [BIN / "supervisord", "-c", self.config]
        self._daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
        deadline = time.monotonic() + 20
        while "supervisord started" not in (self.log() or "") and time.monotonic() < deadline:
            time.sleep(0.05)

    def log(self) -> str:
        """Its log so far."""
        path = self.here / "supervisord.log"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        """Ends it."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(30)

    def ask(self, *, hidden: bool = False, **arguments: Any) -> dict[str, Any]:
        """The module's result; `hidden` hides supervisor's own package from it, as another Python would."""
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
        if hidden:
            package = self.here / "hidden" / "supervisor"
            package.mkdir(parents=True, exist_ok=True)
            (package / "__init__.py").write_text("raise ImportError('hidden')")
            environment["PYTHONPATH"] = str(package.parent)
        command = [
            *(BIN / "ansible", "localhost", "-i", "localhost,", "-c", "local", "-o"),
            *("-M", ROOT / "roles/sfm_supervisor/library", "-m", "sfm_ask_supervisord"),
            *("-a", json.dumps({"config": str(self.config), **arguments})),
        ]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        verdict, arrow, answer = done.stdout.partition("=> ")
        assert arrow, done.stdout + done.stderr
        return {**json.loads(answer), "failed": "FAILED" in verdict}


@pytest.fixture
def supervisord() -> Iterator[Supervisord]:
    here = Path(tempfile.mkdtemp(prefix="sfm-"))  # a socket's path must be short
    running = Supervisord(here)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(here)


@pytest.mark.parametrize("hidden", [False, True], ids=["supervisor's own parser", "ours"])
@pytest.mark.parametrize("login", LOGINS)
def test_every_login_that_supervisor_understands_is_used(supervisord: Supervisord, login: str, hidden: bool) -> None:
    """Plain, escaped, hashed, from the environment, by TCP; with and without supervisor's package in our Python."""
    parts, client = LOGINS[login]
    supervisord.configure(client, **parts)
    supervisord.start()
    found = supervisord.ask(hidden=hidden)
    assert found.get("answers") is True, found


@pytest.mark.parametrize("client", ["username=them\npassword=wrong", ""], ids=["wrong", "only hashed"])
def test_a_refused_login_is_a_failure_with_what_to_write_where(supervisord: Supervisord, client: str) -> None:
    """It is told apart from a supervisord that is not there, which would be restarted; no password is shown."""
    supervisord.configure(CLIENT + client, login=f"username=them\npassword={HASHED}")
    supervisord.start()
    found = supervisord.ask(seconds=5)
    assert found["failed"], found
    assert f"refuses the login that {supervisord.config} gives (HTTP 401)" in found["msg"]
    assert "[supervisorctl] username=... and password=..." in found["msg"]
    assert "wrong" not in found["msg"]
    assert HASHED not in found["msg"]


def test_a_login_of_an_environment_that_nobody_has_is_named_without_its_value(supervisord: Supervisord) -> None:
    """Nobody can tell whether that supervisord is there, so it counts as no answer that allows a restart."""
    supervisord.configure(f"{CLIENT}username=them\npassword=x%(ENV_SUP_NOWHERE)s")
    supervisord.start()
    found = supervisord.ask()
    assert found["failed"], found
    assert "[supervisorctl] password refers to %(ENV_SUP_NOWHERE)s" in found["msg"]


def test_a_percent_sign_that_stands_alone_is_named_without_the_password(supervisord: Supervisord) -> None:
    """As supervisor itself would refuse it; its own message shows the password."""
    supervisord.configure(f"{CLIENT}username=them\npassword=hunter%2")
    found = supervisord.ask()
    assert found["failed"], found
    assert "[supervisorctl] password has a % that stands alone" in found["msg"]
    assert "hunter" not in found["msg"]


def test_a_supervisord_that_is_not_there_is_no_failure(supervisord: Supervisord) -> None:
    """Neither before it is installed nor before it is started."""
    assert supervisord.ask()["answers"] is False
    supervisord.configure()
    found = supervisord.ask()
    assert found["answers"] is False
    assert "no supervisord answers at unix://" in found["reason"]


@pytest.mark.parametrize("body", [b"<html>nginx</html>", b""], ids=["a web server", "nothing at all"])
def test_what_answers_and_is_no_supervisord_is_named(supervisord: Supervisord, body: bytes) -> None:
    """Another service at the address is no reason to restart supervisord."""

    class Other(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if body:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with socketserver.TCPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        supervisord.configure(f"[supervisorctl]\nserverurl=http://127.0.0.1:{server.server_address[1]}\n")
        found = supervisord.ask()
        server.shutdown()
    assert found["failed"], found
    assert "what answers there is no supervisord" in found["msg"]


def test_somebody_elses_program_of_a_declared_name_is_a_failure(supervisord: Supervisord) -> None:
    """The two would become one; a name that nobody declares is nobody's trouble."""
    supervisord.configure()
    (supervisord.here / "sfm.ini").write_text("[program:twitterfilter-1]\ncommand=sleep 1000\nstartsecs=0\n")
    supervisord.start()
    assert supervisord.ask(declared=["twitterfilter-2"])["answers"] is True
    found = supervisord.ask(declared=["twitterfilter-1", "twitterfilter-2"])
    assert found["failed"], found
    assert "under names of this deployment: twitterfilter-1. " in found["msg"]


@pytest.mark.parametrize("name", ["deploy", "remove"])
def test_a_refused_login_ends_a_playbook_before_anything_is_changed(supervisord: Supervisord, name: str) -> None:
    """No task of any role but the question itself, and supervisord is the same process with the same programs."""
    supervisord.configure(CLIENT, login=f"username=them\npassword={HASHED}")
    (supervisord.here / "theirs.ini").write_text("[program:theirs]\ncommand=sleep 1000\nstartsecs=0\n")
    supervisord.start()
    (supervisord.here / "etc").mkdir()
    variables = {
        "ansible_connection": "local",
        "ansible_become": False,
        "sfm_supervisor_config": str(supervisord.config),
        "sfm_config_dir": str(supervisord.here / "etc"),
        "sfm_credentials": {"library": {"bearer_token": TOKEN}},
        "sfm_filters": [{"name": "storms", "credential": "library", "track": ["storm"]}],
    }
    confirmed = ("-e", "sfm_remove_confirmed=true") if name == "remove" else ()
    inventory = {"all": {"hosts": {"here": variables}}}
    run = run_playbook(ROOT / "playbooks" / f"{name}.yml", inventory, supervisord.here, *confirmed)
    assert run.code != 0
    assert run.changed == 0
    assert "refuses the login" in run.output
    for role in ("sfm_base", "sfm_organize"):
        assert f"TASK [{role} :" not in run.output
    assert supervisord.log().count("spawned: 'theirs'") == 1
    assert "stopped" not in supervisord.log()
