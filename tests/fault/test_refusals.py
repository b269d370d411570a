"""What a program does when X does not let it connect."""

from __future__ import annotations

import hashlib
import http.server
import json
import signal
import threading
import urllib.request
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.fault.compare import compare, lines_of, nothing_missing, seconds
from tests.fault.world import World
from tests.support.simulator import Simulator
from tests.support.waiting import until

STREAM = "/2/tweets/search/stream"
RULES = "/2/tweets/search/stream/rules"
SOON = (
    "from sfm_stream.sources.x import backoff as b; b.SERVER_FIRST = 0.5; b.LIMIT_FIRST = 1.0; b.CAP_WAIT = 1.0; "
    "b.CREDITS_WAIT = 1.0; b.SPEND_CAP_MAX = 1.0; b.CREDENTIAL_FIRST = b.CREDENTIAL_MAX = 0.5"
)


def _attempts(world: World) -> list[float]:
    return [seconds(e["time"]) for e in world.ledger() if e["event"] == "answer" and e["path"] == STREAM]


@pytest.mark.parametrize(("status", "where"), [(401, "stream"), (403, "stream"), (401, "rules"), (403, "rules")])
def test_a_refused_credential_ends_the_program_with_65_and_one_line(world: World, status: int, where: str) -> None:
    """401 and 403 are not retried; the line names the credential, and never shows it."""
    world.order({"on": where, "do": "refuse", "status": status, "times": 0})
    running = world.start()
    assert running.left() == 65
    lines = [line for line in running.log.splitlines() if line.startswith("sfm-stream: ")]
    assert len(lines) == 1
    assert "'lab'" in lines[0]
    assert str(status) in lines[0]
    assert "Traceback" not in running.log
    assert world.token not in running.log
    assert not world.events("stop")[0]["planned"]


@pytest.mark.parametrize(("status", "where"), [(401, "stream"), (403, "rules")])
def test_a_credential_that_has_worked_is_tried_again(world: World, status: int, where: str) -> None:
    """X refuses good ones for a while now and then; the status says so, and the stream goes on, in the same process."""
    world.order(
        {"after": 20, "do": "close"},
        {"on": "rules", "do": "pass"} if where == "rules" else {"do": "refuse", "status": status, "times": 3},
    )
    running = world.start(patch=SOON)
    world.connected()
    if where == "rules":
        running.stop()
        world.order({"on": "rules", "do": "refuse", "status": status, "times": 3})
        running = world.start(patch=SOON)
    world.waits("credential refused", state="credential")
    world.connected(2)
    running.stop()
    assert "which has worked before" in running.log
    assert world.events("refused")[0]["http_status"] == status
    compare(world)


def test_a_credential_that_has_worked_is_given_up_after_hours(world: World) -> None:
    """In the end it is a wrong one, and the exit code says so."""
    world.order({"after": 20, "do": "close"}, {"do": "refuse", "status": 401, "times": 0})
    running = world.start(patch=f"{SOON}; from sfm_stream.sources.x import feed as c; c.CREDENTIAL_PATIENCE = 2.0")
    assert running.left() == 65
    assert len(world.events("connect")) == 1
    assert len(_attempts(world)) > 2


def test_another_credential_than_the_one_that_worked_ends_at_once(world: World) -> None:
    """It never worked: a new secret that is wrong is told at once, whatever the one before it did."""
    running = world.start()
    world.connected()
    running.stop()
    path = world.folder / "config" / "credentials" / "lab.json"
    path.write_text(json.dumps({"bearer_token": "another"}))
    other = f"app-{hashlib.sha256(b'another').hexdigest()[:8]}"
    world.simulated.ask(
        "/_simulator/plan?append=true",
        {"steps": [{"on": "any", "app": other, "do": "refuse", "status": 401, "times": 0}]},
    )
    assert world.start().left() == 65


