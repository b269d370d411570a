"""A host where supervisor already runs other people's programs, an older SFM's among them, and asks for a password.

They do not notice us, neither coming nor going.
"""

from __future__ import annotations

from deployment import Deployment
from hosts import Host, expected_programs, expected_streams

OTHERS = ("other-inline", "other-web", "other-worker", "twitterfilter-1")
CONFIGURATION = "/etc/supervisor/supervisord.conf"


def others(host: Host) -> dict[str, int]:
    """The PIDs of the programs that are not ours."""
    return {name: pid for name, pid in host.pids().items() if name in OTHERS}


def test_the_other_programs_never_noticed(one: Host) -> None:
    """All four still have the processes of before: nothing that a deployment does needs supervisord restarted."""
    lines = [line.split() for line in one.run("cat /root/before.pids").splitlines()]
    before = {name: int(pid.rstrip(",")) for name, pid in lines}
    assert set(before) == set(OTHERS)
    assert others(one) == before


def test_a_change_of_ours_does_not_reach_them(deployment: Deployment, one: Host) -> None:
    """A new filter, with a change of theirs pending in a file: theirs stays pending, and their PIDs stay."""
    one.run("sed -i 's/sleep infinity/sleep 100000/' /etc/supervisor/conf.d/web.conf")
    before = others(one)
    deployment.filter("storms")["save_interval"] = 11
    deployment.deploy()
    assert others(one) == before
    one.run("sed -i 's/sleep 100000/sleep infinity/' /etc/supervisor/conf.d/web.conf")


def test_their_lines_stand_where_they_stood(one: Host) -> None:
    """Every line of the old file is in the new one, in the same order, but those that had to change for us."""
    old = one.run("cat /root/before.conf").splitlines()
    new = one.run(f"cat {CONFIGURATION}").splitlines()
    kept = [line for line in old if line in new]
    lost = [line.strip() for line in old if line not in new]
    assert lost == ["chmod=0700"]
    positions = [new.index(line) for line in kept if line.strip()]
    assert positions == sorted(positions)
    assert "/opt/others/*.ini" in "".join(new)


def test_crlf_line_ends_stay(one: Host) -> None:
    """The file's own line ends hold for our lines too: no line ends in a bare LF."""
    text = one.run(f"cat {CONFIGURATION}")
    assert text.count("\r\n") == text.count("\n") > 20


def test_operators_reach_supervisor(one: Host) -> None:
    """The socket is root:sfm-operators 0770 though the old file said 0700."""
    socket = one.infra.file("/var/run/supervisor.sock")
    assert (socket.user, socket.group, socket.mode) == ("root", "sfm-operators", 0o770)


def test_removal_gives_the_host_back_as_it_was(deployment: Deployment, one: Host) -> None:
    """remove.yml: the old configuration byte for byte, the others' programs running, only the data left."""
    ours = expected_programs(deployment.variables(one.name))
    files = one.checksums()
    run = deployment.play("remove", "-e", "sfm_remove_confirmed=true")
    assert run.code == 0, run.text
    programs = one.programs()
    assert not ours & set(programs)
    assert {name: programs[name].state for name in OTHERS} == dict.fromkeys(OTHERS, "RUNNING")
    assert one.run("sha256sum < /root/before.conf") == one.run(f"sha256sum < {CONFIGURATION}")
    for path in ("/opt/sfm", "/etc/sfm", "/var/log/sfm"):
        assert not one.infra.file(path).exists, path
    now = one.checksums()
    assert {path: now.get(path) for path in files} == files
    assert "/var/lib/sfm/data" in run.text, "the play does not say what it left"
    accounts = "{ getent passwd; getent group; } | cut -d: -f1,3- | sort | grep -v '^sfm[:-]'"
    assert one.run(accounts) == one.run("cat /root/before.accounts")
    assert not [line for line in one.run("ps -ef").splitlines() if "/opt/sfm" in line]


def test_removal_twice_changes_nothing(deployment: Deployment) -> None:
    """A second run finds nothing to remove."""
    run = deployment.play("remove", "-e", "sfm_remove_confirmed=true")
    assert run.code == 0, run.text
    assert run.changed == 0, run.text


def test_a_deployment_after_a_removal_takes_the_data_up_again(deployment: Deployment, one: Host) -> None:
    """The host can be deployed again as if for the first time; the old files are still there."""
    files = one.checksums()
    deployment.deploy()
    now = one.checksums()
    assert {path: now.get(path) for path in files} == files
    one.growing(expected_streams(deployment.variables(one.name)), 60)
