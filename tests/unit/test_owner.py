"""What root starts goes on as the owner of the directories, and nobody else can choose where they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sfm_stream
from sfm_stream import clock
from sfm_stream.errors import StorageError, UsageError
from sfm_stream.owner import reach, refuse_root, require_directory
from sfm_stream.record.status import Lock
from tests.support.passable import passable

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY, OTHER = 65534, 65533


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In place of pytest's own, which other users cannot enter."""
    with passable() as place:
        yield place


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Settings of root's, and directories that belong to the process owner."""
    for name in ("streams", "credentials", "data", "state", "state/journal", "state/history", "state/status"):
        (tmp_path / name).mkdir()
    settings = {
        "kind": "filterstream",
        "name": "storms",
        "credential": "lab",
        "api_url": "http://127.0.0.1:9",
        "data_dir": str(tmp_path / "data"),
        "state_dir": str(tmp_path / "state"),
        "min_free": "0",
        "budget": {"per_day": 5},
        "rules": [{"name": "main", "track": ["hail"]}],
    }
    (tmp_path / "streams" / "twitterfilter-storms.json").write_text(json.dumps(settings))
    secret = tmp_path / "credentials" / "lab.json"
    secret.write_text('{"bearer_token": "t"}')
    secret.chmod(0o640)
    for name in ("history", "journal"):
        line = {"time": "2026-11-24T20:00:00Z", "sha256": "0" * 64, "settings": {}, "event": "start"}
        (tmp_path / "state" / name / "twitterfilter-storms.jsonl").write_text(json.dumps(line) + "\n")
    for path in (tmp_path / "data", tmp_path / "state", *(tmp_path / "state").rglob("*")):
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        path.chmod(0o750 if path.is_dir() else 0o640)
    return tmp_path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sfm_stream", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def belonging_to_root(top: Path) -> list[Path]:
    return [path for path in (top, *top.rglob("*")) if path.lstat().st_uid == 0]


@ROOT
def test_capturing_as_root_into_another_s_directories_is_refused_with_the_command_that_works(host: Path) -> None:
    """Nothing is written; the message names the owner."""
    done = run("filterstream", "storms", "--save", "--config-dir", host)
    assert done.returncode == 2
    assert done.stderr == (
        f"sfm-stream: as root, this would leave root's files in {host}/data; run it as the owner: "
        "sudo -u nobody sfm-stream filterstream storms --save\n"
    )
    assert belonging_to_root(host / "data") + belonging_to_root(host / "state") == []
    assert list((host / "data").iterdir()) == []


@ROOT
@pytest.mark.parametrize("command", [("status", 3), ("gaps", 3), ("history", 0)])
def test_a_report_that_root_asks_for_is_made_as_the_owner_of_the_records(host: Path, command: tuple[str, int]) -> None:
    """A file that only root may read is not shown by a link that the owner put there."""
    secret = host / "secret"
    secret.write_text(
        '{"time": "2026-11-24T20:00:00Z", "event": "start", "sha256": "", "settings": {"name": "hidden"}}\n'
    )
    secret.chmod(0o600)
    name, code = command
    arguments = [name, *(["storms"] if name != "status" else []), "--config-dir", host]
    assert run(*arguments).returncode == code
    for folder, suffix in (("journal", "jsonl"), ("history", "jsonl"), ("status", "json")):
        path = host / "state" / folder / f"twitterfilter-storms.{suffix}"
        path.unlink(missing_ok=True)
        path.symlink_to(secret)
    done = run(*arguments)
    assert "hidden" not in done.stdout
    assert "2026-11-24" not in done.stdout
    made = [path for path in belonging_to_root(host / "state") if not path.is_symlink()]
    assert made == []


@ROOT
def test_the_status_of_a_connected_stream_is_judged_by_a_package_that_only_root_can_read(host: Path) -> None:
    """As from a checkout in root's home: what the judgement needs is read before root becomes the owner."""
    package = host / "checkout"
    shutil.copytree(Path(sfm_stream.__file__).parent, package / "sfm_stream")
    package.chmod(0o700)
    path = host / "state" / "status" / "twitterfilter-storms.json"
    now = clock.text(clock.now())
    path.write_text(
        json.dumps({"program": "twitterfilter-storms", "pid": 1, "since": now, "state": "connected", "last_byte": now})
    )
    lock = Lock(host / "state", "twitterfilter-storms")
    for each in (path, host / "state" / "lock", host / "state" / "lock" / "twitterfilter-storms.lock"):
        os.chown(each, NOBODY, NOBODY)
    done = subprocess.run(
        [sys.executable, "-m", "sfm_stream", "status", "--json", "--config-dir", host],
        env={**os.environ, "PYTHONPATH": str(package)},
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    del lock
    assert "Traceback" not in done.stderr
    assert done.returncode == 3
    assert "its rules at X have not been seen yet" in done.stdout


@pytest.mark.parametrize("missing", ["state", "data"])
def test_no_directory_of_the_host_is_made_by_a_capture(host: Path, missing: str) -> None:
    """A path that is mistyped, or a deployment that is yet to come, is an error that says who makes it."""
    for path in sorted((host / missing).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (host / missing).rmdir()
    os.chown(host / ("data" if missing == "state" else "state"), os.geteuid(), os.getegid())
    done = run("filterstream", "storms", "--save", "--config-dir", host)
    assert done.returncode == 73
    assert f"{host / missing}: no such directory; a deployment makes it" in done.stderr
    assert not (host / missing).exists()


@ROOT
def test_root_goes_no_way_that_another_can_change(tmp_path: Path) -> None:
    """A directory or link of a third user, or one that everybody may write to; with what to do."""
    (tmp_path / "way").mkdir()
    end = tmp_path / "way" / "end"
    end.mkdir()
    os.chown(end, NOBODY, NOBODY)
    assert reach(end).st_uid == NOBODY
    (tmp_path / "way").chmod(0o777)
    with pytest.raises(UsageError, match=r"way can be written by others \(mode 0777\); fix: sudo -u nobody sfm-stream"):
        reach(end)
    (tmp_path / "way").chmod(0o1777)
    assert reach(end).st_uid == NOBODY
    (tmp_path / "way").chmod(0o755)
    os.chown(tmp_path / "way", OTHER, OTHER)
    with pytest.raises(UsageError, match=r"way belongs to #65533; fix: sudo -u nobody"):
        reach(end)
    with pytest.raises(UsageError, match="way belongs"):
        refuse_root("x", end)


@ROOT
def test_a_link_is_the_affair_of_whoever_can_change_it(tmp_path: Path) -> None:
    """Root's own link may lead to another disk; the process owner's may not lead root anywhere."""
    (tmp_path / "disk").mkdir()
    link = tmp_path / "data"
    link.symlink_to("../" + tmp_path.name + "/./disk")
    assert reach(link).st_uid == 0
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(UsageError, match=r"data belongs to nobody; fix: chown root"):
        reach(link)
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(NotADirectoryError, match="circle"):
        reach(tmp_path / "round")


def test_a_directory_that_cannot_be_reached_is_not_called_absent(tmp_path: Path) -> None:
    """A file where it should be, a path through a file, a name that is too long."""
    (tmp_path / "file").touch()
    for path, said in (
        (tmp_path / "no", "no such directory; a deployment makes it"),
        (tmp_path / "file", "no such directory"),
        (tmp_path / "file" / "x", "cannot be reached: Not a directory"),
        (tmp_path / ("x" * 300), "cannot be reached: File name too long"),
    ):
        with pytest.raises(StorageError, match=said):
            require_directory(path)
