"""From release 0.1.0 to this one and back, on a running host with data in it.

The tests build on each other: 0.1.0 is deployed by its own roles and captures; an upgrade fails; the next one succeeds.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from deployment import PROJECT, Deployment
from hosts import Host, expected_streams, seconds_of, wait

BEFORE = "b2219e6ee9e0c42947dd7eb66f12b91287f745f7"
"""The commit of release 0.1.0, by its hash: a clone need not have its tag."""
LOG = "/var/log/supervisor/supervisord.log"
STATE = "/var/lib/sfm/state"
STREAMS = "/etc/sfm/streams"


@pytest.fixture(scope="session")
def before(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The same inventory, deployed by the roles, the playbooks and the package of release 0.1.0."""
    directory = tmp_path_factory.mktemp("release-0.1.0")
    archive = directory / "release.tar"
    done = subprocess.run(
        ["git", "archive", f"--output={archive}", BEFORE], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        pytest.fail(
            f"release 0.1.0 (commit {BEFORE[:7]}) cannot be read from {PROJECT}: {said}. It takes a whole clone: "
            "git fetch --unshallow",
            pytrace=False,
        )
    with tarfile.open(archive) as packed:
        packed.extractall(directory / "checkout", filter="data")
    return deployment.of(directory / "checkout")


@pytest.fixture(scope="session")
def streams(deployment: Deployment, one: Host) -> set[str]:
    """The streams of the host."""
    return expected_streams(deployment.variables(one.name))


class Records(NamedTuple):
    """What a host has collected, and what it says of it: file contents, or checksums, by path."""

    captured: dict[str, str]
    manifests: dict[str, str]
    journals: dict[str, str]
    histories: dict[str, str]
    counted: dict[str, int]

    @classmethod
    def of(cls, host: Host) -> Records:
        """Those of a host, as they are now."""
        found = {
            kind: {path: host.run(f"cat {path}") for path in host.run(f"find {where}").split()}
            for kind, where in (
                ("manifests", "/var/lib/sfm/data -name SHA256SUMS"),
                ("journals", f"{STATE}/journal -type f -name '*.jsonl'"),
                ("histories", f"{STATE}/history -type f"),
            )
        }
        budgets = host.run(f"ls {STATE}/budget/*.json").split()
        counted = {path: posts_counted(host.json(path)) for path in budgets}
        return cls(captured=host.checksums(), counted=counted, **found)

    def lost(self, now: Records) -> list[str]:
        """What a later state lacks or has changed. What is captured never changes; records only grow."""
        return [
            *(path for path, content in self.captured.items() if now.captured.get(path) != content),
            *(
                path
                for kind in ("manifests", "journals", "histories")
                for path, content in getattr(self, kind).items()
                if not getattr(now, kind).get(path, "").startswith(content)
            ),
        ]


def posts_counted(budget: dict[str, Any]) -> int:
    """The posts in a budget's counters; 0.1.0 counts a month, this release its days."""
    return int(budget["this_month"]) if "this_month" in budget else sum(budget["days"].values())


def release(host: Host) -> str:
    """The directory of the release that is installed on a host."""
    return host.run("readlink -f /opt/sfm/current").strip()


def commands(host: Host) -> dict[str, str]:
    """What each program file runs, without the directory of the release."""
    text = host.run("grep -H ^command= /etc/sfm/supervisor.d/*.conf")
    return {line.split(":")[0]: re.sub(r"\S+/bin/sfm-stream", "sfm-stream", line) for line in text.splitlines()}


def as_owner(host: Host, arguments: str) -> str:
    """Runs the installed release as the process owner; it must succeed."""
    return host.run(f"runuser -u sfm -- /opt/sfm/current/bin/sfm-stream {arguments}")


def test_the_release_before_captures_and_sorts(before: Deployment, one: Host, streams: set[str]) -> None:
    """The host has posts, a date tree with manifests, and records of 0.1.0."""
    before.deploy()
    one.growing(streams, 60)

    def unfinished() -> set[str]:
        files = one.checksums()
        return {name for name in streams if not any(f"/{name}-" in path for path in files)}

    wait(lambda: not unfinished(), "no finished file", 30, unfinished)
    as_owner(one, "organizedata")
    wait(lambda: not {s for s in streams if not one.output(f"ls /var/lib/sfm/data/{s}-*.gz").strip()}, "no new file")
    records = Records.of(one)
    assert len(records.manifests) >= len(streams)
    assert records.journals.keys() == {f"{STATE}/journal/{name}.jsonl" for name in streams}
    assert records.histories.keys() == {f"{STATE}/history/{name}.jsonl" for name in streams}
    assert len(records.counted) == len(streams)
    assert min(records.counted.values()) > 0


def test_a_failed_upgrade_leaves_the_release_before_running(
    deployment: Deployment, one: Host, streams: set[str]
) -> None:
    """No package index can be reached: the play fails, and 0.1.0 runs on, and comes back from a crash."""
    pids, old, records = one.pids(), release(one), Records.of(one)
    index = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": "/dev/null", "PIP_RETRIES": "1"}
    deployment.everywhere["sfm_pip_environment"] = index
    run = deployment.play("deploy")
    del deployment.everywhere["sfm_pip_environment"]
    assert run.code != 0, run.text
    assert "pip reached no package index" in run.text
    assert release(one) == old
    assert one.pids() == pids
    one.run(f"kill -9 {pids[min(streams)]}")
    wait(lambda: streams <= set(one.pids()), "the old release does not start any more", 30, one.programs)
    assert records.lost(Records.of(one)) == []


def test_an_upgrade_keeps_all_and_leaves_planned_gaps_alone(
    deployment: Deployment, one: Host, streams: set[str]
) -> None:
    """The streams stand still while the host's own simulator restarts: X was never away."""
    pids, old, ran, records = one.pids(), release(one), commands(one), Records.of(one)
    begin, line = float(one.run("date +%s.%N")), int(one.run(f"wc -l < {LOG}"))
    deployment.deploy()
    assert release(one) != old
    one.growing(streams, 60)
    assert one.programs().keys() == {*streams, "sfm-simulator"}
    assert not {name for name in streams if pids[name] == one.pids()[name]}
    assert commands(one) == ran
    now = Records.of(one)
    assert records.lost(now) == []
    assert [path for path, posts in records.counted.items() if now.counted[path] < posts] == []
    for program in streams:
        journal = [entry for entry in one.journal(program) if seconds_of(entry["time"]) >= begin]
        stop = next(entry for entry in journal if entry["event"] == "stop")
        start = next(entry for entry in journal if entry["event"] == "start")
        assert stop["planned"] is True
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


def test_the_same_release_again_changes_nothing(deployment: Deployment, one: Host) -> None:
    """The upgrade was whole: a second run finds nothing to do."""
    pids = one.pids()
    run = deployment.deploy()
    assert run.changed == 0, run.text
    assert one.pids() == pids


def test_the_archive_of_both_releases_is_whole(one: Host, streams: set[str]) -> None:
    """Files of 0.1.0 and of this release stand in one tree; an audit of them finds nothing, and so does `gaps`."""
    wait(lambda: all(one.output(f"ls /var/lib/sfm/data/{s}-*.gz").strip() for s in streams), "no new file", 30)
    as_owner(one, "organizedata")
    as_owner(one, "audit")
    assert "election" in one.run("sfm-stream history elections")


def test_a_setting_of_a_later_release_costs_one_warning(one: Host) -> None:
    """As after a rollback from there: the program runs with what it knows."""
    path, log = f"{STREAMS}/twitterfilter-storms.json", "/var/log/sfm/twitterfilter-storms.err.log"
    seen = int(one.run(f"wc -l < {log}"))
    one.run(f"""sed -i '1s/{{/{{"of_a_later_release": true,/' {path}""")
    one.run("supervisorctl restart twitterfilter-storms")
    one.growing(["twitterfilter-storms"])
    said = one.run(f"tail -n +{seen + 1} {log}").splitlines()
    assert len([line for line in said if "of_a_later_release" in line]) == 1, said


def test_the_release_before_comes_back_and_loses_nothing(before: Deployment, one: Host, streams: set[str]) -> None:
    """It reads the settings of this release as they are, and goes on with its records; budgets it counts anew."""
    as_it_is = one.run(f"cat {STREAMS}/twitterfilter-elections.json")
    records = Records.of(one)
    run = before.deploy()
    assert one.run(f"cat {STREAMS}/twitterfilter-elections.json") == as_it_is, run.text
    one.growing(streams, 60)
    assert one.programs().keys() == {*streams, "sfm-simulator"}
    assert records.lost(Records.of(one)) == []
