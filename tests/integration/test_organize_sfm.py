"""A data directory as SFM left it is brought in whole; ours too, with real processes that are killed and that race."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.lib.archive_tree import fill
from sfm_stream import names

START = datetime(2014, 4, 1, tzinfo=UTC)
NOT_CAPTURES = {"SHA256SUMS", ".sfm-archive"}


def run(command: str, top: Path, *options: object, code: int | None = 0) -> dict:
    """Runs a command on the directories below `top`, and returns what it reports; any exit code will do for None."""
    arguments = ["--dir", top / "data", "--state-dir", top / "state", *options, "--json"]
    result = subprocess.run(
        [sys.executable, "-m", "sfm_stream", command, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert code in (None, result.returncode), result.stdout + result.stderr
    return json.loads(result.stdout) if result.stdout else {}


def organizedata(top: Path, *options: str) -> list[str]:
    places = ["--dir", f"{top}/data", "--state-dir", f"{top}/state"]
    return [sys.executable, "-m", "sfm_stream", "organizedata", *places, *options]


def start(top: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(organizedata(top, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def contents(top: Path) -> Counter[str]:
    return Counter(
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in top.rglob("*")
        if path.is_file() and path.name not in NOT_CAPTURES and not path.name.endswith(".unfinished")
    )


def lay_out_as_sfm_did(data: Path, files: int) -> dict[str, Path]:
    """A month of two programs: the older part sorted by SFM, the newer loose; and what such a directory collects.

    Returns:
        The oddities by their kind.
    """
    data.mkdir(parents=True)
    dice = random.Random(20140411)
    step = timedelta(days=30) / (files // 2)
    for index in range(files // 2):
        when = START + step * index
        for program, suffix in (("twitterfilter-2", ".gz"), ("streamsample", ".xml.gz" if index < 50 else ".gz")):
            # The oldest versions wrote the time with colons.
            form = "%Y-%m-%dT%H:%M:%SZ" if when.day < 3 else "%Y-%m-%dT%H-%M-%SZ"
            name = f"{program}-{when.strftime(form)}{suffix}"
            folder = data / program / when.strftime("%Y/%m/%d/%H") if when.day < 11 else data
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(f"{name} {dice.random()}".encode() * 4)
    twice = next((data / "streamsample/2014/04/05").rglob("*.gz"))
    (data / twice.name).write_bytes(twice.read_bytes())
    other = next((data / "twitterfilter-2/2014/04/05").rglob("*.gz"))
    (data / other.name).write_bytes(b"written by another host")
    (data / "notes.txt").write_text("do not touch")
    (data / "streamsample-2014-04-31T00-00-00Z.gz").write_text("there is no such day")
    (data / "twitterfilter-2-2014-04-30T23-59-59Z.gz").touch()
    return {"twice": twice, "other": other, "empty": data / "twitterfilter-2-2014-04-30T23-59-59Z.gz"}


def test_a_data_directory_of_sfm_is_brought_in_whole_and_audited(tmp_path: Path) -> None:
    """Ten thousand files of two programs over a month; then a flipped byte, a loss and a stranger are each found."""
    data = tmp_path / "data"
    oddities = lay_out_as_sfm_did(data, 10_000)
    (tmp_path / "state").mkdir()
    before = contents(data)
    twice = hashlib.sha256(oddities["twice"].read_bytes()).hexdigest()
    assert before[twice] == 2

    open_file = data / "streamsample-2014-04-30T23-59-58Z.gz"
    with open_file.open("wb") as writer:
        outcome = run("organizedata", tmp_path, code=3)
        assert outcome["waiting"] == 1
        assert {(finding["kind"], Path(finding["file"]).name) for finding in outcome["findings"]} == {
            ("unknown", "notes.txt"),
            ("unknown", "streamsample-2014-04-31T00-00-00Z.gz"),
            ("renamed", oddities["other"].name),
        }
        assert (outcome["known"], outcome["moved"] + outcome["adopted"]) == (1, 10_000 + 2)
        assert json.loads((tmp_path / "state" / "organize.json").read_text()) == outcome
        writer.write(b"a quiet stream's last post")
    outcome = run("organizedata", tmp_path, code=3)
    assert (outcome["moved"], outcome["waiting"]) == (1, 0)

    after = contents(data)
    late = hashlib.sha256(b"a quiet stream's last post").hexdigest()
    assert after == before - Counter([twice]) + Counter([late])
    assert {path.name for path in data.iterdir() if path.is_file()} == {
        "notes.txt",
        "streamsample-2014-04-31T00-00-00Z.gz",
    }

    audited = run("audit", tmp_path)
    assert (audited["files"], audited["verified"]) == (10_003, 10_003)
    day = data / "streamsample/2014/04/20"
    check = subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=day, check=False)
    assert check.returncode == 0

    flipped, missing = list(day.rglob("*.gz"))[3:5]
    raw = bytearray(flipped.read_bytes())
    raw[7] ^= 0x20
    flipped.write_bytes(raw)
    missing.unlink()
    extra = day / "05" / "streamsample-2014-04-20T05-55-55Z.gz"
    extra.touch()
    audited = run("audit", tmp_path, code=3)
    assert {(finding["kind"], finding["file"]) for finding in audited["findings"]} == {
        ("changed", str(flipped)),
        ("missing", str(missing)),
        ("unexpected", str(extra)),
    }
    assert json.loads((tmp_path / "state" / "audit.json").read_text()) == audited


@pytest.fixture
def month(tmp_path: Path) -> Path:
    """Two thousand loose files of a month."""
    (tmp_path / "data").mkdir()
    (tmp_path / "state").mkdir()
    for index in range(2000):
        when = START + timedelta(minutes=21) * index
        name = names.CaptureName(program="streamsample", time=when)
        (tmp_path / "data" / str(name)).write_bytes(str(index).encode())
    return tmp_path


def test_killed_runs_lose_nothing(month: Path) -> None:
    """SIGKILL, again and again, at the first, the second, the tenth ... file that is moved."""
    before = contents(month / "data")
    for moved in (0, 1, 10, 100, 400):
        with start(month, "--verbose") as process:
            for _ in range(moved):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        assert contents(month / "data") == before
        audited = run("audit", month, code=None)
        assert {finding["kind"] for finding in audited["findings"]} <= {"manifest", "empty"}
    run("organizedata", month)
    assert contents(month / "data") == before
    assert run("audit", month)["verified"] == 2000


def test_runs_at_once_double_nothing(month: Path) -> None:
    """Of four that start together, those that are late say so with their own exit code, and nothing is done twice."""
    before = contents(month / "data")
    processes = [start(month) for _ in range(4)]
    said = [(process.communicate(), process.returncode)[::-1] for process in processes]
    codes = [code for code, _ in said]
    assert 0 in codes
    assert set(codes) <= {0, 75}
    assert all(b"another organizedata is at work" in err for code, (_, err) in said if code == 75)
    assert contents(month / "data") == before
    assert run("audit", month)["verified"] == 2000
    lines = [line for path in (month / "data").rglob("SHA256SUMS") for line in path.read_text().splitlines()]
    assert len(lines) == len(set(lines)) == 2000


def test_an_archive_on_another_filesystem_gets_verified_copies(month: Path) -> None:
    """What is there, read back and on disk, is removed here."""
    if not os.access("/dev/shm", os.W_OK) or Path("/dev/shm").stat().st_dev == month.stat().st_dev:
        pytest.skip("there is no second filesystem to write to")
    before = contents(month / "data")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as archive:
        outcome = run("organizedata", month, "--archive-dir", archive)
        assert outcome["moved"] == 2000
        assert contents(month / "data") == Counter()
        assert contents(Path(archive)) == before
        assert run("audit", month, "--archive-dir", archive)["verified"] == 2000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the owner")
def test_started_by_root_it_works_as_the_owner(month: Path) -> None:
    """What it makes belongs to the owner of the data, who runs the scheduled job, and to its group."""
    for path in (month, *month.rglob("*")):
        os.chown(path, 65534, 65534)
    for parent in month.parents:
        if parent.stat().st_mode & 0o5 != 0o5:
            parent.chmod(0o755)
    run("organizedata", month)
    made = [path for path in month.rglob("*") if path.stat().st_uid != 65534 or path.stat().st_gid != 65534]
    assert made == []
    assert (month / "state" / "organize.json").exists()
    assert not (month / "data" / "streamsample").stat().st_mode & 0o007


def test_a_person_reads_what_was_done(month: Path) -> None:
    """Plain text: each file on request, what needs a look as a table, a summary; a dry run says would."""
    (month / "data" / "notes.txt").touch()
    command = [
        sys.executable,
        "-m",
        "sfm_stream",
        "organizedata",
        "--dir",
        month / "data",
        "--state-dir",
        month / "state",
    ]
    dry = subprocess.run([*command, "--dry-run", "--verbose"], capture_output=True, text=True, check=False)
    assert dry.returncode == 3
    assert dry.stdout.count(" -> ") == 2000
    assert "would be moved" in dry.stdout
    assert "unknown" in dry.stdout
    assert not (month / "data" / "streamsample").exists()
    assert not (month / "state" / "organize.json").exists()
    real = subprocess.run(command, capture_output=True, text=True, check=False)
    assert real.returncode == 3
    assert len(real.stdout.splitlines()) == 3
    assert real.stdout.splitlines()[-1].startswith("2,000 files (6.9 KB) moved in")
    assert real.stderr == "sfm-stream: 1 thing needs a look\n"


def test_a_bar_shows_the_way_on_a_terminal(month: Path) -> None:
    """And only there: results go to standard output, where no bar disturbs them."""
    ours, theirs = pty.openpty()
    result = subprocess.run(organizedata(month), stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux tells the end of a terminal by an error
        while chunk := os.read(ours, 65536):
            shown += chunk
    os.close(ours)
    assert b"Sorting" in shown
    assert b"100%" in shown
    assert result.stdout.startswith(b"2,000 files")


def test_wrong_places_are_told(tmp_path: Path) -> None:
    """Each with the exit code of its class, and no traceback."""
    for command, code in (("organizedata", 73), ("audit", 2)):
        result = subprocess.run(
            [sys.executable, "-m", "sfm_stream", command, "--dir", tmp_path / "no", "--state-dir", tmp_path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code
        assert "no such directory" in result.stderr
        assert "Traceback" not in result.stderr


SORT = """
import resource, sys
from pathlib import Path
from sfm_stream.archive import loose
from sfm_stream.archive.organize import Organizer
loose.BATCH_FILES = 1000
Organizer(Path("data"), None, Path("state")).run()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    """Ten times the files in batches of the same size; `script/bench organize` goes up to a million."""
    megabytes = []
    for files in (2_000, 20_000):
        place = tmp_path / str(files)
        place.mkdir()
        fill(place / "data", place / "state", files, 0)
        done = subprocess.run([sys.executable, "-c", SORT], cwd=place, capture_output=True, text=True, check=True)
        megabytes.append(int(done.stdout))
    assert megabytes[1] - megabytes[0] <= 6
