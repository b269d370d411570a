"""One edit of the inventory after the other: each reaches its own program, and no other program feels it."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from deployment import STREAMS, Deployment, Run
from hosts import Host, expected_programs, wait


@pytest.fixture
def deploy(deployment: Deployment, one: Host) -> Deploy:
    """Deploys and checks what every deployment promises."""
    return Deploy(deployment, one)


class Deploy:
    """Deploys the inventory as it is now, and compares the host before with the host after."""

    def __init__(self, deployment: Deployment, host: Host) -> None:
        self.deployment, self.host = deployment, host

    def __call__(self, *options: str, restarted: Collection[str] = ()) -> Run:
        """Only `restarted` have a new process; programs that are declared no more are gone, new ones run.

        Args:
            options: Of ansible-playbook.
            restarted: Programs.
        """
        declared = expected_programs(self.deployment.variables(self.host.name))
        before, files = self.host.pids(), self.host.checksums()
        run = self.deployment.deploy(*options)
        programs = self.host.programs()
        assert {name: each.state for name, each in programs.items()} == dict.fromkeys(declared, "RUNNING")
        after = {name: each.pid for name, each in programs.items()}
        renewed = {name for name in before if name in after and after[name] != before[name]}
        assert renewed == set(restarted)
        now = self.host.checksums()
        assert {path: now.get(path) for path in files} == files, "a capture file was lost, moved or changed"
        return run


def test_a_new_filter_starts_and_nothing_else_moves(deployment: Deployment, one: Host, deploy: Deploy) -> None:
    """Adding an entry to `sfm_filters`."""
    filters = deployment.hosts[one.name]["sfm_filters"]
    filters.append({"name": "added", "credential": "spare", "track": ["coffee", "vote", "train"]})
    deploy()
    assert "twitterfilter-added" in one.pids()


def test_a_changed_query_keeps_process_and_connection(deployment: Deployment, one: Host, deploy: Deploy) -> None:
    """A rules-only change: same PID, same connection at X, and X holds the new rule."""
    token = deployment.everywhere["sfm_credentials"]["first"]["bearer_token"]
    connection = one.connections(token)
    assert len(connection) == 1
    deployment.filter("elections")["track"].append("turnout")
    deploy(*STREAMS)
    wait(lambda: "turnout" in str(one.rules(token)), "the new rule is not at X", 30, lambda: one.rules(token))
    assert one.connections(token) == connection
    assert all(tag.startswith("sfm:elections:") for tag in one.rules(token))


def test_a_changed_interval_restarts_that_program_alone(deployment: Deployment, deploy: Deploy) -> None:
    """Settings besides the rules need a new process: of this filter."""
    deployment.filter("elections")["save_interval"] = 7
    deploy(*STREAMS, restarted=["twitterfilter-elections"])


def test_a_rotated_secret_restarts_its_own_program_alone(deployment: Deployment, one: Host, deploy: Deploy) -> None:
    """A new token: the program that uses it restarts and connects with it; no output shows it."""
    secret = "secret-of-the-second-app-renewed-0123456789"
    deployment.everywhere["sfm_credentials"]["second"]["bearer_token"] = secret
    run = deploy(restarted=["twitterfilter-storms"])
    assert secret not in run.text
    assert secret not in deployment.play("deploy", "--check", "--diff").text
    wait(lambda: len(one.connections(secret)) == 1, "no connection with the new token")


def test_a_deactivated_filter_stops_and_keeps_its_data(deployment: Deployment, one: Host, deploy: Deploy) -> None:
    """`active: false`: program file and process go, capture files stay, the last segment is finished."""
    deployment.filter("storms")["active"] = False
    deploy(*STREAMS)
    kept = [path for path in one.captured() if "/twitterfilter-storms-" in path]
    assert kept
    assert not [path for path in kept if path.endswith(".part")]
    assert not one.infra.file("/etc/sfm/supervisor.d/twitterfilter-storms.conf").exists


def test_a_reactivated_filter_starts_again(deployment: Deployment, one: Host, deploy: Deploy) -> None:
    """`active: true` again; the journal goes on where it ended."""
    deployment.filter("storms")["active"] = True
    deploy(*STREAMS)
    one.growing(["twitterfilter-storms"])
    assert [entry["event"] for entry in one.journal("twitterfilter-storms")].count("start") >= 2


def test_a_renamed_filter_is_a_new_program_and_the_old_data_stay(
    deployment: Deployment, one: Host, deploy: Deploy
) -> None:
    """The new name's program replaces the old; capture files of the old name stay where they are."""
    old = [path for path in one.captured() if "/twitterfilter-added-" in path]
    deployment.filter("added")["name"] = "renamed"
    deploy(*STREAMS)
    assert {"twitterfilter-renamed"} <= set(one.pids())
    now = one.captured()
    assert {path.removesuffix(".part") for path in old} <= set(now)
    one.growing(["twitterfilter-renamed"])


def test_a_deleted_filter_leaves_data_and_nothing_else(deployment: Deployment, one: Host, deploy: Deploy) -> None:
    """Program file, settings and its own credential go; capture files and journal stay."""
    entries = deployment.hosts[one.name]["sfm_filters"]
    entries[:] = [each for each in entries if each["name"] != "renamed"]
    deploy(*STREAMS)
    leftovers = one.run("find /etc/sfm -name '*renamed*' -o -name '*added*'")
    assert leftovers == ""
    assert [path for path in one.captured() if "/twitterfilter-renamed-" in path]
    assert one.journal("twitterfilter-renamed")[-1]["event"] == "stop"


def test_a_dry_run_tells_what_the_run_then_does(deployment: Deployment, one: Host, deploy: Deploy) -> None:
    """`--check --diff` names a coming removal and a coming start, and does neither."""
    entries = deployment.hosts[one.name]["sfm_filters"]
    entries.append({"name": "later", "credential": "spare", "track": ["coffee", "vote", "train"]})
    deployment.filter("storms")["active"] = False
    before = one.pids()
    dry = deployment.deploy("--check", "--diff")
    assert one.pids() == before
    assert dry.changed > 0
    assert "twitterfilter-later" in dry.text
    assert "twitterfilter-storms" in dry.text
    deploy()


def test_another_data_directory_is_used_from_now_on(deployment: Deployment, one: Host, deploy: Deploy) -> None:
    """`sfm_data_dir`: all programs restart into the new directory; what lies in the old one stays there."""
    before = set(one.pids())
    streams = before - {"sfm-simulator"}
    deployment.everywhere["sfm_data_dir"] = "/srv/posts"
    deploy(restarted=before)
    wait(lambda: len(one.captured("/srv/posts")) >= len(streams), "no files in the new directory")
    assert not [path for path in one.captured() if path.endswith(".part")]


def test_another_process_owner_takes_over(deployment: Deployment, one: Host, deploy: Deploy) -> None:
    """`sfm_process_owner`: all programs run as the new user, who can write where the old one did."""
    before = set(one.pids())
    deployment.everywhere["sfm_process_owner"] = "collector"
    deploy(restarted=before)
    for pid in one.pids().values():
        assert one.run(f"ps -o user= -p {pid}").strip() == "collector"
    one.growing(before - {"sfm-simulator"}, 60)


def test_nothing_is_left_to_do_after_all_these_edits(deployment: Deployment, one: Host) -> None:
    """One more deployment: changed=0, and every process as before."""
    before = one.pids()
    run = deployment.deploy()
    assert run.changed == 0, run.text
    assert one.pids() == before
