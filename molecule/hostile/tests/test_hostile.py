"""The people of docs/security.md, each trying what they must not be able to do."""

from __future__ import annotations

import shlex

import pytest
from deployment import BASE, SUPERVISOR, Deployment
from hosts import Host, wait

PEOPLE = {"stranger": "nobody", "member": "reader", "operator": "operator", "process owner": "sfm"}
STREAM = "twitterfilter-elections"
SOCKET = "/run/supervisor.sock"
CONFIGURATION = "/etc/supervisor/supervisord.conf"
# What the table says, as commands that succeed for those named and fail for all others.
READERS = {"member", "process owner"}
MAY = {
    f"ls /var/lib/sfm/data && cat /var/lib/sfm/state/journal/{STREAM}.jsonl": READERS,
    f"sfm-stream gaps; sfm-stream status | grep {STREAM}": READERS,
    f"cat /etc/sfm/streams/{STREAM}.json": READERS,
    f"cat /etc/sfm/supervisor.d/{STREAM}.conf": READERS,
    f"cat /var/log/sfm/{STREAM}.err.log": READERS,
    "cat /etc/sfm/credentials/first.json": READERS,
    f"supervisorctl status {STREAM} | grep RUNNING": {"operator"},
    f"supervisorctl tail -10 {STREAM} stderr | grep -v error:": {"operator"},
    "supervisorctl restart other-root | grep started": {"operator"},
    "touch /var/lib/sfm/data/mine && rm /var/lib/sfm/data/mine": {"process owner"},
    f"touch -c /var/lib/sfm/state/journal/{STREAM}.jsonl": {"process owner"},
}
NOBODY_MAY = [
    "touch /etc/sfm/supervisor.d/mine.conf",
    f"sh -c 'echo >> /etc/sfm/supervisor.d/{STREAM}.conf'",
    "touch /etc/sfm/streams/mine.json",
    "touch /etc/sfm/credentials/mine.json",
    f"rm -f /etc/sfm/streams/{STREAM}.json",
    "mv /etc/sfm /etc/mine",
    "touch /var/log/sfm/mine.log",
    f"sh -c 'echo >> /var/log/sfm/{STREAM}.err.log'",
    f"ln -s /etc/shadow /var/log/sfm/{STREAM}.out.log.1",
    "touch /opt/sfm/mine",
    "sh -c 'touch /opt/sfm/current/bin/mine'",
    "ln -sfn /tmp /opt/sfm/current",
    "mv /var/lib/sfm/data /var/lib/sfm/aside",
    "mv /var/lib/sfm/state /var/lib/sfm/aside",
    "ln -s /etc /var/lib/sfm/mine",
    f"sh -c 'echo >> {CONFIGURATION}'",
    "cat /etc/shadow",
]


def may(host: Host, user: str, command: str) -> bool:
    """Whether a command succeeds for a user."""
    return bool(host.infra.run(f"runuser -u {user} -- sh -c {shlex.quote(command)}").rc == 0)


@pytest.fixture(scope="module", autouse=True)
def other(one: Host) -> None:
    """A program of someone else under the same supervisord, which runs as root."""
    program = "[program:other-root]\\ncommand=/usr/bin/sleep infinity\\n"
    one.run(f"printf '{program}' > /etc/supervisor/conf.d/other.conf && supervisorctl update other-root")
    wait(lambda: one.programs()["other-root"].state == "RUNNING", "the other program does not run")


@pytest.mark.parametrize("command", MAY)
def test_each_person_does_what_the_table_says_and_nobody_else(one: Host, command: str) -> None:
    """Reading, controlling, writing data."""
    wait(lambda: one.programs()["other-root"].state == "RUNNING", "the other program does not run")
    assert {person for person, user in PEOPLE.items() if may(one, user, command)} == MAY[command]