@pytest.mark.parametrize("status", [401, 403])
def test_the_page_of_a_web_filter_says_nothing_of_the_credential(make_world: Callable[..., World], status: int) -> None:
    """Whatever its status, it is a trouble of the network: waited for, also by a program that never connected."""
    asked: list[str] = []

    class Filter(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><body>Blocked by your administrator</body></html>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Filter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        world = make_world(api_url=f"http://127.0.0.1:{server.server_address[1]}")
        running = world.start(patch=SOON)
        assert "Blocked by your administrator" in world.waits("no answer of X")["detail"]
        until(lambda: len(asked) > 2, "more tries")
        running.stop()
        server.shutdown()


@pytest.mark.parametrize(("problem", "name"), [("credits", "credits"), ("spend-cap", "spend cap")])
def test_money_that_is_spent_is_a_state_and_a_gap_of_its_own(world: World, problem: str, name: str) -> None:
    """Neither a wrong credential nor a fault of X: the program waits, says for what, and goes on when it is paid."""
    world.order({"after": 20, "do": "close"}, {"do": "refuse", "problem": problem, "times": 2})
    running = world.start(patch=SOON)
    status = world.waits(name, state=name)
    assert "enrolled account" in status["detail"]
    world.connected(2)
    running.stop()
    assert name in [event["cause"] for event in world.events("gap")]
    assert world.events("refused")[0]["reason"] == name
    compare(world)


@pytest.mark.parametrize("problem", ["credits", "spend-cap", "usage-capped"])
def test_money_is_waited_for_in_the_rules_as_well(world: World, problem: str) -> None:
    """Every call of an app without credits fails; the cap of the next century is asked about daily, not hammered."""
    world.order({"on": "rules", "do": "refuse", "problem": problem, "times": 0})
    running = world.start()
    state = {"credits": "credits", "spend-cap": "spend cap", "usage-capped": "usage cap"}[problem]
    detail = world.waits(state, state=state)["detail"]
    assert 900 <= float(detail.rpartition("next try in ")[2].split()[0]) <= 86400
    assert running.stop() < 5


def test_a_field_that_x_does_not_take_is_left_out(world: World) -> None:
    """X takes fields away now and then: better a record without one than none; it is journaled and shown."""
    message = "The `tweet.fields` query parameter value [lang] is not one of [id,text]"
    body = {"errors": [{"parameters": {"tweet.fields": ["id,lang"]}, "message": message}], "title": "Invalid Request"}
    world.order({"do": "refuse", "status": 400, "body": body})
    running = world.start()
    world.connected()
    world.sent_more(10)
    assert "without lang (tweet_fields)" in world.waits("X refuses", state="connected")["detail"]
    running.stop()
    assert world.events("fields")[0]["left_out"] == ["tweet_fields=lang"]
    assert message in running.log
    lines = lines_of(world)
    assert lines
    assert not any(b'"lang"' in line for line in lines)
    nothing_missing(world)


def test_any_other_invalid_request_ends_the_program_with_xs_words(world: World) -> None:
    """The message of X's error is shown, not only its title."""
    body = {"errors": [{"parameters": {}, "message": "Something else is wrong"}], "title": "Invalid Request"}
    world.order({"do": "refuse", "status": 400, "body": body})
    running = world.start()
    assert running.left() == 64
    assert "Something else is wrong" in running.log.splitlines()[-1]


def test_a_forbidden_answer_that_means_a_spent_cap_is_waited_for(world: World) -> None:
    """X may say with a 403 that the month is spent: that is no matter of the credential."""
    world.order({"do": "refuse", "status": 403, "problem": "usage-capped"})
    running = world.start(patch=SOON)
    world.connected()
    running.stop()
    assert world.events("refused")[0]["reason"] == "usage cap"


def test_a_spent_month_at_x_is_waited_for(world: World) -> None:
    """UsageCapExceeded is asked about again each hour, and SIGTERM ends even that wait at once."""
    world.order({"do": "refuse", "problem": "usage-capped", "times": 0})
    running = world.start()
    assert "next try in 3" in world.waits("usage cap", state="usage cap")["detail"]
    assert running.stop() < 5
    assert len(_attempts(world)) == 1


def test_without_rules_the_program_puts_its_rules_back_and_connects(world: World) -> None:
    """409 means that the rules are gone: they are reconciled before the next try."""
    world.order({"actions": [{"do": "delete_rules", "after": 5}, {"do": "close", "after": 5}]})
    running = world.start(patch=SOON)
    world.connected(2)
    world.sent_more(5)
    running.stop()
    assert world.events("refused")[0]["http_status"] == 409
    assert [event["added"] != [] for event in world.events("rules")] == [True, True]
    nothing_missing(world)


def test_a_rate_limit_is_waited_out_to_its_reset(world: World) -> None:
    """x-rate-limit-reset is honoured: not one try comes before it."""
    world.order({"do": "refuse", "problem": "rate-limit", "reset": 3})
    running = world.start()
    world.waits("rate limit")
    world.connected()
    running.stop()
    first, second = _attempts(world)
    assert second >= int(first + 3)
    assert world.events("refused")[0]["reason"] == "rate limit"


def test_the_dead_connection_of_a_killed_program_is_ended_and_its_slot_taken(world: World) -> None:
    """TooManyConnections after kill -9: the program ends its own dead connection and connects at once."""
    world.order({"do": "linger", "seconds": 600})
    first = world.start()
    world.connected()
    world.sent_more(30)
    first.kill()
    second = world.start()
    world.connected(2)
    world.sent_more(20)
    second.stop()
    assert "ours" in world.events("slot")[0]["action"]
    refused, granted = _attempts(world)[1:]
    assert granted - refused < 6
    compare(world)


def _hold_the_slot(world: World) -> object:
    world.simulated.ask(RULES, {"add": [{"value": "flood"}]}, world.token)
    headers = {"Authorization": f"Bearer {world.token}"}
    stream = urllib.request.urlopen(urllib.request.Request(world.simulated.url + STREAM, headers=headers), timeout=60)
    until(world.connections, "the other connection")
    return stream


def test_a_slot_that_another_program_holds_is_waited_for(world: World) -> None:
    """Another holder of the only connection keeps it; the status says from where and since when."""
    stream = _hold_the_slot(world)
    foreign = frozenset(each["id"] for each in world.connections())
    running = world.start(patch=SOON)
    holder = world.connections()[0]
    status = world.waits("another program holds the slot")
    assert "127.0.0.1" in status["detail"]
    assert holder["connected_at"][:10] in status["detail"]
    until(lambda: len(_attempts(world)) >= 3, "another polite try")
    assert [each["id"] for each in world.connections()] == list(foreign)
    assert world.answers("DELETE", "/2/connections") == []
    stream.close()
    world.connected()
    world.sent_more(10)
    running.stop()
    compare(world, foreign=foreign)


@pytest.mark.parametrize("status", [500, 502, 503, 420, 404])
def test_an_error_of_the_server_is_backed_off_from(world: World, status: int) -> None:
    """Each wait is longer than the one before; then the stream goes on."""
    world.order({"do": "refuse", "status": status, "times": 3})
    running = world.start(patch=SOON)
    world.connected()
    running.stop()
    times = _attempts(world)
    waits = [b - a for a, b in pairwise(times)]
    assert len(times) == 4
    assert waits[2] > waits[0]
    assert world.events("connect")[0]["attempts"] == 4
    assert [event["http_status"] for event in world.events("refused")] == [status]


def test_errors_while_asking_for_the_rules_are_backed_off_from(world: World) -> None:
    """The rules come before the stream; X's failures there are no reason to end."""
    world.order({"on": "rules", "do": "refuse", "status": 503}, {"on": "rules", "do": "drop"})
    running = world.start(patch=SOON)
    world.connected()
    running.stop()


def test_connections_that_break_before_an_answer_are_tried_again(world: World) -> None:
    """Network errors wait a quarter of a second more each time."""
    world.order({"do": "drop", "times": 3})
    running = world.start()
    world.connected()
    running.stop()
    assert world.events("connect")[0]["attempts"] == 4


def test_an_x_that_cannot_be_reached_is_tried_again(make_world: Callable[..., World]) -> None:
    """A refused TCP connection waits, says so, and ends at once on SIGTERM."""
    world = make_world(api_url="http://127.0.0.1:9")
    running = world.start()
    world.waits("network error")
    running.stop()
    assert world.events("refused")[0]["reason"] == "network error"


def test_a_login_page_in_place_of_the_stream_is_no_connection(world: World) -> None:
    """A proxy's HTML page with status 200 is not taken for a stream."""
    world.order({"do": "content_type"})
    running = world.start(patch=SOON)
    world.connected()
    world.sent_more(5)
    running.stop()
    assert "text/html" in world.events("refused")[0]["detail"]
    assert len(world.events("connect")) == 1
    nothing_missing(world)


def test_a_redirect_does_not_lead_the_secret_elsewhere(world: World) -> None:
    """The other address is never asked, with the token or without."""
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_address[1]}/elsewhere"
        world.order({"do": "redirect", "location": place}, {"do": "redirect", "location": place, "status": 307})
        running = world.start(patch=SOON)
        world.connected()
        running.stop()
        server.shutdown()
    assert asked == []
    assert "not followed" in json.dumps(world.events("refused"))


def test_a_slow_answer_is_no_reason_not_to_stop(world: World) -> None:
    """SIGTERM while X thinks about a connection ends the program in time."""
    world.order({"do": "slow_headers", "seconds": 15})
    running = world.start()
    until(lambda: world.status().get("state") == "connecting", "connecting")
    running.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_wait_for_another_try_ends_at_once(world: World, number: signal.Signals) -> None:
    """Waits of minutes do not hold up a stop."""
    world.order({"do": "refuse", "problem": "rate-limit", "reset": 600, "times": 0})
    running = world.start()
    world.waits("rate limit")
    running.send(number)
    assert running.left(5) == 0


def test_a_token_that_cannot_be_fetched_ends_with_65(
    simulator: Callable[..., Simulator], make_world: Callable[..., World]
) -> None:
    """A wrong consumer key and secret are as final as a wrong token."""
    world = make_world(simulator("--app", "lab=token,key,secret"))
    path = world.folder / "config" / "credentials" / "lab.json"
    path.write_text(json.dumps({"consumer_key": "key", "consumer_secret": "wrong"}))
    assert world.start().left() == 65
