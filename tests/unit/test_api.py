"""What is asked of X besides the stream."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sfm_stream.errors import RulesRefusedError
from sfm_stream.settings.faults import Secret
from sfm_stream.sources.x import api
from sfm_stream.sources.x.client import Dropped, End, XRefused
from sfm_stream.sources.x.refusals import RefusalKind
from sfm_stream.sources.x.rules.compiler import XRule
from sfm_stream.sources.x.rules.reconcile import Add, Delete, LiveRule
from sfm_stream.sources.x.settings import XCredential
from tests.unit.rules_server import App, serving

PAIR = XCredential(consumer_key=Secret("key"), consumer_secret=Secret("s/e:c+ret"))


@pytest.fixture
def app() -> Iterator[App]:
    with serving(App()) as running:
        yield running


def rules(count: int) -> tuple[XRule, ...]:
    return tuple(XRule(f"word{number}", "sfm:storms:main") for number in range(count))


def test_a_bearer_token_that_is_given_is_not_asked_for(app: App) -> None:
    """X is left alone."""
    assert api.bearer_token(XCredential(bearer_token=Secret("given")), app.url) == "given"
    assert app.asked == []


def test_a_token_is_fetched_with_key_and_secret(app: App) -> None:
    """Both are quoted for the header, as X's page on app-only authentication says; the token is kept as a secret."""
    token = api.bearer_token(PAIR, app.url + "/")
    assert (token, repr(token)) == ("fetched", "Secret('***')")
    assert app.asked == [("POST", "/oauth2/token", "grant_type=client_credentials")]
    assert app.headers[0]["Authorization"] == "Basic " + base64.b64encode(b"key:s%2Fe%3Ac%2Bret").decode()


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_wrong_key_is_a_wrong_credential(app: App, status: int) -> None:
    """Whichever status X has for it."""
    app.answers = [(status, {"errors": [{"code": 99, "message": "Unable to verify your credentials"}]})]
    with pytest.raises(XRefused, match="Unable to verify") as caught:
        api.bearer_token(PAIR, app.url)
    assert caught.value.refusal.kind is RefusalKind.CREDENTIAL


@pytest.mark.parametrize("status", [429, 500, 302])
def test_a_token_that_x_does_not_give_just_now_is_tried_again(app: App, status: int) -> None:
    """It says nothing of the key."""
    app.answers = [(status, {})]
    with pytest.raises(XRefused) as caught:
        api.bearer_token(PAIR, app.url)
    assert caught.value.refusal.kind in (RefusalKind.RATE_LIMIT, RefusalKind.SERVER)


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", {}, [], {"access_token": None}, {"access_token": {}}, b"\xff{}", b'{"a":' * 100_000]
)
def test_an_answer_without_a_token_is_none_of_xs(app: App, answer: object) -> None:
    """No null is taken for a token."""
    app.answers = [(200, answer)]
    with pytest.raises(Dropped, match="no access_token") as caught:
        api.bearer_token(PAIR, app.url)
    assert caught.value.end is End.UNUSABLE


@pytest.mark.parametrize("token", ["a\nX-Evil: 1", "a\r", " a", "caf\xe9", "", "a" * 5000, "\u9078"])
def test_a_token_that_can_be_in_no_header_is_none(app: App, token: str) -> None:
    """It would smuggle lines into the next request, or fail in it; and it is not shown."""
    app.answers = [(200, {"access_token": token})]
    with pytest.raises(Dropped, match="signs that no token has") as caught:
        api.bearer_token(PAIR, app.url)
    assert caught.value.end is End.UNUSABLE
    assert len(str(caught.value)) < 200


def test_a_host_without_an_answer_is_a_network_error() -> None:
    """And the message shows no secret."""
    with pytest.raises(Dropped) as caught:
        api.bearer_token(PAIR, "http://127.0.0.1:1")
    assert caught.value.end is End.NETWORK
    assert "ret" not in str(caught.value).replace("retries", "")


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7])
def test_all_rules_are_listed_however_many_pages_they_are(app: App, count: int) -> None:
    """In their order, none twice."""
    app.page = 3
    for number in range(count):
        app.add(f"word{number}", "t")
    assert [rule.value for rule in api.live_rules(app.client())] == [f"word{number}" for number in range(count)]


