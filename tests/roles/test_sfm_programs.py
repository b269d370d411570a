"""What the deployment takes for a stream that runs, and what it does to programs that do not run as declared."""

from __future__ import annotations

from typing import Any

import pytest

from sfm_stream.sources.x.refusals import MONEY
from tests.roles import modules  # noqa: F401 - so that the imports below find what the roles share

changes = pytest.importorskip("ansible.module_utils.sfm_program_changes")
health = pytest.importorskip("ansible.module_utils.sfm_program_health")


def test_every_state_in_which_a_program_waits_is_known_to_the_deployment() -> None:
    """A stream without credits is no failed deployment; a state that the module does not know would be waited for."""
    assert set(health.LASTING) == {"connected", "waiting", "credential", "budget", "disk", *map(str, MONEY)}


def plan(live: dict[str, str], changed: list[str], **options: Any) -> Any:
    """What is to be done where these programs have these states, and the program files of some have changed."""
    processes = {name: {"name": name, "statename": state, "start": 1} for name, state in live.items()}
    defaults: dict[str, Any] = {"upstream": {}, "start_stopped": False, "must_reload": lambda _: False}
    return changes.plan_changes(list(live), processes, changes.Pending([], changed), **{**defaults, **options})


UPSTREAM = {"twitterfilter-a": "sfm-simulator", "bluesky-b": "sfm-simulator-bluesky"}


def test_programs_restart_with_the_simulator_that_they_connect_to_and_with_no_other() -> None:
    """What does not run is not started by it."""
    live = dict.fromkeys(("sfm-simulator", "sfm-simulator-bluesky", *UPSTREAM), "RUNNING")
    assert plan(live, ["sfm-simulator"], upstream=UPSTREAM).restarted == ["sfm-simulator", "twitterfilter-a"]
    stopped = {**live, "bluesky-b": "STOPPED"}
    found = plan(stopped, ["sfm-simulator-bluesky"], upstream=UPSTREAM)
    assert (found.restarted, found.respected) == (["sfm-simulator-bluesky"], ["bluesky-b"])


def test_what_ended_is_started_what_was_stopped_by_hand_only_if_asked_for() -> None:
    """And a running program reads its settings again where it must."""
    live = {"a": "FATAL", "b": "STOPPED", "c": "RUNNING"}
    found = plan(live, [], must_reload=lambda process: process["name"] == "c")
    assert (found.started, found.respected, found.reloaded) == (["a"], ["b"], ["c"])
    assert plan(live, [], start_stopped=True).started == ["a", "b"]
