"""A deployment makes the live programs of a real supervisord those of the inventory, and touches nothing else."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfm_stream.settings.collection import read_collection
from sfm_stream.settings.config import read_stream
from tests.roles.streams_host import TOKEN, Host, running_host
from tests.support.simulator import Simulator

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the roles give files to root, so only root can run them")
RUNNING = {"twitterfilter-elections": "RUNNING", "twitterfilter-storms": "RUNNING"}

OLD_SFM = "[program:{name}]\ncommand=sleep 1000\nstartsecs=0\n"


@pytest.fixture
def host() -> Iterator[Host]:
    with running_host() as running:
        yield running


def test_a_bare_host_gets_what_check_mode_predicts(host: Host) -> None:
    """A dry run without a supervisor shows every change and makes none; then comes the run, and then nothing."""
    host.stop()
    predicted = host.deploy("--check", "--diff").ok()
    assert host.files("supervisor.d") == host.files("streams") == host.files("credentials") == set()
    assert "+command=" in predicted.output
    assert TOKEN not in predicted.output
    host.start()
    assert host.deploy("-vvv").ok().changed == predicted.changed == 4
    assert host.programs() == RUNNING
    assert host.files("supervisor.d") == RUNNING.keys()
    assert host.files("streams") == {*RUNNING, "twitterfilter-asleep"}
    assert host.files("credentials") == {"one", "two"}, "a stream that is not active has no need of its secret"
    pids = host.pids()
    again = host.deploy("-vvv").ok()
    assert again.changed == host.deploy("--check").ok().changed == 0
    assert TOKEN not in again.output
    assert host.pids() == pids


def test_a_changed_rule_keeps_the_process_and_reaches_it(host: Host) -> None:
    """It gets SIGHUP; the others get nothing. A HUP that a broken run lost is sent by the next one."""
    host.deploy().ok()
    pids = host.pids()
    host.filter("storms")["track"] = ["storm", "tornado"]
    assert host.deploy("--check").ok().changed == 2
    assert host.deploy().ok().changed == 2
    assert host.pids() == pids
    settings = host.here / "etc/streams/twitterfilter-storms.json"
    settings.write_text(settings.read_text().replace("tornado", "hail"))
    host.filter("storms")["track"] = ["storm", "hail"]
    assert host.deploy().ok().changed == 1, "the file was there already, the process did not know"
    assert host.deploy().ok().changed == 0


def test_a_process_that_does_not_confirm_new_rules_fails_the_deployment(host: Host) -> None:
    """It got SIGHUP, and does not say that it read its settings again."""
    host.deploy().ok()
    (host.here / "deaf").touch()
    host.filter("storms")["track"] = ["storm", "tornado"]
    failed = host.deploy("-e", "sfm_start_timeout=1")
    assert failed.code != 0
    assert "twitterfilter-storms: it does not say that it runs with its new settings" in failed.output


def test_rules_that_x_does_not_hold_fail_the_deployment_in_its_own_words(host: Host) -> None:
    """What was asked for and what X holds are two things. One that waits for its budget asks nothing of X."""
    wrong = {"rules_live": "other", "rules_missing": 1, "rules_fault": "X refused the rule 'a b': no such operator"}
    (host.here / "status").write_text(json.dumps(wrong))
    failed = host.deploy("-e", "sfm_start_timeout=1")
    assert failed.code != 0
    assert "2 programs are running, but not with the declared rules in force:" in failed.output
    assert "twitterfilter-storms: X does not hold its rules (1 missing):\n" in failed.output.replace("\\n", "\n")
    assert "X refused the rule 'a b': no such operator" in failed.output
    (host.here / "status").write_text(json.dumps({**wrong, "state": "budget"}))
    for pid in host.pids().values():
        os.kill(pid, signal.SIGHUP)
    named = host.deploy("-e", "sfm_start_timeout=1").ok()
    assert "twitterfilter-storms: waits (budget), and has X take its rules when it goes on" in " ".join(
        named.output.split()
    )


def test_each_change_touches_its_own_program_alone(host: Host) -> None:
    """Interval, secret, a new filter, one asleep, one renamed, one deleted: all other processes stay."""
    host.filter("asleep")["active"] = True
    host.deploy().ok()
    before = host.pids()
    host.filter("storms")["save_interval"] = 60
    host.variables["sfm_credentials"]["three"]["bearer_token"] = TOKEN + "new"
    host.deploy().ok()
    after = host.pids()
    assert {name for name in before if after[name] == before[name]} == {"twitterfilter-elections"}
    host.variables["sfm_filters"].append({"name": "new", "credential": "four", "track": ["new"]})
    host.filter("storms")["active"] = False
    host.filter("asleep")["name"] = "awake"
    predicted = host.deploy("--check").ok().changed
    assert host.deploy().ok().changed == predicted == 6
    assert host.programs().keys() == {"twitterfilter-elections", "twitterfilter-new", "twitterfilter-awake"}
    assert host.files("streams") == {*host.programs(), "twitterfilter-storms"}
    assert host.files("credentials") == {"one", "three", "four"}
    assert host.pids()["twitterfilter-elections"] == before["twitterfilter-elections"]


def test_what_a_broken_run_or_a_hand_left_is_healed(host: Host) -> None:
    """Deleted, edited and stray program files, and processes that supervisor was not told of, all in one run."""
    host.variables["sfm_filters"][2]["active"] = True
    host.deploy().ok()
    programs = host.here / "etc/supervisor.d"
    elections, storms = programs / "twitterfilter-elections.conf", programs / "twitterfilter-storms.conf"
    kept, wanted = host.pids()["twitterfilter-storms"], elections.read_text()
    storms.unlink()
    elections.write_text(wanted.replace("startretries=100", "startretries=1"))
    (programs / "twitterfilter-stray.conf").write_text(wanted.replace("elections", "stray"))
    del host.variables["sfm_filters"][2]
    (programs / "twitterfilter-asleep.conf").unlink()
    (host.here / "etc/streams/twitterfilter-asleep.json").unlink()
    host.deploy().ok()
    assert host.programs() == RUNNING
    assert elections.read_text() == wanted
    assert host.pids()["twitterfilter-storms"] == kept, "supervisor never saw that its file was gone for a while"
    assert host.files("credentials") == {"one", "two"}
    assert host.deploy().ok().changed == 0


def test_a_program_stopped_by_hand_stays_so_and_is_named(host: Host) -> None:
    """The person who stopped it had a reason; a variable overrules it."""
    host.deploy().ok()
    host.ctl("stop", "twitterfilter-storms")
    respectful = host.deploy().ok()
    assert respectful.changed == 0
    assert "twitterfilter-storms: was stopped by hand and stays so" in respectful.output
    assert host.programs()["twitterfilter-storms"] == "STOPPED"
    assert host.deploy("-e", "sfm_start_stopped=true").ok().changed == 1
    assert host.programs() == RUNNING


def test_a_program_that_ended_is_started_again_and_a_failure_is_explained(host: Host) -> None:
    """The cause may have been cured; if not, the message has the state, the exit code and the end of the log."""
    crash = host.here / "crash" / "twitterfilter-storms"
    crash.write_text("late")
    del host.variables["sfm_filters"][2]
    (host.here / "etc/streams/twitterfilter-gone.json").write_text("{}")
    failed = host.deploy()
    assert failed.code != 0
    assert "1 program is not as declared:" in failed.output
    assert "twitterfilter-storms: EXITED, exit code 65" in failed.output
    assert "    the token was refused by X" in failed.output
    assert host.programs()["twitterfilter-elections"] == "RUNNING"
    assert "twitterfilter-gone" not in host.files("streams"), "what nothing reads goes all the same"
    crash.unlink()
    assert host.deploy().ok().changed == 1
    assert host.programs() == RUNNING


def test_a_program_that_cannot_start_spares_the_others(host: Host) -> None:
    """The first of several that restart goes ahead: a broken release does not stop what runs."""
    host.deploy().ok()
    before = host.pids()
    script = (host.here / "bin/sfm-stream").read_text()
    host.write_program("#!/bin/sh\n[ $1 = validate ] && exit 0\necho no such module >&2\nexit 1\n")
    host.variables["_sfm_release"] = "r2"
    failed = host.deploy("-v")
    assert failed.code != 0
    assert "the others were left running as they are" in failed.output
    done = re.search(r"restarted:\s+- twitterfilter-elections\s+shared_logs:", failed.output)
    assert done, "the result lists what was done, not what was planned"
    assert "no such module" in failed.output
    assert host.pids() == {"twitterfilter-storms": before["twitterfilter-storms"]}
    host.write_program(script)
    host.deploy().ok()
    assert host.programs() == RUNNING
    assert host.pids()["twitterfilter-storms"] != before["twitterfilter-storms"]


def test_other_peoples_programs_and_their_pending_changes_are_left_alone(host: Host) -> None:
    """Neither started, restarted nor stopped: what they have not applied stays so."""
    theirs = host.here / "theirs" / "theirs.conf"
    theirs.write_text("[program:theirs]\ncommand=sleep 1000\n")
    host.ctl("update")
    host.await_that(lambda: "theirs" in host.pids())
    pid = host.pids()["theirs"]
    theirs.write_text("[program:theirs]\ncommand=sleep 2000\n[program:more]\ncommand=sleep 3000\n")
    (host.here / "etc/supervisor.d/readme.txt").write_text("not ours")
    host.deploy().ok()
    assert host.pids()["theirs"] == pid
    assert host.programs().keys() == {*RUNNING, "theirs"}
    assert (host.here / "etc/supervisor.d/readme.txt").exists()


def test_the_programs_of_an_older_sfm_are_named_and_left_alone(host: Host) -> None:
    """They have names like ours, and nothing of ours declares them: no failure, no change, neither now nor later."""
    theirs = host.here / "theirs" / "sfm.conf"
    theirs.write_text("".join(OLD_SFM.format(name=name) for name in ("twitterfilter-1", "streamsample")))
    host.ctl("update")
    host.await_that(lambda: {"twitterfilter-1", "streamsample"} <= host.pids().keys())
    pids = host.pids()
    theirs.write_text(theirs.read_text().replace("1000", "2000") + OLD_SFM.format(name="twitterfilter-2"))
    output = " ".join(host.deploy().ok().output.split())
    for name in pids:
        assert f"{name}: supervisor has a program of this name that no program file of this deployment" in output
    host.variables["sfm_filters"] = []
    host.deploy().ok()
    assert host.pids() == pids, "their own change stays pending, and they run on when ours are gone"


def test_a_declared_program_that_somebody_else_runs_is_refused_and_left_alone(host: Host) -> None:
    """Two files that define one program become one; the author of the other would lose it without a word."""
    (host.here / "theirs" / "sfm.conf").write_text(OLD_SFM.format(name="twitterfilter-storms"))
    host.ctl("update")
    host.await_that(lambda: "twitterfilter-storms" in host.pids())
    pids = host.pids()
    failed = host.deploy()
    assert failed.code != 0
    assert "another program file than ours defines twitterfilter-storms, so no program was touched" in failed.output
    assert host.pids() == pids


def test_a_leftover_of_ours_whose_file_is_gone_is_known_by_what_it_runs(host: Host) -> None:
    """A run that broke off removed the files; the process still is of a deployment, and nothing declares it."""
    host.deploy().ok()
    del host.variables["sfm_filters"][1]
    (host.here / "etc/supervisor.d/twitterfilter-storms.conf").unlink()
    (host.here / "etc/streams/twitterfilter-storms.json").unlink()
    host.ctl("reread")
    assert host.deploy().ok().changed == 2, "its process, and the credential that it used"
    assert host.programs() == {"twitterfilter-elections": "RUNNING"}


def test_programs_restart_one_after_the_other(host: Host) -> None:
    """Each is up before the next is stopped, so that not all streams are away at once."""
    host.deploy().ok()
    seen = len((host.here / "supervisord.log").read_text())
    host.variables["_sfm_release"] = "r2"
    host.deploy().ok()
    log = (host.here / "supervisord.log").read_text()[seen:]
    steps = re.findall(r"(stopped|spawned): '?([\w-]+)", log)
    order = [program for step, program in steps if step == "stopped"]
    assert set(order) == RUNNING.keys()
    assert steps == [(step, program) for program in order for step in ("stopped", "spawned")]


def test_a_killed_program_is_back_and_nothing_is_to_be_done(host: Host) -> None:
    """Supervisor itself sees to it, by the program file."""
    host.deploy().ok()
    pid = host.pids()["twitterfilter-storms"]
    os.kill(pid, signal.SIGKILL)
    host.await_that(lambda: host.pids().get("twitterfilter-storms", pid) != pid)
    assert host.deploy().ok().changed == 0


def test_without_supervisord_the_message_says_so(host: Host) -> None:
    """Files are written, and the next run takes them up."""
    host.stop()
    failed = host.deploy()
    assert failed.code != 0
    assert f"no supervisord answers at unix://{host.here}/s.sock" in failed.output
    host.start()
    host.deploy().ok()
    assert host.programs() == RUNNING


def test_a_broken_file_of_somebody_else_is_reported_and_stops_nothing(host: Host) -> None:
    """Supervisor reads all files or none; what runs goes on."""
    host.deploy().ok()
    before = host.pids()
    (host.here / "theirs" / "broken.conf").write_text("[program:broken]\n")
    host.filter("storms")["save_interval"] = 60
    failed = host.deploy()
    assert failed.code != 0
    assert "supervisor cannot read its configuration, so no program was touched" in failed.output
    assert host.pids() == before


def test_streams_are_not_all_removed_because_the_inventory_forgot_them(host: Host) -> None:
    """A host that speaks of no stream at all keeps what it has; an empty list is an answer."""
    host.deploy().ok()
    filters = host.variables.pop("sfm_filters")
    refused = host.deploy()
    assert refused.code != 0
    assert "the list of files is empty" in refused.output
    assert host.programs() == RUNNING
    host.variables["sfm_filters"] = filters[:0]
    host.deploy().ok()
    assert host.programs() == {}
    assert host.files("credentials") == host.files("streams") == set()


def test_the_sample_and_the_simulator_are_programs_like_the_others(host: Host) -> None:
    """The simulator is named by its options; the sample stream needs no name."""
    host.variables["sfm_streamsample"] = {"credential": "four"}
    host.deploy().ok()
    assert host.programs() == {**RUNNING, "streamsample": "RUNNING"}
    host.variables["sfm_simulator"] = {"port": 8970, "rate": 20}
    shown = host.deploy("--check", "--diff").ok().output
    assert f"command={host.here}/bin/sfm-stream simulate --port 8970 --rate 20\n" in shown.replace("\n+", "\n")


def test_streams_that_the_inventory_no_longer_declares_are_named_before_they_end(host: Host) -> None:
    """In a dry run, too: a person may have lost them by a slip, and what stays is said."""
    host.deploy().ok()
    host.variables["sfm_filters"] = [host.filter("elections")]
    for options in (("--check",), ()):
        output = " ".join(host.deploy(*options).ok().output.split())
        said = output.index("what they captured stays: twitterfilter-asleep, twitterfilter-storms")
        assert said < output.index("Make the program files match the active streams")
    assert "No longer in the inventory" not in host.deploy().ok().output


def test_accounts_followed_by_name_are_looked_up_once_and_followed_by_id(host: Host, tmp_path: Path) -> None:
    """X is asked for new names alone, by a deployment alone; both name and id stand in the settings."""
    host.variables["sfm_resolve_accounts"] = True
    host.filter("storms")["follow"] = ["NWS", "@nobody_there"]
    settings = host.here / "etc/streams/twitterfilter-storms.json"
    with Simulator(tmp_path) as x:
        host.variables["sfm_api_url"] = x.url
        first = host.deploy().ok()
        assert "@nobody_there: Could not find user" in first.output
        written = json.loads(settings.read_text())
        assert written["accounts"] == {"nws": "10000000"}
        assert written["rules"][0]["follow"] == ["NWS", "@nobody_there"]
        assert read_stream(settings).rules[0].follow == ("10000000", "@nobody_there")
        host.filter("storms")["follow"] = ["NWS"]
        assert host.deploy().ok().changed == 2
        asked = len(x.ledger("answer"))
        again = host.deploy().ok()
        assert again.changed == 0
        assert len(x.ledger("answer")) == asked
        pids = host.pids()
        host.filter("storms")["follow"] = ["NWS", "NHC_Atlantic"]
        host.deploy("--check").ok()
        assert len(x.ledger("answer")) == asked
        host.deploy().ok()
        assert set(json.loads(settings.read_text())["accounts"]) == {"nws", "nhc_atlantic"}
        assert host.pids() == pids
    host.variables["sfm_resolve_accounts"] = False
    assert host.deploy().ok().changed == 2
    assert "accounts" not in json.loads(settings.read_text())


def test_how_programs_reach_the_world_is_kept_as_a_secret_and_restarts_them(host: Host) -> None:
    """It stands in one file for root and the group, in no program file and in no output; taken away, it is gone."""
    host.deploy().ok()
    pids = host.pids()
    login = "s3cret-of-the-proxy"
    host.variables["sfm_environment"] = {"HTTPS_PROXY": f"http://sfm:{login}@proxy.example.org:3128"}
    predicted = host.deploy("--check", "--diff", "-vvv").ok()
    done = host.deploy("--diff", "-vvv").ok()
    assert done.changed == predicted.changed == 3
    assert login not in predicted.output + done.output
    path = host.here / "etc/environment.json"
    assert (login in path.read_text(), path.stat().st_mode & 0o777) == (True, 0o640)
    assert not any(login in file.read_text() for file in (host.here / "etc/supervisor.d").iterdir())
    assert host.programs() == RUNNING
    assert not set(pids.values()) & set(host.pids().values())
    assert host.deploy().ok().changed == 0
    del host.variables["sfm_environment"]
    host.deploy().ok()
    assert not path.exists()
    assert host.programs() == RUNNING


def test_what_is_said_of_a_collection_is_written_for_reports_and_restarts_nothing(host: Host) -> None:
    """One file of root's that all may read; a dry run predicts it; taken away, it is gone."""
    host.deploy().ok()
    pids = host.pids()
    path = host.here / "etc/collection.json"
    host.variables["sfm_collection"] = {"title": "Wetter: “Sturm”", "purpose": "100 % of it"}
    host.filter("storms")["collection"] = {"title": "Storms"}
    predicted = host.deploy("--check", "--diff").ok()
    assert not path.exists()
    done = host.deploy("--diff").ok()
    assert done.changed == predicted.changed == 1
    assert "Sturm" in predicted.output
    found = read_collection(host.here / "etc")
    assert (found.title, found.purpose) == ("Wetter: “Sturm”", "100 % of it")
    assert found.filters["twitterfilter-storms"].title == "Storms"
    status = path.stat()
    assert (status.st_uid, status.st_mode & 0o777) == (0, 0o644)
    assert host.deploy().ok().changed == 0
    del host.variables["sfm_collection"], host.filter("storms")["collection"]
    assert host.deploy().ok().changed == 1
    assert not path.exists()
    assert host.pids() == pids


