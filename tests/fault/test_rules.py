"""What a program does about the rules that X holds."""

from __future__ import annotations

import signal
from collections.abc import Callable

from tests.fault.compare import compare, nothing_missing
from tests.fault.world import Simulated, World, until

OFTEN = "from sfm_stream.capture import rule_keeper; rule_keeper.CHECK = 0.3; rule_keeper.RETRY = 0.3"
RULES = "/2/tweets/search/stream/rules"


def _values(world: World) -> list[str]:
    return sorted(rule["value"] for rule in world.rules())


def test_rules_beyond_the_limit_of_the_app_end_the_program_with_66(
    simulator: Callable[..., Simulated], make_world: Callable[..., World]
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
    world.settings_path.write_text('{"kind": "filterstream", "name": "storms", "rulez": []}')
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