@pytest.mark.parametrize("command", NOBODY_MAY)
def test_nobody_but_root_touches_what_root_reads_runs_or_goes_through(one: Host, command: str) -> None:
    """Program files, settings, secrets, logs, software, parents."""
    assert [person for person, user in PEOPLE.items() if may(one, user, command)] == []


def test_a_capture_program_is_in_no_group_that_controls_supervisord(one: Host) -> None:
    """Its process has the groups of the process owner; the socket's is not among them."""
    group = one.run("getent group sfm-operators").split(":")[2]
    for name, pid in one.pids().items():
        if name != "other-root":
            assert group not in one.run(f"grep ^Groups: /proc/{pid}/status").split()
    socket = one.run(f"stat -c '%U:%G %a' {SOCKET}").strip()
    assert socket == "root:sfm-operators 770"


def test_no_program_leaves_a_core_dump(one: Host) -> None:
    """By its own limit; and by supervisord's, from its next start on."""
    limits = one.run(f"grep '^Max core' /proc/{one.pids()[STREAM]}/limits").split()
    assert limits[4:6] == ["0", "0"]
    assert one.run("systemctl show supervisor -p LimitCORE").strip() == "LimitCORE=0"


def test_a_link_that_the_process_owner_puts_in_the_place_of_its_data_is_refused(
    deployment: Deployment, one: Host
) -> None:
    """As after 0.1.0: the parent was the process owner's. Nothing is given away, and nothing is changed."""
    before = one.run("stat -c '%U:%G %a' /etc /etc/passwd /etc/shadow")
    one.run("chown sfm:sfm /var/lib/sfm && chmod 2750 /var/lib/sfm")
    assert may(one, "sfm", "cd /var/lib/sfm && mv data aside && ln -s /etc data")
    pids = one.pids()
    run = deployment.play("deploy")
    assert run.code != 0
    assert "sfm_data_dir: /var/lib/sfm/data is a link to /etc" in run.text
    assert run.changed == 0, run.text
    assert one.run("stat -c '%U:%G %a' /etc /etc/passwd /etc/shadow") == before
    # The stream itself notices that its directory has gone, and ends; that is its owner's doing.
    assert pids.items() - {(STREAM, pids.get(STREAM))} <= one.pids().items()
    assert may(one, "sfm", "cd /var/lib/sfm && rm data && mv aside data")
    one.run(f"supervisorctl restart {STREAM}")
    one.growing([STREAM], 60)


def test_the_next_deployment_takes_the_parent_away_from_the_process_owner(deployment: Deployment, one: Host) -> None:
    """Said in the diff; and from then on it cannot put anything in the place of data or state."""
    assert "/var/lib/sfm" in deployment.deploy(*BASE, "--check", "--diff").text
    deployment.deploy(*BASE)
    assert one.run("stat -c '%U:%G %a' /var/lib/sfm").strip() == "root:root 755"
    assert not may(one, "sfm", "mv /var/lib/sfm/data /var/lib/sfm/aside")
    assert not may(one, "sfm", "touch /var/lib/sfm/mine")
    one.growing([STREAM])


def test_an_upgrade_says_who_lost_control_of_supervisord(deployment: Deployment, one: Host) -> None:
    """In 0.1.0 the socket belonged to sfm; the deployment says where to put those who keep control."""
    one.run(f"sed -i 's/root:sfm-operators/root:sfm/' {CONFIGURATION} && chgrp sfm {SOCKET}")
    assert may(one, "sfm", "supervisorctl pid")
    supervisord = one.run("supervisorctl pid")
    run = deployment.deploy(*SUPERVISOR)
    assert "belongs to sfm-operators now, and belonged to sfm." in " ".join(run.text.split())
    assert "No longer in control of its programs: reader, sfm." in " ".join(run.text.split())
    assert "add them to `sfm_operators`, but not sfm" in " ".join(run.text.split())
    assert not may(one, "sfm", "supervisorctl pid | grep '^[0-9]'")
    assert not may(one, "reader", "supervisorctl pid | grep '^[0-9]'")
    assert one.run("supervisorctl pid") == supervisord
    assert deployment.deploy(*SUPERVISOR).changed == 0


