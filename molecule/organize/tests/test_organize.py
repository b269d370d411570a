"""The schedule that sorts finished files: a systemd timer on one host, cron on the other; one archive is elsewhere."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from deployment import Deployment
from hosts import Host, wait

DATA = {"organize-12": "/var/lib/sfm/data", "organize-13": "/srv/data"}
TREES = {"organize-12": "/srv/archive", "organize-13": "/srv/data"}
PROGRAMS = {"organize-12": "twitterfilter-elections", "organize-13": "twitterfilter-storms"}
DATE = re.compile(r"twitterfilter-\w+/\d{4}/\d\d/\d\d/\d\d/twitterfilter-\w+-\d{4}-\d\d-\d\dT[\d-]+Z(-\d+)?\.jsonl\.gz")


@pytest.fixture
def systemd(hosts: dict[str, Host]) -> Host:
    """The host with the timer, whose archive is on a filesystem of its own."""
    return hosts["organize-12"]


@pytest.fixture
def cron(hosts: dict[str, Host]) -> Host:
    """The host with cron, whose date tree is in the data directory, on a disk that was there before."""
    return hosts["organize-13"]


def by_name(checksums: dict[str, str]) -> dict[str, str]:
    """Digests by file name alone: what stays the same when a file moves."""
    assert len({PurePosixPath(path).name for path in checksums}) == len(checksums), f"double: {checksums}"
    return {PurePosixPath(path).name: digest for path, digest in checksums.items()}


def all_files(host: Host) -> dict[str, str]:
    """Every finished file on the host, in the data directory and in the tree."""
    return host.checksums(DATA[host.name]) | host.checksums(TREES[host.name])


def sorted_files(host: Host) -> list[str]:
    """The files in the date tree, relative to it."""
    tree = TREES[host.name]
    return [path.removeprefix(f"{tree}/") for path in host.checksums(tree) if path.count("/") > tree.count("/") + 1]


def at_least_two_finished(host: Host) -> dict[str, str]:
    """Waits for something to sort."""
    wait(lambda: len(host.checksums(DATA[host.name])) >= 2, f"{host}: nothing is finished", 60)
    return by_name(all_files(host))


def test_each_host_has_its_own_kind_of_schedule_and_no_other(systemd: Host, cron: Host) -> None:
    """Timers enabled and waiting on one, an entry of cron and a running cron on the other."""
    for unit in ("sfm-organize.timer", "sfm-audit.timer"):
        assert systemd.run(f"systemctl is-enabled {unit}").strip() == "enabled"
        assert systemd.run(f"systemctl is-active {unit}").strip() == "active"
        assert cron.infra.run(f"systemctl cat {unit}").rc != 0
    assert not systemd.infra.file("/etc/cron.d/sfm-organize").exists
    assert cron.infra.service("cron").is_running
    assert cron.infra.file("/etc/cron.d/sfm-organize").mode == 0o644


def test_the_timer_s_job_moves_finished_files_to_the_other_filesystem(systemd: Host) -> None:
    """Every finished file is in the tree, byte for byte; the segment that is being written is not touched."""
    assert systemd.run("stat -c %d /srv/archive") != systemd.run("stat -c %d /var/lib/sfm/data")
    pids = systemd.pids()
    before = at_least_two_finished(systemd)
    systemd.run("systemctl start sfm-organize.service")
    after = by_name(all_files(systemd))
    assert {name: after.get(name) for name in before} == before
    tree = sorted_files(systemd)
    assert {PurePosixPath(path).name for path in tree} >= set(before)
    assert [path for path in tree if not DATE.fullmatch(path)] == []
    assert systemd.pids() == pids
    segment = systemd.status(PROGRAMS[systemd.name])["segment"]
    assert segment
    assert systemd.run("stat -c '%U:%G' /srv/archive/*").split() == ["sfm:sfm"]


def test_cron_itself_runs_the_job(cron: Host) -> None:
    """The entry, with its times set to every minute by hand: cron finds it right and the files are in the tree."""
    before = at_least_two_finished(cron)
    cron.run("sed -i 's/^17 /* /' /etc/cron.d/sfm-organize")
    wait(lambda: {PurePosixPath(p).name for p in sorted_files(cron)} >= set(before), "cron moved nothing", 100)
    after = by_name(all_files(cron))
    assert {name: after.get(name) for name in before} == before
    assert [path for path in sorted_files(cron) if not DATE.fullmatch(path)] == []


def test_a_deployment_puts_the_times_right_again(deployment: Deployment, cron: Host) -> None:
    """The entry that was edited by hand is the declared one again."""
    assert deployment.deploy().recap[cron.name].changed > 0
    assert "\n17 " in cron.run("cat /etc/cron.d/sfm-organize")


def test_the_outcome_is_kept_and_the_manifests_hold(systemd: Host, cron: Host) -> None:
    """organize.json tells of the last run; sha256sum accepts every manifest; the audit finds nothing."""
    for host in (systemd, cron):
        assert host.json("/var/lib/sfm/state/organize.json")
        tree = TREES[host.name]
        manifests = host.run(f"find {tree} -type f -iname '*sha256*'").split()
        assert manifests
        for manifest in manifests:
            host.run(f"cd $(dirname {manifest}) && sha256sum --quiet -c {manifest}")
        scheduled_audit(host)


def scheduled_audit(host: Host) -> None:
    """Runs the audit as the host's schedule has it; it must find nothing."""
    if host.name == "organize-12":
        host.run("systemctl start sfm-audit.service")
    else:
        command = host.run("grep ' audit ' /etc/cron.d/sfm-organize | sed 's/^.* sfm umask/umask/; s/ >.*//'").strip()
        host.run(f"runuser -u sfm -- sh -c '{command}'")