def test_certificates_that_the_host_does_not_have_leave_the_programs_as_they_were(host: Host) -> None:
    """Only the host can tell; it says so before anything restarts."""
    host.deploy().ok()
    pids = host.pids()
    host.variables["sfm_environment"] = {"SSL_CERT_FILE": "/nowhere/site.pem"}
    run = host.deploy()
    assert run.code != 0
    assert "SSL_CERT_FILE: /nowhere/site.pem is not there, or may not be read" in run.output
    assert host.pids() == pids


@pytest.mark.timeout(300)  # of seven deployments
def test_a_filter_of_another_source_comes_and_goes_and_no_other_program_feels_it(host: Host) -> None:
    """Deployed, changed by SIGHUP, made inactive and taken away; it has settings and a program, and no credential."""
    host.deploy().ok()
    before = host.pids()
    secrets = host.files("credentials")
    harvest = {"name": "harvest", "source": "bluesky", "track": ["harvest"]}
    host.variables["sfm_filters"].append(harvest)
    assert host.deploy("--check").ok().changed == host.deploy().ok().changed == 3
    assert host.programs() == {**RUNNING, "bluesky-harvest": "RUNNING"}
    assert host.files("credentials") == secrets
    program = (host.here / "etc/supervisor.d/bluesky-harvest.conf").read_text()
    assert f"command={host.here}/bin/sfm-stream filterstream harvest --save --config-dir {host.here}/etc\n" in program
    assert read_stream(host.here / "etc/streams/bluesky-harvest.json").program == "bluesky-harvest"
    pids = host.pids()
    assert {name: pids[name] for name in before} == before
    harvest["track"] = ["harvest", "corn"]
    assert host.deploy().ok().changed == 2, "its settings, and the signal"
    assert host.deploy().ok().changed == 0
    assert host.pids() == pids
    harvest["active"] = False
    host.deploy().ok()
    assert host.pids() == before
    assert "bluesky-harvest" in host.files("streams")
    host.variables["sfm_filters"].remove(harvest)
    assert "what they captured stays: bluesky-harvest" in " ".join(host.deploy().ok().output.split())
    assert "bluesky-harvest" not in host.files("streams") | host.files("supervisor.d")
    assert host.pids() == before