def test_an_empty_token_for_the_next_page_is_the_end(app: App) -> None:
    """The first page is not asked for again and again."""
    app.answers = [(200, {"data": [{"id": "1", "value": "a"}], "meta": {"next_token": ""}})]
    assert api.live_rules(app.client()) == [LiveRule("1", "a")]


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"<html>", {"data": {}}, {"data": [{"value": "no id"}]}, []),
        *(b'{"data":[{"id":"1","value":"\xff"}]}', b'{"a":' * 100_000),
    ],
)
def test_rules_that_are_none_of_xs_are_not_taken_for_none(app: App, answer: object) -> None:
    """An odd answer must not lead to deleting or adding rules."""
    app.answers = [(200, answer)]
    with pytest.raises(Dropped, match="not X's answer") as caught:
        api.live_rules(app.client())
    assert caught.value.end is End.UNUSABLE


@pytest.mark.parametrize("circle", [["a"], ["a", "b"], [str(number) for number in range(1000)]])
def test_pages_without_end_are_given_up(app: App, circle: list[str]) -> None:
    """A page that names itself as the next, one that leads back, and pages that go on for ever."""
    app.answers = [(200, {"data": [], "meta": {"next_token": circle[number % len(circle)]}}) for number in range(1000)]
    with pytest.raises(Dropped, match="no end"):
        api.live_rules(app.client())
    assert len(app.asked) <= min(len(circle) + 1, 101)


def test_a_page_of_long_rules_is_read_whole(app: App) -> None:
    """A thousand rules of the greatest length are more than other answers may be."""
    for number in range(1000):
        app.add(f"{number} " + "\u9078" * 1019, "t")
    assert len(api.live_rules(app.client())) == 1000


def test_many_rules_are_added_and_deleted_in_batches(app: App) -> None:
    """X refuses bodies that are too large."""
    api.change_rules(app.client(), Add(rules(250)))
    assert len(app.rules) == 250
    assert [len(body["add"]) for _, _, body in app.asked] == [100, 100, 50]
    api.change_rules(app.client(), Delete(tuple(LiveRule(**rule) for rule in app.rules.values())))
    assert app.rules == {}
    assert [len(body["delete"]["ids"]) for _, _, body in app.asked[3:]] == [100, 100, 50]


def test_a_rule_that_x_does_not_take_is_named_with_xs_reasons(app: App) -> None:
    """Each of them on a line of its own."""
    app.invalid = {"word1", "word2"}
    with pytest.raises(RulesRefusedError) as caught:
        api.change_rules(app.client(), Add(rules(4)))
    assert str(caught.value).splitlines() == [
        "X refused the rule 'word1': no such operator",
        "X refused the rule 'word2': no such operator",
    ]


def test_a_rule_that_x_holds_already_is_no_fault(app: App) -> None:
    """Someone was quicker; it is there, as it should be."""
    app.add("word0", "sfm:storms:main")
    api.change_rules(app.client(), Add(rules(2)))
    assert len(app.rules) == 2


@pytest.mark.parametrize("status", [400, 422])
def test_rules_that_x_refuses_altogether_stop_the_program(app: App, status: int) -> None:
    """More than the app may hold, say; in X's words."""
    app.answers = [(status, {"title": "RulesCapExceeded", "detail": "You have exceeded the number of rules"})]
    with pytest.raises(RulesRefusedError, match="X refused the rules: RulesCapExceeded: You have exceeded"):
        api.change_rules(app.client(), Add(rules(1)))


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RefusalKind.RATE_LIMIT), (503, RefusalKind.SERVER), (401, RefusalKind.CREDENTIAL)]
)
def test_other_refusals_say_nothing_against_the_rules(app: App, status: int, kind: RefusalKind) -> None:
    """They are for the caller to handle."""
    app.answers = [(status, {"title": "No"})]
    with pytest.raises(XRefused) as caught:
        api.change_rules(app.client(), Add(rules(1)))
    assert caught.value.refusal.kind is kind


def test_live_connections_are_those_of_the_endpoint(app: App) -> None:
    """With the time at which X holds that they began; X may leave out the name."""
    app.connections = [
        {"id": "a", "endpoint_name": "filtered_stream", "connected_at": "2026-11-24T20:13:00.5Z", "client_ip": "::1"},
        {"id": "b", "endpoint_name": "sample_stream"},
        {"id": "c", "new": 1},
    ]
    found = api.live_connections(app.client(), "filtered_stream")
    assert [each.id for each in found] == ["a", "c"]
    assert found[0].connected_at == datetime(2026, 11, 24, 20, 13, 0, 500_000, tzinfo=UTC)
    app.connections = []
    assert api.live_connections(app.client(), "filtered_stream") == []


def test_one_connection_is_ended_and_no_other(app: App) -> None:
    """By its id."""
    app.connections = [{"id": "a"}, {"id": "b"}]
    api.end_connection(app.client(), api.LiveConnection(id="a"))
    assert app.connections == [{"id": "b"}]