def test_exports_and_dataset_are_made_by_their_own_user(systemd: Host, cron: Host) -> None:
    """By timers on one, by cron on the other; of yesterday nothing was captured, and the table says so."""
    for unit in ("sfm-export", "sfm-dataset"):
        assert systemd.run(f"systemctl is-enabled {unit}.timer").strip() == "enabled"
        systemd.run(f"systemctl start {unit}")
        assert cron.infra.run(f"systemctl cat {unit}.timer").rc != 0
    for line in cron.run("grep -o 'umask.* >' /etc/cron.d/sfm-export | tr -d '>'").splitlines():
        cron.run(f"runuser -u sfm-export -- sh -c '{line}'")
    for host in (systemd, cron):
        made = host.run("cd /srv/sfm/exports && find . -name '*.csv' -o -name '*.xlsx' -o -name .kept | sort").split()
        assert made[:2] == ["./.kept", "./everything/everything.xlsx"]
        assert len(made) == 3
        assert len(host.run(f"cat /srv/sfm/exports/{made[2]}").splitlines()) == 1
        assert (
            host.run("stat -c '%U:%G %a' /srv/sfm/exports /srv/sfm/dataset").split("\n")[:2]
            == ["sfm-export:sfm 2751"] * 2
        )
        files = host.run("find /srv/sfm/dataset -name '*.parquet' -printf '%f\n'").split()
        assert {f"{path.removesuffix('.parquet')}.jsonl.gz" for path in files} <= {
            PurePosixPath(path).name for path in all_files(host)
        }
        assert files
        assert "\nexport " in (shown := host.output("sfm-stream status"))
        assert "\ndataset " in shown
        assert host.infra.run("runuser -u sfm-export -- touch /var/lib/sfm/state/x").rc != 0


def test_one_flipped_byte_is_found_by_the_audit(systemd: Host) -> None:
    """The scheduled audit fails, and its outcome names the file."""
    victim = f"/srv/archive/{sorted_files(systemd)[0]}"
    systemd.run(f"cp -p {victim} /root/kept && printf X | dd of={victim} bs=1 seek=30 conv=notrunc status=none")
    assert systemd.infra.run("systemctl start sfm-audit.service").rc != 0
    assert PurePosixPath(victim).name in systemd.output(
        "journalctl -u sfm-audit --no-pager; cat /var/lib/sfm/state/audit.json"
    )
    systemd.run(f"cp -p /root/kept {victim}")
    systemd.run("systemctl reset-failed; systemctl start sfm-audit.service")


def test_another_kind_replaces_the_first(deployment: Deployment, systemd: Host) -> None:
    """From timer to cron: the timers are stopped and gone; the streams do not feel it."""
    before = systemd.pids()
    deployment.hosts[systemd.name]["sfm_organize_schedule_kind"] = "cron"
    deployment.deploy()
    assert systemd.infra.run("systemctl cat sfm-organize.timer").rc != 0
    assert "sfm-organize" not in systemd.run("systemctl list-timers --all")
    assert systemd.infra.file("/etc/cron.d/sfm-organize").exists
    assert systemd.pids() == before


def test_no_schedule_leaves_none(deployment: Deployment, hosts: dict[str, Host]) -> None:
    """`sfm_organize_enabled: false`: no timer, no entry; what is in the tree stays there."""
    trees = {name: sorted_files(host) for name, host in hosts.items()}
    deployment.everywhere["sfm_organize_enabled"] = False
    deployment.deploy()
    for name, host in hosts.items():
        assert not host.infra.file("/etc/cron.d/sfm-organize").exists
        assert host.infra.run("systemctl cat sfm-organize.timer").rc != 0
        assert set(trees[name]) <= set(sorted_files(host))
    assert deployment.deploy("--check").changed == 0
