"""A fresh host of each Debian release after one deployment: what the design says, found on the host."""

from __future__ import annotations

import pytest
from deployment import Deployment
from hosts import Host, expected_programs, expected_streams, wait

LAYOUT = {
    "/var/lib/sfm": ("root", "root", 0o755),
    "/opt/sfm": ("root", "root", 0o755),
    "/etc/sfm": ("root", "sfm", 0o2750),
    "/etc/sfm/streams": ("root", "sfm", 0o2750),
    "/etc/sfm/credentials": ("root", "sfm", 0o2750),
    "/etc/sfm/supervisor.d": ("root", "sfm", 0o2750),
    "/var/log/sfm": ("root", "sfm", 0o2750),  # supervisord opens the logs as root: nobody else may make a name there
    "/var/lib/sfm/data": ("sfm", "sfm", 0o2750),
    "/var/lib/sfm/state": ("sfm", "sfm", 0o2750),
}


@pytest.mark.parametrize("path", LAYOUT)
def test_directories_have_their_owner_group_and_mode(hosts: dict[str, Host], path: str) -> None:
    """Every directory of the design is as the design says."""
    owner, group, mode = LAYOUT[path]
    for host in hosts.values():
        file = host.infra.file(path)
        assert file.is_directory
        assert (file.user, file.group, oct(file.mode)) == (owner, group, oct(mode))


@pytest.mark.parametrize("pattern", ["streams/*.json", "credentials/*.json", "supervisor.d/*.conf"])
def test_files_are_for_root_to_write_and_for_the_group_to_read(hosts: dict[str, Host], pattern: str) -> None:
    """Settings, credentials and program files are root:sfm 0640, and there are some."""
    for host in hosts.values():
        found = host.run(f"stat -c '%U:%G %a' /etc/sfm/{pattern}").splitlines()
        assert found
        assert set(found) == {"root:sfm 640"}


def test_the_process_owner_writes_no_program_file(hosts: dict[str, Host]) -> None:
    """supervisord is root: anyone who writes a program file can become root, and the process owner is not."""
    for host in hosts.values():
        for path in (
            "/etc/sfm/supervisor.d/x.conf",
            "/etc/sfm/streams/x.json",
            "/etc/sfm/credentials/x.json",
            "/var/log/sfm/x",
        ):
            done = host.infra.run(f"runuser -u sfm -- touch {path}")
            assert done.rc != 0, f"{host}: sfm could write {path}"
        program = host.run("ls /etc/sfm/supervisor.d/*.conf").split()[0]
        assert host.infra.run(f"runuser -u sfm -- sh -c 'echo >> {program}'").rc != 0


def test_operators_control_supervisor_without_sudo(deployment: Deployment, hosts: dict[str, Host]) -> None:
    """`sfm_operators` reach supervisor's socket; other people do not, `sfm_group_members` neither."""
    for name, host in hosts.items():
        done = host.infra.run("runuser -u operator -- supervisorctl status")
        assert done.rc == 0, done.stdout + done.stderr
        for program in expected_programs(deployment.variables(name)):
            assert program in done.stdout
        for user in ("nobody", "archivist", "sfm"):
            assert "RUNNING" not in host.output(f"runuser -u {user} -- supervisorctl status")
        socket = host.infra.file("/var/run/supervisor.sock")
        assert (socket.user, socket.group, socket.mode) == ("root", "sfm-operators", 0o770)


def test_a_member_of_the_group_sees_the_status_without_sudo(deployment: Deployment, hosts: dict[str, Host]) -> None:
    """`sfm_group_members` need no socket for it."""
    for name, host in hosts.items():
        assert "sfm" in host.infra.user("archivist").groups
        said = host.output("runuser -u archivist -- sfm-stream status")
        for program in expected_streams(deployment.variables(name)):
            assert program in said


