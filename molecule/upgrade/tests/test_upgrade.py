"""From one release to the next on a running host.

The scenario deploys this release; the next one is a copy of the project with another version.
"""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deployment import PROJECT, Deployment
from hosts import Host, expected_programs, seconds_of, wait

LOG = "/var/log/supervisor/supervisord.log"


def release(directory: Path, version: str) -> Path:
    """A copy of this project that calls itself `version`."""
    skip = shutil.ignore_patterns(
        ".git", ".venv", ".cache", ".*_cache", "dist", "__pycache__", "tests", "molecule", "shared"
    )
    shutil.copytree(PROJECT, directory, ignore=skip, symlinks=True)
    module = directory / "sfm_stream" / "__init__.py"
    module.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', module.read_text()))
    return directory


def version(host: Host) -> str:
    """The release that is installed on a host."""
    return host.run("/opt/sfm/current/bin/sfm-stream --version").split()[-1]


@pytest.fixture
def streams(deployment: Deployment, one: Host) -> set[str]:
    """The streams of the host."""
    return expected_programs(deployment.variables(one.name)) - {"sfm-simulator"}


def test_a_failed_installation_leaves_the_old_release_running(
    deployment: Deployment, one: Host, streams: set[str], tmp_path: Path
) -> None:
    """The new release needs a package that does not exist: the play fails, and the old release runs on as before."""
    broken = release(tmp_path / "broken", "9.9.9")
    project = broken / "pyproject.toml"
    project.write_text(project.read_text().replace('"click>=8.1",', '"click>=8.1", "click==0.0.0.dev999999",'))
    before, old, files = one.pids(), version(one), one.checksums()
    run = deployment.of(broken).play("deploy")
    assert run.code != 0, run.text
    assert version(one) == old
    assert one.pids() == before
    one.run("/opt/sfm/current/bin/sfm-stream --help")
    one.run(f"kill -9 {before[min(streams)]}")
    wait(lambda: streams <= set(one.pids()), "the old release does not start any more", 30, one.programs)
    now = one.checksums()
    assert {path: now.get(path) for path in files} == files


def test_an_upgrade_restarts_all_with_planned_gaps_alone(
    deployment: Deployment, one: Host, streams: set[str], tmp_path: Path
) -> None:
    """All run the new release. The streams stand still while the host's own simulator restarts: X was never away."""
    deployment.deploy()
    before, files, begin = one.pids(), one.checksums(), float(one.run("date +%s.%N"))
    line = int(one.run(f"wc -l < {LOG}"))
    newer = release(tmp_path / "newer", "9.9.9")
    deployment.of(newer).deploy()
    assert version(one) == "9.9.9"
    one.growing(streams, 60)
    after = one.pids()
    assert not {name for name in streams if before[name] == after[name]}
    now = one.checksums()
    assert {path: now.get(path) for path in files} == files
    for program in streams:
        journal = [entry for entry in one.journal(program) if seconds_of(entry["time"]) >= begin]
        stop = next(entry for entry in journal if entry["event"] == "stop")
        start = next(entry for entry in journal if entry["event"] == "start")
        assert stop["planned"] is True
        assert start["version"] == "9.9.9"
        began = seconds_of(start["time"])
        gaps = [entry for entry in journal if entry["event"] == "gap"]
        assert [entry["planned"] for entry in gaps] == [True], gaps
        spans = [(seconds_of(entry["start"]), seconds_of(entry["end"])) for entry in gaps]
        covering = [(since, until) for since, until in spans if since <= began <= until]
        assert len(covering) == 1, gaps
        print(f"FIGURE gap of {program} in an upgrade: {covering[0][1] - covering[0][0]:.2f} s")
    steps = re.findall(r"(stopped|spawned): '?([\w-]+)", one.run(f"tail -n +{line + 1} {LOG}"))
    order = [program for step, program in steps if step == "spawned" and program in streams]
    assert set(order) == streams
    simulator = [("stopped", "sfm-simulator"), ("spawned", "sfm-simulator")]
    stopped, spawned = ([(step, program) for program in order] for step in ("stopped", "spawned"))
    assert steps == [*stopped, *simulator, *spawned]
    since = f"{datetime.fromtimestamp(begin, UTC):%Y-%m-%dT%H:%M:%S}"
    one.run(f"sfm-stream gaps --since {since}")  # which fails where something is missing that nobody asked for


def test_the_same_release_again_changes_nothing(deployment: Deployment, one: Host, tmp_path: Path) -> None:
    """The upgrade was whole: a second run of the new release finds nothing to do."""
    before = one.pids()
    newer = release(tmp_path / "newer", "9.9.9")
    run = deployment.of(newer).deploy()
    assert run.changed == 0, run.text
    assert one.pids() == before
