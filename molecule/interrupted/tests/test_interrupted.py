"""Plays that were killed, hosts that were edited by hand: the next deployment heals them or says what it respected."""

from __future__ import annotations

import os
import signal
import subprocess

from deployment import Deployment
from hosts import Host, expected_programs, wait

FILES = "/etc/sfm/supervisor.d"


def healed(deployment: Deployment, host: Host, untouched: dict[str, int]) -> None:
    """The programs are those declared, the ones of `untouched` still with their PIDs."""
    declared = expected_programs(deployment.variables(host.name))
    programs = host.programs()
    assert {name: each.state for name, each in programs.items()} == dict.fromkeys(declared, "RUNNING")
    assert {name: programs[name].pid for name in untouched} == untouched
    files = host.run(f"ls {FILES}").split()
    assert set(files) == {f"{name}.conf" for name in declared}
    assert deployment.deploy("--check").changed == 0


def test_a_play_killed_between_files_and_supervisor_is_made_good_by_the_next(deployment: Deployment, one: Host) -> None:
    """Program files are already gone and new ones written, supervisor has not heard of it: the next run tells it."""
    filters = deployment.hosts[one.name]["sfm_filters"]
    before = one.pids()
    filters[:] = [each for each in filters if each["name"] != "storms"]
    filters.append({"name": "added", "credential": "spare", "track": ["music"]})
    play = subprocess.Popen(
        deployment.command("deploy"),
        cwd=deployment.project,
        env=deployment.environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait(
            lambda: "twitterfilter-storms.conf" not in one.run(f"ls {FILES}"),
            "the play removed no file",
            120,
        )
    finally:
        os.killpg(play.pid, signal.SIGKILL)
        text = play.communicate()[0].decode()
    assert play.returncode == -signal.SIGKILL, text
    assert "twitterfilter-storms" in one.pids(), "supervisor was told before the kill; nothing to heal"
    assert "twitterfilter-added" not in one.pids()
    assert deployment.deploy().changed > 0
    healed(deployment, one, {name: pid for name, pid in before.items() if name != "twitterfilter-storms"})


def test_files_edited_deleted_and_added_by_hand_are_put_right(deployment: Deployment, one: Host) -> None:
    """A program file with another value, one that is missing, and one that nobody declared."""
    before = one.pids()
    one.run(
        f"cd {FILES} && sed -i 's/^startretries.*/startretries=1/' twitterfilter-elections.conf"
        " && rm streamsample.conf"
        " && sed s/elections/stray/g twitterfilter-elections.conf > twitterfilter-stray.conf"
        " && supervisorctl update"
    )
    assert "twitterfilter-stray" in one.programs()
    assert "streamsample" not in one.programs()
    run = deployment.deploy()
    assert run.changed > 0
    assert "startretries=1" not in one.run(f"cat {FILES}/twitterfilter-elections.conf")
    healed(
        deployment,
        one,
        {name: pid for name, pid in before.items() if name not in ("twitterfilter-elections", "streamsample")},
    )


def test_a_hand_edit_that_supervisor_has_not_read_restarts_nothing(deployment: Deployment, one: Host) -> None:
    """The file is put right before anybody reads it: no process feels it."""
    before = one.pids()
    one.run(f"sed -i 's/^startretries.*/startretries=1/' {FILES}/twitterfilter-elections.conf")
    assert deployment.deploy().changed > 0
    healed(deployment, one, before)


def test_other_files_in_our_directory_are_left_alone(deployment: Deployment, one: Host) -> None:
    """A file that does not bear one of our names is somebody's own."""
    one.run(
        f"printf '[program:other-tool]\\ncommand=sleep infinity\\n' > {FILES}/other-tool.conf && supervisorctl update"
    )
    pid = one.pids()["other-tool"]
    deployment.deploy()
    assert one.pids().get("other-tool") == pid
    one.run(f"rm {FILES}/other-tool.conf && supervisorctl update")


def test_supervisord_that_is_down_is_started(deployment: Deployment, one: Host) -> None:
    """Somebody stopped the service: a deployment wants the streams up."""
    one.run("systemctl stop supervisor")
    deployment.deploy()
    healed(deployment, one, {})
    one.growing(set(one.pids()) - {"sfm-simulator"}, 60)


def test_a_program_stopped_by_hand_is_respected_or_started_and_said(deployment: Deployment, one: Host) -> None:
    """`supervisorctl stop`: the run either starts it again or leaves it stopped, and names it in both cases."""
    one.run("supervisorctl stop twitterfilter-elections")
    run = deployment.play("deploy")
    assert "twitterfilter-elections" in run.text, run.text
    state = one.programs()["twitterfilter-elections"].state
    assert state == "RUNNING" if run.code == 0 and run.changed else state == "STOPPED"
    one.output("supervisorctl start twitterfilter-elections")
    deployment.deploy()


def test_all_programs_stopped_by_hand_are_named(deployment: Deployment, one: Host) -> None:
    """`supervisorctl stop all`, an admin's pause: each program is named, none is silently left down."""
    one.run("supervisorctl stop all")
    streams = expected_programs(deployment.variables(one.name))
    run = deployment.play("deploy")
    for program in streams:
        assert program in run.text, run.text
    one.output("supervisorctl start all")
    wait(lambda: streams <= set(one.pids()), "not all are back", 30, one.programs)
    assert deployment.deploy().changed == 0
