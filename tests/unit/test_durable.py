"""Writing that survives a crash."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sfm_stream.durable import replace_file, sync_directory, write_all


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_whole(tmp_path: Path, durable: bool) -> None:
    """The new content stands in place of the old one, whatever was longer; nothing else is left."""
    path = tmp_path / "folder" / "file"
    for content in (b"first and longer", b"", b"third"):
        replace_file(path, content, durable=durable)
        assert path.read_bytes() == content
        assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) & 0o137 == 0
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o027 == 0


def test_a_reader_sees_the_old_or_the_new_and_nothing_between(tmp_path: Path) -> None:
    """However often it reads while the file is replaced."""
    path = tmp_path / "file"
    contents = [bytes([number]) * 10_000 for number in range(1, 4)]
    replace_file(path, contents[0])
    done = threading.Event()

    def replace() -> None:
        for _ in range(100):
            for content in contents:
                replace_file(path, content, durable=False)
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(path.read_bytes())
    writer.join()
    assert seen <= set(contents)


def test_killed_while_it_writes_the_old_file_is_whole(tmp_path: Path) -> None:
    """A kill -9 at the rename leaves the old content; the next write clears what was left."""
    path = tmp_path / "file"
    replace_file(path, b"old")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from sfm_stream.durable import replace_file\n"
        "sys.addaudithook(lambda event, _: event == 'os.rename' and os.kill(os.getpid(), signal.SIGKILL))\n"
        "replace_file(Path(sys.argv[1]), b'new')\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)])
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    replace_file(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """Neither at the name itself nor at the one that the new content has for a moment."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for name in ("file", ".file.new"):
        (tmp_path / name).symlink_to(victim)
    replace_file(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"precious"
    assert (tmp_path / "file").read_bytes() == b"new"
    assert not (tmp_path / "file").is_symlink()


def test_no_folder_above_the_file_s_own_is_made_up(tmp_path: Path) -> None:
    """A state directory that is not there is an error, and is not there after it either."""
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "state" / "status" / "file", b"x")
    assert list(tmp_path.iterdir()) == []


def test_every_byte_is_written_however_many_calls_it_takes(tmp_path: Path) -> None:
    """A pipe takes less than is given at a time."""
    reader, writer = os.pipe()
    content = os.urandom(1_000_000)
    received = bytearray()

    def receive() -> None:
        while data := os.read(reader, 4096):
            received.extend(data)

    thread = threading.Thread(target=receive)
    thread.start()
    write_all(writer, content)
    os.close(writer)
    thread.join()
    os.close(reader)
    assert bytes(received) == content


def test_only_a_directory_is_synced_as_one(tmp_path: Path) -> None:
    """A mistaken path is an error, not a silent nothing."""
    sync_directory(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_directory(tmp_path / "file")
