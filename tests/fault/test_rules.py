"""What a program does about the rules that X holds."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.fault.compare import compare, nothing_missing, seconds
from tests.fault.world import World
from tests.support.simulator import Simulator
from tests.support.waiting import until

OFTEN = "from sfm_stream.sources.x import rule_keeper; rule_keeper.CHECK = 0.3"
THIRD_LOOK_FAILS = """
looks, plan = [], rule_keeper.plan
def broken(*arguments):
    looks.append(arguments)
    return plan(*arguments) if len(looks) != 3 else 1 / 0
rule_keeper.plan = broken
"""
RULES = "/2/tweets/search/stream/rules"


POST = {"on": "rules", "method": "POST"}
INVALID = {"errors": [{"value": "for OR storm", "details": ["storm is not for sale"], "title": "UnprocessableEntity"}]}
FULL = {"track": ["the", "in", "for", "vote"]}
"""Two rules of X, where a rule has 12 characters: ``the OR in`` and ``for OR vote``."""
EDITED = {"track": ["the", "in", "for", "storm"]}


def _command(world: World, *arguments: str) -> tuple[int, Any]:
    """The exit code of a command of `sfm-stream`, and what it prints as JSON."""
    command = [sys.executable, "-m", "sfm_stream", *arguments, "--json", "--config-dir", str(world.folder / "config")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def _trouble(world: World) -> str:
    """What `status` says of the program's rules; "" where it is content with them.

    It is never content with the whole of this host, which has no supervisord.
    """
    code, report = _command(world, "status")
    assert code == 3
    (stream,) = report["streams"]
    return "; ".join(each["text"] for each in stream["troubles"] if each["kind"] == "rules")


@pytest.fixture
def full(simulator: Callable[..., Simulator], make_world: Callable[..., World]) -> World:
    """A filter with as many rules as its app may hold."""
    settings = {"rules": [{"name": "main", **FULL}], "rule_length": 12, "rule_count": 2}
    return make_world(simulator("--rule-count", "2", "--rate", "100"), **settings)


def _edit(world: World) -> None:
    world.write_settings(rules=[{"name": "main", **EDITED}])
    world.processes[-1].send(signal.SIGHUP)


def _values(world: World) -> list[str]:
    return sorted(rule["value"] for rule in world.rules())


def test_rules_beyond_the_limit_of_the_app_end_the_program_with_66(
    simulator: Callable[..., Simulator], make_world: Callable[..., World]
) -> None:
    """X holds no more rules: a restart would not cure that."""
    rules = [{"name": f"r{number}", "query": f"storm{number}"} for number in range(4)]
    world = make_world(simulator("--rule-count", "3"), rules=rules)
    running = world.start()
    assert running.left() == 66
    assert "Traceback" not in running.log
    assert running.log.count("sfm-stream: ") == 1


def test_a_rule_cap_told_by_x_ends_the_program_with_66(world: World) -> None:
    """The same, as a plan."""
    world.order({"on": "rules", "method": "POST", "do": "refuse", "problem": "rule-cap"})
    assert world.start().left() == 66


def test_rules_deleted_behind_our_back_are_put_back(world: World) -> None:
    """The periodic look at the rules finds that they are gone, while the connection stands."""
    world.order({"do": "delete_rules", "after": 10})
    running = world.start(patch=OFTEN)
    world.connected()
    until(lambda: len(world.events("rules")) == 2, "rules put back in", world)
    world.sent_more(10)
    running.stop()
    again = world.events("rules")[1]
    assert again["by"] == "check"
    assert len(again["added"]) == 1
    assert len(world.events("connect")) == 1
    nothing_missing(world)


def test_rules_that_are_not_ours_are_reported_and_left(world: World) -> None:
    """What somebody else asked for on the same app is none of our business, but must be known."""
    world.order({"do": "foreign_rule", "value": "concert", "tag": "theirs", "after": 5})
    running = world.start(patch=OFTEN)
    world.connected()
    world.happened("foreign")
    running.stop()
    assert world.events("foreign")[0]["rules"] == [{"value": "concert", "tag": "theirs"}]
    assert "theirs" in running.log
    assert {"concert"} < set(_values(world))


def test_a_changed_rule_does_not_drop_the_connection(world: World) -> None:
    """SIGHUP brings the rules up to date; the same connection goes on."""
    running = world.start()
    world.connected()
    old = _values(world)
    world.write_settings(rules=[{"name": "main", "track": ["the", "in"]}, {"name": "more", "query": "concert lang:en"}])
    running.send(signal.SIGHUP)
    until(lambda: _values(world) != old and len(_values(world)) == 2, "new rules at X in", world)
    settings = world.status()["settings"]
    until(lambda: world.status()["settings"] != settings or len(world.events("rules")) > 1, "a new digest in", world)
    world.sent_more(10)
    running.stop()
    assert world.events("rules")[1]["by"] == "change of settings"
    assert len(world.events("connect")) == 1
    nothing_missing(world)


def test_broken_settings_are_refused_and_the_old_ones_stay(world: World) -> None:
    """SIGHUP with settings that cannot be used changes nothing, and says why."""
    running = world.start()
    world.connected()
    before = _values(world)
    digest = world.status()["settings"]
    broken = {"kind": "filterstream", "name": "storms", "credential": "lab", "rules": "rulez"}
    world.settings_path.write_text(json.dumps(broken))
    running.send(signal.SIGHUP)
    fault = world.happened("settings")["fault"]
    world.sent_more(10)
    assert _values(world) == before
    assert world.status()["settings"] == digest
    running.stop()
    assert "rulez" in fault
    nothing_missing(world)


def test_a_rule_that_x_refuses_later_leaves_the_others_in_force(world: World) -> None:
    """At SIGHUP a refused rule is no reason to end a stream that works."""
    running = world.start()
    world.connected()
    world.order({"on": "rules", "method": "POST", "do": "refuse", "status": 422, "problem": "rule-cap"})
    world.write_settings(rules=[{"name": "main", "track": ["the", "in"]}])
    running.send(signal.SIGHUP)
    world.happened("settings")
    world.sent_more(5)
    running.stop()
    compare(world)
    assert len(world.events("connect")) == 1


def test_a_hangup_during_a_wait_is_taken_up_at_the_next_connect(world: World) -> None:
    """Rules that change while there is no connection are in force when there is one."""
    world.order({"do": "refuse", "problem": "rate-limit", "reset": 2})
    running = world.start()
    world.waits("rate limit")
    world.write_settings(rules=[{"name": "main", "track": ["the"]}])
    running.send(signal.SIGHUP)
    world.connected()
    running.stop()
    assert _values(world) == ["the"]


def test_an_edit_that_x_refuses_half_way_leaves_the_rules_before_it(full: World) -> None:
    """The app is full, so an old rule has to go first; it is put back, and every report says what is in force."""
    running = full.start()
    full.connected()
    before = _values(full)
    until(lambda: _trouble(full) == "", "a filter that is well", full)
    full.order({**POST, "do": "pass", "times": 2}, {**POST, "do": "refuse", "status": 422, "body": INVALID})
    _edit(full)
    full.happened("settings")
    full.sent_more(10)
    assert _values(full) == before == ["for OR vote", "the OR in"]
    words = "X refused the rule 'for OR storm': storm is not for sale"
    until(lambda: _trouble(full) == f"X does not hold its rules (1 missing): {words}", "the refusal told", full)
    assert f"{words}; the rules before it stay in force" in running.log
    status = full.status()
    assert status["rules_live"] != status["rules_wanted"]
    assert [entry["missing"] for entry in full.events("shortage")] == [1, 0]
    code, (coverage,) = _command(full, "gaps")
    (loss,) = coverage["losses"]
    assert (code, loss["rules"], loss["end"] is not None) == (3, 1, True)
    assert "X does not take the new rules beside the old" in loss["what"]
    _, (first, second) = _command(full, "history", "storms")
    assert first["time"] <= first["in_force"]
    assert second["in_force"] is None
    full.processes[-1].send(signal.SIGHUP)
    until(lambda: _values(full) == ["for OR storm", "the OR in"], "the edit, once X takes it", full)
    until(lambda: _trouble(full) == "", "a filter that is well again", full)
    running.stop()
    assert _command(full, "history", "storms")[1][1]["in_force"] > second["time"]
    assert len(full.events("connect")) == 1
    compare(full)


def test_an_edit_that_x_limits_half_way_waits_for_the_reset_and_is_completed(full: World) -> None:
    """The rule that is missing meanwhile is a loss with its beginning and end; nothing is asked before the reset."""
    running = full.start()
    full.connected()
    asked = len(full.answers("POST", RULES))
    full.order({**POST, "do": "pass", "times": 2}, {**POST, "do": "refuse", "problem": "rate-limit", "reset": 3})
    _edit(full)
    full.happened("shortage", missing=1)
    until(lambda: "429" in full.status()["rules_fault"], "the limit told", full)
    assert len(full.answers("POST", RULES)) == asked + 3
    assert _values(full) == ["the OR in"]
    assert _trouble(full).startswith("X does not hold its rules (1 missing): HTTP 429")
    assert "stay in force" not in running.log
    full.happened("shortage", missing=0)
    assert _values(full) == ["for OR storm", "the OR in"]
    until(lambda: _trouble(full) == "", "a filter that is well again", full)
    running.stop()
    posts = [each for each in full.ledger() if (each.get("method"), each.get("path")) == ("POST", RULES)]
    limited = next(number for number, each in enumerate(posts) if each["status"] == 429)
    assert seconds(posts[limited + 1]["time"]) - seconds(posts[limited]["time"]) >= 2, "X's limit, in whole seconds"
    (loss,) = _command(full, "gaps")[1][0]["losses"]
    assert (loss["rules"], seconds(loss["end"]) - seconds(loss["time"]) >= 2) == (1, True)
    compare(full)


def test_a_kill_half_way_through_an_edit_is_a_loss_until_the_next_start_completes_it(full: World) -> None:
    """What was deleted and not yet replaced was journaled before."""
    running = full.start()
    full.connected()
    full.order({**POST, "do": "pass", "times": 2}, {**POST, "do": "slow_headers", "seconds": 60})
    _edit(full)
    until(lambda: _values(full) == ["the OR in"], "a rule deleted in", full)
    running.kill()
    assert [entry["missing"] for entry in full.events("shortage")] == [1]
    again = full.start()
    full.connected(2)
    # Killed before it had asked for the new rule, the answer that takes a minute is for this process, which asks again.
    until(lambda: _values(full) == ["for OR storm", "the OR in"], "the new rule in", full)
    until(lambda: len(full.events("shortage")) > 1, "the end of the shortage in", full)
    assert [entry["missing"] for entry in full.events("shortage")] == [1, 0]
    again.stop()


def test_one_word_added_changes_one_rule(world: World) -> None:
    """The other rules stay, though the word stands before all others."""
    words = [*(f"word{number:03}" for number in range(300)), "the"]
    world.write_settings(rules=[{"name": "main", "track": words}], rule_length=100)
    running = world.start()
    world.connected()
    before = _values(world)
    world.write_settings(rules=[{"name": "main", "track": ["election", *words]}])
    running.send(signal.SIGHUP)
    until(lambda: "election" in " ".join(_values(world)), "the new word at X in", world)
    running.stop()
    after = _values(world)
    assert len(before) > 30
    assert len(set(after) - set(before)) == len(set(before) - set(after)) == 1
    assert world.events("shortage") == []


def test_a_full_app_is_rewritten_with_few_rules_missing_at_a_time(
    simulator: Callable[..., Simulator], make_world: Callable[..., World]
) -> None:
    """A thousand rules under another tag: X takes none of them beside the old."""
    words = ["the", *(f"word{number:03}" for number in range(999))]
    simulated = simulator("--rule-count", "1000", "--rate", "20")
    world = make_world(simulated, rules=[{"name": "before", "track": words}], rule_length=7)
    running = world.start()
    world.connected()
    assert len(world.rules()) == 1000
    world.write_settings(rules=[{"name": "after", "track": words}])
    running.send(signal.SIGHUP)
    world.happened("shortage", missing=0)
    assert {rule["tag"] for rule in world.rules()} == {"sfm:storms:after"}
    changes = [entry["added"] - entry["deleted"] for entry in world.ledger() if entry["event"] == "rules"]
    held = list(itertools.accumulate(changes))
    assert held[-1] == 1000
    assert min(held[held.index(1000) :]) == 968
    assert len(world.answers("POST", RULES)) <= 100, "within the limit of X's quarter of an hour, as it was once"
    running.stop()


def test_a_start_with_an_edit_that_x_refuses_goes_on_with_the_rules_before(world: World) -> None:
    """Loudly: in log, journal and status; the connection stands."""
    running = world.start()
    world.connected()
    before = _values(world)
    running.stop()
    world.order({**POST, "do": "refuse", "status": 422, "body": INVALID, "times": 0})
    world.write_settings(rules=[{"name": "main", **EDITED}])
    again = world.start()
    world.connected(2)
    world.sent_more(5)
    assert _values(world) == before
    assert "X refused the rule 'for OR storm': storm is not for sale" in _trouble(world)
    assert (
        "ERROR X refused the rule 'for OR storm': storm is not for sale; the rules before it stay in force" in again.log
    )
    assert "for sale" in world.happened("settings")["fault"]
    again.stop()
    world.simulated.ask("/_simulator/plan", {"steps": []})


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 503},
        {"problem": "rate-limit", "reset": 1},
        {"status": 400, "body": {}},
        {"status": 422, "body": [1]},
        {"status": 200, "body": "<html>Sign in to this network</html>"},
    ],
)
def test_a_refusal_of_rules_that_passes_by_itself_ends_nothing(world: World, answer: dict[str, Any]) -> None:
    """It says nothing against the rules: the program asks again, and runs."""
    world.order({**POST, "do": "refuse", **answer})
    running = world.start()
    world.connected()
    assert len(_values(world)) == 1
    running.stop()


def test_the_death_of_the_watch_over_the_rules_is_the_programs_own(world: World) -> None:
    """A program whose rules nobody looks at any more does not go on as if all were well: supervisor starts it again."""
    running = world.start(
        patch="from sfm_stream.sources.x import rule_keeper as k; k.RuleKeeper.watch = lambda self: 1 / 0"
    )
    assert running.left() == 1
    assert "ZeroDivisionError" in running.log


def test_the_watch_over_the_rules_survives_a_fault_of_its_own(world: World) -> None:
    """It is told in one line of the log and in the status, and the next look puts things right."""
    running = world.start(patch=OFTEN + THIRD_LOOK_FAILS)
    world.connected()
    until(lambda: "a fault of the program: ZeroDivisionError" in running.log, "the fault in the log of", world)
    until(lambda: _trouble(world) == "", "a filter that is well", world)
    assert "Traceback" not in running.log
    running.stop()