def test_a_process_owner_that_somebody_made_an_operator_is_taken_out_again(deployment: Deployment, one: Host) -> None:
    """By the deployment; and an inventory that says so is refused."""
    one.run("gpasswd -a sfm sfm-operators")
    deployment.deploy(*BASE)
    assert "sfm-operators" not in one.infra.user("sfm").groups
    assert "operator" in one.run("getent group sfm-operators")
    run = deployment.play("preflight", "-e", '{"sfm_operators": ["sfm"]}')
    assert run.code != 0
    assert 'sfm_operators: "sfm" is the process owner' in run.text


def test_a_directory_that_the_process_owner_could_not_reach_is_refused_before_anything_changes(
    deployment: Deployment, one: Host
) -> None:
    """The parent, its mode and the cure; the programs run on."""
    one.run("mkdir -m 0700 /srv/private")
    pids = one.pids()
    run = deployment.play("deploy", "-e", "sfm_data_dir=/srv/private/data")
    assert run.code != 0
    said = " ".join(run.text.split())
    assert "sfm_data_dir: sfm cannot get to /srv/private/data: /srv/private is root:root 0700" in said
    assert "chmod o+x /srv/private" in said
    assert run.changed == 0
    assert one.pids() == pids


def test_group_writable_program_files_are_what_the_table_says(deployment: Deployment, one: Host) -> None:
    """SFM's way, with its risk; and back."""
    deployment.deploy(*BASE, "-e", "sfm_group_may_write_programs=true")
    write = "touch /etc/sfm/supervisor.d/mine.txt && rm /etc/sfm/supervisor.d/mine.txt"
    assert {person for person, user in PEOPLE.items() if may(one, user, write)} == READERS
    deployment.deploy(*BASE)
    assert not [person for person, user in PEOPLE.items() if may(one, user, write)]


def test_a_hostile_owner_gains_nothing_from_a_handover(deployment: Deployment, one: Host) -> None:
    """Links to root's files in its directories, and a process that ignores SIGTERM and swaps names all the while."""
    swap = (
        "trap '' TERM; cd /var/lib/sfm/data/twitterfilter-mine; "
        "while :; do mv a b; ln -s /etc a; rm a; mv b a; done 2>/dev/null"
    )
    one.run("runuser -u sfm -- mkdir -p /var/lib/sfm/data/twitterfilter-mine/a")
    for name in ("shadow", "passwd"):
        one.run(f"runuser -u sfm -- touch /var/lib/sfm/data/twitterfilter-mine/a/{name}")
    one.run("runuser -u sfm -- ln -s /etc/shadow /var/lib/sfm/state/journal/link")
    one.run("runuser -u sfm -- ln -s /etc /var/lib/sfm/data/twitterfilter-link")
    one.run(f"setsid runuser -u sfm -- sh -c {shlex.quote(swap)} >/dev/null 2>&1 </dev/null & sleep 1")
    assert one.infra.run("pgrep -u sfm -f twitterfilter-mine").rc == 0
    files = one.captured()
    deployment.everywhere["sfm_process_owner"] = "collector"
    deployment.deploy()
    assert one.infra.run("pgrep -u sfm").rc != 0, one.output("ps -fu sfm")
    assert one.run("stat -c '%U' /etc /etc/shadow /etc/passwd").split() == ["root"] * 3
    assert one.run("stat -c '%U' /var/lib/sfm /var/lib/sfm/data /var/lib/sfm/state").split() == [
        "root",
        *["collector"] * 2,
    ]
    left = one.run("find /var/lib/sfm/data /var/lib/sfm/state -user sfm ! -type l").split()
    assert left == []
    assert {path for path in files if path.endswith(".jsonl.gz")} <= set(one.captured())
    one.growing([STREAM], 60)
    assert not may(one, "collector", "supervisorctl pid | grep '^[0-9]'")
