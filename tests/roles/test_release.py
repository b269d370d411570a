"""A release takes over once it is known to run, and what stands in its way is named; with real environments and pip."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from tests.roles.streams_host import Deployed, run_playbook

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="it becomes the process owner, so only root can run it"),
    pytest.mark.skipif(
        subprocess.run(["/usr/bin/python3", "-c", "import ensurepip"], check=False, capture_output=True).returncode
        != 0,
        reason="the machine's Python makes no virtual environments",
    ),
]
PLAY = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.setup": {"gather_subset": ["!all", "!min", "distribution"]}},
            {"ansible.builtin.import_role": {"name": "sfm_base", "tasks_from": "release"}},
        ],
    }
]
CLOSED = "http://them:hunter2@127.0.0.1:9/simple"


class Place:
    """Where a release is to be installed, and the variables that say so."""

    def __init__(self, here: Path) -> None:
        self.here = here
        for name in ("etc/streams", "etc/credentials", "etc/supervisor.d", "data", "state", "log", "opt"):
            (here / name).mkdir(parents=True)
        here.chmod(0o755)
        (here / "play.yml").write_text(json.dumps(PLAY))
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "sfm_process_owner": "nobody",
            "sfm_group": "nogroup",
            "sfm_config_dir": str(here / "etc"),
            "sfm_log_dir": str(here / "log"),
            "sfm_venv_dir": str(here / "opt"),
            "sfm_data_dir": str(here / "data"),
            "sfm_state_dir": str(here / "state"),
        }

    def wheel(self, *requires: str) -> None:
        """A package of this one's name that prints its version, and needs what is given."""
        path = self.here / "sfm_stream-9.9.9-py3-none-any.whl"
        info = "sfm_stream-9.9.9.dist-info"
        needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("sfm_stream.py", "def main():\n    print('sfm-stream 9.9.9')\n")
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: sfm-stream\nVersion: 9.9.9\n{needs}\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\nsfm-stream = sfm_stream:main\n")
            archive.writestr(f"{info}/RECORD", "")
        self.variables["sfm_wheel"] = str(path)

    def deploy(self, *options: str) -> Deployed:
        """Installs it, up to the point where it takes over."""
        inventory = {"all": {"hosts": {"here": self.variables}}}
        return run_playbook(self.here / "play.yml", inventory, self.here, *options)


@pytest.fixture
def place() -> Iterator[Place]:
    here = Path(tempfile.mkdtemp(prefix="sfm-"))  # pytest's own directories are closed to the process owner
    try:
        yield Place(here)
    finally:
        shutil.rmtree(here)


def test_an_index_out_of_reach_is_named_with_the_variables_that_help(place: Place) -> None:
    """In place of pip's own last word, that no version matches; a login in the address is not shown."""
    place.wheel("click>=8")
    place.variables["sfm_pip_environment"] = {"PIP_INDEX_URL": CLOSED, "PIP_RETRIES": "1"}
    run = place.deploy()
    assert run.code != 0
    assert "pip reached no package index from this host: " in run.output
    assert "sfm_pip_environment with HTTPS_PROXY or PIP_INDEX_URL" in run.output
    assert "sfm_wheelhouse, see roles/sfm_base/README.md" in run.output
    assert "hunter2" not in run.output
    assert not (place.here / "opt" / "current").exists()


class LookingIndex(BaseHTTPRequestHandler):
    """A package index that has nothing, and that looks at the command lines of the machine when it is asked."""

    asked: ClassVar[list[str]] = []
    seen: ClassVar[list[bytes]] = []

    def do_GET(self) -> None:
        """Answers that there is no such package."""
        self.asked.append(self.headers.get("Authorization", ""))
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                self.seen.append(path.read_bytes())
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_the_login_of_an_index_shows_in_no_command_line_no_output_and_no_file(place: Place) -> None:
    """Though ansible is asked for all that it can tell; the index is asked with it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), LookingIndex)
    Thread(target=server.serve_forever, daemon=True).start()
    place.wheel("sfm-unheard-of")
    index = f"http://them:hunter2@127.0.0.1:{server.server_port}/simple"
    # Without the machine's own settings, which may name other indexes.
    place.variables["sfm_pip_environment"] = {"PIP_INDEX_URL": index, "PIP_RETRIES": 0, "PIP_CONFIG_FILE": os.devnull}
    try:
        run = place.deploy("-vvvv", "--diff")
    finally:
        server.shutdown()
        server.server_close()
    assert run.code != 0
    assert "Basic " + b64encode(b"them:hunter2").decode() in LookingIndex.asked
    assert any(b"pip" in line and b"install" in line for line in LookingIndex.seen), "it looked while pip ran"
    assert not [line for line in LookingIndex.seen if b"hunter2" in line]
    assert "No matching distribution found for sfm-unheard-of" in run.output
    assert "hunter2" not in run.output
    assert not [path for path in (place.here / "opt").rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


def test_a_release_that_the_process_owner_cannot_run_where_it_must_never_takes_over(place: Place) -> None:
    """As root all is in reach; the process owner is stopped by a directory above its own."""
    place.wheel()
    (place.here / "closed").mkdir(mode=0o700)
    (place.here / "closed" / "state").mkdir()
    shutil.chown(place.here / "closed" / "state", "nobody", "nogroup")
    place.variables["sfm_state_dir"] = str(place.here / "closed" / "state")
    run = place.deploy()
    assert run.code != 0
    assert f"does not run as nobody in {place.here}/data and {place.here}/closed/state" in run.output
    assert f"can't cd to {place.here}/closed/state" in run.output
    assert "Nothing was restarted or switched over" in run.output
    assert not (place.here / "opt" / "current").exists()


def test_a_release_in_a_place_closed_to_the_process_owner_never_takes_over(place: Place) -> None:
    """The virtual environment itself, below a directory that only root may enter."""
    place.wheel()
    (place.here / "closed").mkdir(mode=0o700)
    place.variables["sfm_venv_dir"] = str(place.here / "closed" / "opt")
    (place.here / "closed" / "opt").mkdir()
    run = place.deploy()
    assert run.code != 0
    assert "does not run as nobody" in run.output
    assert not (place.here / "closed" / "opt" / "current").exists()


def test_a_part_of_a_first_deployment_names_what_is_missing(place: Place) -> None:
    """`--tags streams` on a bare host, say: what the part `base` makes, in one message; a dry run goes on."""
    place.wheel()
    shutil.rmtree(place.here / "etc" / "streams")
    shutil.rmtree(place.here / "log")
    place.variables["sfm_group"] = "sfm-of-nobody"
    place.deploy("--check").ok()
    run = place.deploy()
    assert run.code != 0
    words = " ".join(run.output.split())
    assert f"here lacks the group sfm-of-nobody, {place.here}/etc/streams, {place.here}/log. The part `base`" in words
    assert "run playbooks/deploy.yml once without these" in words
