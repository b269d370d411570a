"""Answers about rules of any shape: no traceback, no endless loop, and no end but the documented ones."""

from __future__ import annotations

import json

import requests
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.errors import RulesRefusedError
from sfm_stream.settings.faults import Secret
from sfm_stream.sources.x.client import Client, Dropped, XRefused
from sfm_stream.sources.x.rule_keeper import RuleKeeper
from sfm_stream.sources.x.settings import Rule, XStream
from tests.support.rules_in_memory import Entries, granted

MOST = 300
"""Requests of one look: a hundred pages, and as many again after a change."""
STREAM = XStream(
    kind="filterstream", name="storms", credential="lab", rules=(Rule(name="main", track=("hail", "a b")),)
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
rule = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["1", "2", "3"]) | anything,
        "value": st.sampled_from(["hail", "hail OR (a b)", "rain"]) | anything,
        "tag": st.sampled_from(["sfm:storms:main", "theirs", ""]) | anything,
    },
)
problem = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["DuplicateRule", "RulesCapExceeded", "Invalid"]) | anything,
        "type": st.sampled_from(["https://api.x.com/2/problems/rule-cap"]) | anything,
        "value": st.just("hail") | anything,
        "details": st.lists(st.text(max_size=9), max_size=2) | anything,
        "detail": anything,
        "message": anything,
    },
)
shaped = st.fixed_dictionaries(
    {},
    optional={
        "data": st.lists(rule, max_size=3) | anything,
        "meta": st.fixed_dictionaries({}, optional={"next_token": st.sampled_from(["t1", "t2", ""]) | anything})
        | anything,
        "errors": st.lists(problem | anything, max_size=3) | anything,
        "title": anything,
        "detail": anything,
    },
)
bodies = st.one_of(
    shaped.map(lambda body: json.dumps(body).encode()),
    anything.map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=40),
    st.sampled_from([b"[" * 5000, b'{"errors":' * 3000, b'{"data":[{"id":"\xff"}]}', b"<html>Sign in</html>"]),
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "x-rate-limit-remaining": st.sampled_from(["0", "1", "-1", "²", "9" * 40, "none"]),
        "x-rate-limit-reset": st.sampled_from(["0", "4102444800", "-5", "9" * 40, "soon"]),
    },
)
answers = st.lists(
    st.tuples(st.sampled_from([200, 200, 201, 400, 401, 403, 409, 422, 429, 500, 503, 302]), bodies, headers),
    min_size=1,
    max_size=5,
)


class Odd(Client):
    """An X that answers one after the other of a list, and for ever the last."""

    def __init__(self, answers: list[tuple[int, bytes, dict[str, str]]]) -> None:
        super().__init__(Secret("token"), "http://127.0.0.1:1")
        self.answers, self.asked = answers, 0

    def request(self, *_: object, **__: object) -> requests.Response:
        """The next answer."""
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        assert self.asked <= MOST, "it asks for ever"
        return granted(*answer)


@given(answers)
def test_any_answer_leads_to_rules_in_force_or_to_a_known_end(
    answers: list[tuple[int, bytes, dict[str, str]]],
) -> None:
    """What is in force was seen; what was not says why; and only X's own words against a rule are a refusal of it."""
    x = Odd(answers)
    keeper = RuleKeeper(STREAM, lambda: x, Entries())
    try:
        keeper.reconcile("start")
    except RulesRefusedError:
        assert any(status in (200, 201, 400, 422) and b"{" in body for status, body, _ in answers)
    except (XRefused, Dropped):
        pass
    else:
        assert keeper.settled
        assert keeper.state.in_force
        return
    assert not keeper.settled
    assert keeper.state.fault


@given(answers)
def test_a_start_ends_only_in_documented_ways(answers: list[tuple[int, bytes, dict[str, str]]]) -> None:
    """It goes on where X holds rules of the filter, and says that they are not what is wanted."""
    x = Odd(answers)
    keeper = RuleKeeper(STREAM, lambda: x, Entries())
    try:
        keeper.prepare("start")
    except (RulesRefusedError, XRefused, Dropped):
        return
    assert keeper.settled or keeper.state.fault
