"""Plays that were killed, hosts that were edited by hand: the next deployment heals them or says what it respected."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from deployment import STREAMS, Deployment
from hosts import Host, expected_programs, wait

FILES = "/etc/sfm/supervisor.d"
SHARED = Path(__file__).resolve().parents[2] / "shared"


def healed(deployment: Deployment, host: Host, untouched: dict[str, int]) -> None:
    """The programs are those declared, the ones of `untouched` still with their PIDs."""
    declared = expected_programs(deployment.variables(host.name))
    programs = host.programs()
    assert {name: each.state for name, each in programs.items()} == dict.fromkeys(declared, "RUNNING")
    assert {name: programs[name].pid for name in untouched} == untouched
    files = host.run(f"ls {FILES}").split()
    assert set(files) == {f"{name}.conf" for name in declared}


STEPS = ("Write the settings", "Make the program files", "Apply the program files", "Remove settings")


@pytest.mark.parametrize("step", STEPS)
def test_a_play_killed_before_a_step_is_made_good_by_the_next(step: str, deployment: Deployment, one: Host) -> None:
    """A filter goes, one comes, one has a new interval, and the play dies between two steps: the next run heals it."""
    filters = deployment.hosts[one.name]["sfm_filters"]
    before = one.pids()
    names = [each["name"] for each in filters]
    old, new = ("storms", "added") if "storms" in names else ("added", "storms")
    filters[:] = [each for each in filters if each["name"] != old]
    filters.append({"name": new, "credential": "second", "track": ["coffee", "vote", "rain"]})
    deployment.hosts[one.name]["sfm_streamsample"]["save_interval"] = 20 + STEPS.index(step)
    run = deployment.play(
        "deploy",
        *STREAMS,
        environment={
            "ANSIBLE_CALLBACK_PLUGINS": str(SHARED / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "kill_before",
            "SFM_KILL_BEFORE": step,
        },
    )
    assert run.code == -signal.SIGKILL, run.text
    if step == "Apply the program files":
        assert f"twitterfilter-{old}.conf" not in one.run(f"ls {FILES}")
        assert one.pids() == before, "supervisor was told before the kill; nothing to heal"
    deployment.deploy(*STREAMS)
    healed(deployment, one, {name: before[name] for name in ("twitterfilter-elections", "sfm-simulator")})
    assert one.run(f"find /etc/sfm -name '*-{old}*'") == ""
    assert one.json("/etc/sfm/streams/streamsample.json")["save_interval"] == 20 + STEPS.index(step)


def test_files_edited_deleted_and_added_by_hand_are_put_right(deployment: Deployment, one: Host) -> None:
    """A program file with another value, one that is missing, and one that nobody declared."""
    before = one.pids()
    one.run(
        f"cd {FILES} && sed -i 's/^startretries.*/startretries=7/' twitterfilter-elections.conf"
        " && rm streamsample.conf"
        " && sed s/elections/stray/g twitterfilter-elections.conf > twitterfilter-stray.conf"
        " && supervisorctl update"
    )
    assert "twitterfilter-stray" in one.programs()
    assert "streamsample" not in one.programs()
    run = deployment.deploy(*STREAMS)
    assert run.changed > 0
    assert "startretries=7" not in one.run(f"cat {FILES}/twitterfilter-elections.conf")
    healed(
        deployment,
        one,
        {name: pid for name, pid in before.items() if name not in ("twitterfilter-elections", "streamsample")},
    )


def test_a_hand_edit_that_supervisor_has_not_read_restarts_nothing(deployment: Deployment, one: Host) -> None:
    """The file is put right before anybody reads it: no process feels it."""
    before = one.pids()
    one.run(f"sed -i 's/^startretries.*/startretries=7/' {FILES}/twitterfilter-elections.conf")
    assert deployment.deploy(*STREAMS).changed > 0
    healed(deployment, one, before)


def test_other_files_in_our_directory_are_left_alone(deployment: Deployment, one: Host) -> None:
    """A file that does not have one of our names is somebody's own."""
    one.run(
        f"printf '[program:other-tool]\\ncommand=sleep infinity\\n' > {FILES}/other-tool.conf && supervisorctl update"
    )
    wait(lambda: "other-tool" in one.pids(), "the other tool does not run")
    pid = one.pids()["other-tool"]
    deployment.deploy(*STREAMS)
    assert one.pids().get("other-tool") == pid
    one.run(f"rm {FILES}/other-tool.conf && supervisorctl update")


def test_supervisord_that_is_down_is_started(deployment: Deployment, one: Host) -> None:
    """Somebody stopped the service: a deployment wants the streams up."""
    one.run("systemctl stop supervisor")
    deployment.deploy()
    healed(deployment, one, {})
    one.growing(set(one.pids()) - {"sfm-simulator"}, 60)


def test_a_program_stopped_by_hand_stays_so_and_is_named(deployment: Deployment, one: Host) -> None:
    """`supervisorctl stop` is somebody's decision: the run respects it, says so, and moves nobody else."""
    one.run("supervisorctl stop twitterfilter-elections")
    before = one.pids()
    run = deployment.deploy()
    assert "twitterfilter-elections" in run.text, run.text
    assert one.programs()["twitterfilter-elections"].state == "STOPPED"
    assert one.pids() == before


def test_a_stopped_program_is_started_where_the_inventory_asks_for_it(deployment: Deployment, one: Host) -> None:
    """`sfm_start_stopped: true`: the next run starts it, and that one alone."""
    before = one.pids()
    run = deployment.deploy(*STREAMS, "-e", "sfm_start_stopped=true")
    assert run.changed > 0
    healed(deployment, one, before)


def test_all_programs_stopped_by_hand_are_named(deployment: Deployment, one: Host) -> None:
    """`supervisorctl stop all`, an admin's pause: each program is named, and one run brings all back."""
    one.run("supervisorctl stop all")
    streams = expected_programs(deployment.variables(one.name))
    run = deployment.deploy(*STREAMS)
    assert [program for program in streams if program not in run.text] == [], run.text
    assert one.pids() == {}
    deployment.deploy(*STREAMS, "-e", "sfm_start_stopped=true")
    healed(deployment, one, {})
    one.growing(streams - {"sfm-simulator"}, 60)


def test_nothing_is_left_to_do_after_all_this(deployment: Deployment, one: Host) -> None:
    """One more deployment: changed=0, and every process as before."""
    before = one.pids()
    run = deployment.deploy()
    assert run.changed == 0, run.text
    assert one.pids() == before
