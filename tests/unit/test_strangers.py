"""A user who may not look at a host's streams is told so, with who may, and not that there is nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import Program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
GROUP = "adm"
"""A group that every Debian has, in place of sfm_group."""
STRANGER = 65534
AS = """
import importlib, os, pkgutil, resource, sfm_stream
for module in pkgutil.walk_packages(sfm_stream.__path__, "sfm_stream."):  # which the user may not be able to read
    if "simulator" not in module.name and "__main__" not in module.name:
        importlib.import_module(module.name)
os.setgroups({groups}); os.setgid({user}); os.setuid({user})
sfm_stream.cli.main()
"""


@pytest.fixture
def host() -> Iterator[Path]:
    """As a deployment leaves it: root's settings, the state and data of another user, readable for a group alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        Program(folder / "etc", "http://127.0.0.1:1", data_dir=str(folder / "data"), state_dir=str(folder / "state"))
        for part in ("data", "state", "state/journal", "state/history"):
            (folder / part).mkdir()
            (folder / part / "twitterfilter-storms.jsonl").touch()
        subprocess.run(["chgrp", "-R", GROUP, folder / "etc", folder / "state", folder / "data"], check=True)
        subprocess.run(["chmod", "-R", "u=rwX,g=rX,o=", folder / "etc", folder / "state", folder / "data"], check=True)
        yield folder


def run(host: Path, *arguments: str, groups: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A command as a user who is neither root nor the owner, in some groups."""
    code = AS.format(groups=list(groups), user=STRANGER)
    command = [sys.executable, "-c", code, *arguments, "--config-dir", str(host / "etc")]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", env={**os.environ, "HOME": "/"}
    )


COMMANDS = [["status"], ["status", "--json"], ["gaps"], ["gaps", "storms"], ["history", "storms"]]
COMMANDS += [["rules", "show", "storms"], ["filterstream", "--list"], ["filterstream", "storms", "--save"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_user_outside_the_group_is_told_to_join_it_or_use_sudo(host: Path, command: list[str]) -> None:
    """Nothing that could not be seen is called well, or empty."""
    done = run(host, *command)
    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr.count("\n") == 1
    assert f"{host}/etc/streams: nobody may not look into it, but members of the group {GROUP} may" in done.stderr
    assert f"sudo usermod -aG {GROUP} nobody" in done.stderr
    assert "or put sudo before it" in done.stderr


@pytest.mark.parametrize("command", [["gaps"], ["history", "storms"]], ids=" ".join)
def test_it_holds_for_a_state_directory_that_is_named_too(host: Path, command: list[str]) -> None:
    """Then the settings are not looked at."""
    done = run(host, *command, "--state-dir", str(host / "state"))
    assert done.returncode == 77
    assert f"{host}/state/" in done.stderr
    assert f"members of the group {GROUP} may" in done.stderr


def test_a_member_of_the_group_sees_how_things_stand(host: Path) -> None:
    """Without sudo."""
    gid = (host / "state").stat().st_gid
    done = run(host, "status", groups=(gid,))
    assert "twitterfilter-storms" in done.stdout
    assert done.returncode == 3, "it has never run"
