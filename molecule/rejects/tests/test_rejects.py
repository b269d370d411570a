"""Every fault of an inventory, one at a time and all at once: its exact message, and no host touched."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from deployment import Deployment, Run
from hosts import Host

Edit = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], object]
"""Spoils an inventory: its common variables, the first host's and the second's."""


def _filter(**keys: object) -> Edit:
    """Changes keys of the first filter; None takes one away."""

    def edit(_all: dict[str, Any], first: dict[str, Any], _second: dict[str, Any]) -> None:
        entry = first["sfm_filters"][0]
        entry.update(keys)
        for key in [key for key, value in keys.items() if value is None]:
            del entry[key]

    return edit


def _all(**keys: object) -> Edit:
    return lambda everywhere, _first, _second: everywhere.update(keys)


def _credential(name: str, **keys: object) -> Edit:
    return lambda everywhere, _first, _second: everywhere["sfm_credentials"].__setitem__(name, keys)


LONG = "(" + " OR ".join(f"longword{number:04}" for number in range(100)) + ")"
BOX = "the order is west, south, east, north"

FAULTS: dict[str, tuple[Edit, str]] = {
    "unknown credential": (
        _filter(credential="libary"),
        "filter 'elections': unknown credential 'libary'; did you mean 'library'?",
    ),
    "malformed credential that nothing uses": (
        _credential("unused", consumer_key="k" * 20),
        "credential 'unused': found consumer_key; either bearer_token, or consumer_key and consumer_secret, must",
    ),
    "empty secret": (
        _credential("library", bearer_token=""),
        "credential 'library': bearer_token: found an empty secret; put the real one there",
    ),
    "placeholder secret": (
        _credential("library", bearer_token="CHANGE-ME"),
        "credential 'library': bearer_token: found a placeholder; put the real secret there",
    ),
    "two streams of one host on one credential": (
        lambda everywhere, first, second: first["sfm_streamsample"].update(credential="library"),
        "2 active streams use credential 'library'; X allows an app one connection",
    ),
    "two streams of two hosts on one credential": (
        lambda everywhere, first, second: second["sfm_filters"][0].update(credential="library"),
        "filter 'elections' on rejects-12 and filter 'storms' on rejects-13: 2 active streams use credential 'library'",
    ),
    "one secret under two names": (
        lambda everywhere, first, second: everywhere["sfm_credentials"].__setitem__(
            "sampler", dict(everywhere["sfm_credentials"]["library"])
        ),
        "2 active streams use credentials 'library' and 'sampler', which hold the same secret,",
    ),
    "duplicate name": (
        lambda everywhere, first, second: first["sfm_filters"].append(
            {"name": "elections", "credential": "spare", "track": ["vote"]}
        ),
        'sfm_filters: two filters are named "elections"; rename one of them',
    ),
    "unsafe name": (
        _filter(name="../passwd"),
        'found the name "../passwd"; up to 64 letters, digits, - and _ are allowed, the first a letter or digit',
    ),
    "unknown key": (_filter(trak=["vote"]), "filter 'elections': unknown key 'trak'; did you mean 'track'?"),
    "unknown variable": (
        _all(sfm_save_intervall=60),
        "sfm_save_intervall: unknown variable; did you mean 'sfm_save_interval'?",
    ),
    "missing key": (
        _filter(credential=None),
        "filter 'elections': the key 'credential' is missing; it must be given",
    ),
    "nothing to match": (
        _filter(track=None),
        "filter 'elections': it says nothing to match; give track, follow, locations, query or rules with these",
    ),
    "rule over the limit": (
        _filter(track=None, query=LONG),
        "X takes at most 1024 in one rule: split or shorten it",
    ),
    "more rules than X holds": (
        lambda everywhere, first, second: (
            first["sfm_filters"][0].update(track=[f"{'word' * 30}{number}" for number in range(40)])
            or everywhere.update(sfm_rule_count=2)
        ),
        "the app may hold 2: ask for less, or raise sfm_rule_count if X has granted more",
    ),
    "query that X would not read": (
        _filter(track=None, query="(tornado OR hail"),
        "filter 'elections': query: found \"(tornado OR hail\"",
    ),
    "coordinates out of range": (
        _filter(locations=[[-200, 38.79, -76.91, 38.99]]),
        f"filter 'elections': locations[0]: found [-200.0, 38.79, -76.91, 38.99]; {BOX}, with longitudes",
    ),
    "coordinates in the wrong order": (
        _filter(locations=[[-76.91, 38.99, -77.12, 38.79]]),
        f"in which west is not west of east or south not south of north; {BOX}",
    ),
    "wrong type": (
        _filter(track="vote"),
        "filter 'elections': track: found \"vote\"; a list is needed, even for one entry: [...]",
    ),
    "number for text": (
        _filter(follow=[12345]),
        "filter 'elections': follow[0]: found 12345 (a number); text is needed: put quotes around what you wrote",
    ),
    "interval of zero": (_all(sfm_save_interval=0), "sfm_save_interval: found 0"),
    "interval of words": (
        _filter(save_interval="15 minutes"),
        "filter 'elections': save_interval: found \"15 minutes\"",
    ),
    "relative directory": (_all(sfm_data_dir="data"), 'data_dir: found "data"; an absolute path is needed'),
    "address that is none": (_all(sfm_api_url="api.x.com"), "a URL is needed, like https://api.x.com"),
    "disk floor that is none": (_all(sfm_min_free="some"), 'min_free: found "some"; a size like'),
    "unknown field": (_filter(fields={"tweet": ["txt"]}), "unknown field \"txt\"; did you mean 'text'?"),
}


def _fingerprint(host: Host) -> str:
    """What a deployment could change: files with their times, accounts, processes; not what programs make below."""
    return host.run(
        "find /etc /opt /usr/local /srv -printf '%p %C@ %m %u %g\\n' | sort;"
        "find /var/lib/sfm /var/log/sfm -maxdepth 1 -type d -printf '%p %m %u %g\\n' | sort;"
        "getent passwd; getent group; supervisorctl status | awk '{print $1, $2, $4}'"
    )


@pytest.fixture(scope="module")
def before(hosts: dict[str, Host]) -> dict[str, str]:
    """What each host is like: the same before and after every test."""
    return {name: _fingerprint(host) for name, host in hosts.items()}


@pytest.fixture
def refused(
    deployment: Deployment, hosts: dict[str, Host], before: dict[str, str]
) -> Iterator[Callable[[list[Edit]], Run]]:
    """Deploys a spoiled copy of the inventory; afterwards no host may have changed."""
    content = copy.deepcopy(deployment.content)

    def deploy(edits: list[Edit]) -> Run:
        # Something of the base role is due as well: it would be done first, if the examination did not come before.
        deployment.everywhere["sfm_log_days"] = 31
        for edit in edits:
            edit(deployment.everywhere, *deployment.hosts.values())
        run = deployment.play("deploy")
        assert run.code != 0, run.text
        return run

    yield deploy
    deployment.content.clear()
    deployment.content.update(content)
    deployment.group = next(iter(deployment.content.values()))
    for name, host in hosts.items():
        assert _fingerprint(host) == before[name], f"{name} was touched"


def _plain(text: str) -> str:
    """A play's output without line breaks, escapes and YAML's doubled quotes."""
    return re.sub(r"\s+", " ", text.replace('\\"', '"').replace("''", "'").replace("\\n", " "))


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_is_refused_with_its_message(name: str, refused: Callable[[list[Edit]], Run]) -> None:
    """The deployment ends before any host is touched, and says item, value and fix."""
    edit, message = FAULTS[name]
    run = refused([edit])
    assert message in _plain(run.text), run.text


def test_several_faults_are_told_at_once(refused: Callable[[list[Edit]], Run]) -> None:
    """All of them in one run: nobody has to fix one to hear of the next."""
    chosen = [
        "malformed credential that nothing uses",
        "two streams of two hosts on one credential",
        "unknown variable",
        "coordinates out of range",
        "unknown key",
        "interval of zero",
    ]
    run = refused([FAULTS[name][0] for name in chosen])
    text = _plain(run.text)
    assert [FAULTS[name][1] for name in chosen if FAULTS[name][1] not in text] == [], run.text


def test_no_secret_is_shown(refused: Callable[[list[Edit]], Run], deployment: Deployment) -> None:
    """A refusal about credentials does not print them."""
    run = refused([FAULTS["one secret under two names"][0], _credential("unused", bearer_token="secret with blanks")])
    for secret in ("secret with blanks", deployment.everywhere["sfm_credentials"]["library"]["bearer_token"]):
        assert secret not in run.text