def test_ids_that_cost_nothing_are_looked_up_unasked_and_stay(host: Host) -> None:
    """Those that the host holds are not asked for again; without names there is nothing to look up."""
    harvest = {"name": "harvest", "source": "bluesky", "track": ["harvest"]}
    host.variables["sfm_filters"].append(harvest)
    output = host.deploy().ok().output
    settings = host.here / "etc/streams/bluesky-harvest.json"
    did = "did:plc:" + "a" * 24
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"accounts": {"name.test": did}}))
    harvest["follow"] = ["@name.test"]
    again = host.deploy().ok().output
    assert json.loads(settings.read_text())["accounts"] == {"name.test": did}
    assert host.deploy().ok().changed == 0
    task = "TASK [sfm_streams : Look up the ids of accounts that are followed by name]"
    assert output.partition(task)[2].split("\n")[1] == "skipping: [here]"
    assert again.partition(task)[2].split("\n")[1] == "ok: [here]"


def test_a_filter_of_another_source_is_all_that_a_host_needs(host: Host) -> None:
    """Without an account: no credential is written, and nothing waits for rules that no source holds."""
    host.variables["sfm_filters"] = [{"name": "harvest", "source": "bluesky", "track": ["harvest"]}]
    host.variables["sfm_credentials"] = {}
    (host.here / "status").write_text(json.dumps({"rules_wanted": "", "rules_live": ""}))
    host.deploy().ok()
    assert host.programs() == {"bluesky-harvest": "RUNNING"}
    assert host.files("credentials") == set()
    assert host.deploy().ok().changed == 0
    host.variables["sfm_filters"] = []
    host.deploy().ok()
    assert host.programs() == {}