def test_a_stranger_reads_no_secret(hosts: dict[str, Host]) -> None:
    """Neither files, nor arguments, nor environment, nor logs show a credential to other people, or at all."""
    for host in hosts.values():
        assert host.infra.run("runuser -u nobody -- sh -c 'cat /etc/sfm/credentials/*.json'").rc != 0
        leaks = host.output(
            "grep -rl secret- /var/log/sfm /etc/sfm/streams /etc/sfm/supervisor.d /var/lib/sfm/state;"
            "grep -l secret- /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | grep -v /proc/$$/"
        )
        own = [line for line in leaks.splitlines() if line.startswith(("/var", "/etc"))]
        assert own == []
        programs = host.pids().values()
        assert not [pid for pid in programs if f"/proc/{pid}/" in leaks]


def test_the_programs_run_as_the_process_owner_under_supervisor(hosts: dict[str, Host]) -> None:
    """Each program is a child of supervisord and belongs to the process owner."""
    for host in hosts.values():
        supervisord = host.run("supervisorctl pid").strip()
        for pid in host.pids().values():
            assert host.run(f"ps -o user=,ppid= -p {pid}").split() == ["sfm", supervisord]


def test_supervisor_is_a_service_of_the_distribution(hosts: dict[str, Host]) -> None:
    """Debian's package, enabled at boot and running; its own configuration extended by one include."""
    for host in hosts.values():
        assert host.infra.service("supervisor").is_running
        assert host.infra.service("supervisor").is_enabled
        include = host.run("grep -A3 '^\\[include\\]' /etc/supervisor/supervisord.conf")
        assert "/etc/supervisor/conf.d/*.conf" in include
        assert "/etc/sfm/supervisor.d/*.conf" in include


def test_an_inactive_filter_keeps_its_settings_and_has_no_program(hosts: dict[str, Host]) -> None:
    """`active: false`: neither a program file nor a process."""
    for host in hosts.values():
        assert not host.infra.file("/etc/sfm/supervisor.d/twitterfilter-resting.conf").exists
        assert "twitterfilter-resting" not in host.programs()


def test_files_grow_and_are_readable_gzip(deployment: Deployment, hosts: dict[str, Host]) -> None:
    """Within one interval each stream has finished a capture file whose lines are posts."""
    for name, host in hosts.items():
        for program in expected_streams(deployment.variables(name)):
            finished = f"find /var/lib/sfm/data -name '{program}-*.jsonl.gz' | sort | grep ."
            wait(lambda: host.infra.run(finished).rc == 0, f"{host}: no file of {program}", 60)  # noqa: B023
            first = host.run(finished).split()[0]
            assert host.run(f"gzip -t {first} && zcat {first} | head -n 1").startswith('{"data":')
            assert host.run(f"stat -c '%U:%G' {first}").strip() == "sfm:sfm"


def test_each_journal_tells_of_its_start(deployment: Deployment, hosts: dict[str, Host]) -> None:
    """The journal of each stream begins with its start and then its connection."""
    for name, host in hosts.items():
        for program in expected_streams(deployment.variables(name)):
            events = [entry["event"] for entry in host.journal(program)]
            assert events[0] == "start"
            assert "connect" in events


def test_killed_programs_are_back_by_themselves(hosts: dict[str, Host]) -> None:
    """`kill -9` of every stream: supervisor starts each again."""
    for host in hosts.values():
        before = {name: pid for name, pid in host.pids().items() if name != "sfm-simulator"}
        host.run(f"kill -9 {' '.join(map(str, before.values()))}")
        wait(lambda: set(before) <= set(host.pids()), f"{host}: not all are back", 30, host.programs)  # noqa: B023
        after = host.pids()
        assert not [name for name in before if before[name] == after[name]]
        host.growing(before, 60)


def test_manual_pages_and_completion_are_where_man_and_shells_look(hosts: dict[str, Host]) -> None:
    """Links to the release in use."""
    for host in hosts.values():
        for path in ("man/man1/sfm-stream-report.1", "bash-completion/completions/sfm-stream"):
            assert host.run(f"readlink /usr/local/share/{path}").strip() == f"/opt/sfm/current/share/{path}"
            assert host.run(f"cat /usr/local/share/{path}")
