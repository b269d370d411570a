"""The simulated Jetstream keeps the protocol: cursors, selections, errors, closes, both wires."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.client import ClientConnection

from tests.support.jetstream_client import Parameters, address, as_v1, events, opened, received
from tests.support.simulator import Simulator
from tests.support.waiting import PATIENCE

POSTS = "app.bsky.feed.post"
LIKES = "app.bsky.feed.like"
FIRST_SEQ, WINDOW = 5_000, 300
HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A host that has run for twice as long as it replays."""
    options = ("--rate", "200", "--past", str(2 * WINDOW), "--window", str(WINDOW), "--first-seq", str(FIRST_SEQ))
    with Simulator(tmp_path_factory.mktemp("jetstream"), *options, "--seed", "7", source="bluesky") as host:
        yield host


@pytest.fixture
def host(shared: Simulator) -> Simulator:
    """The shared host, with no plan."""
    shared.plan()
    return shared


def _microseconds(seconds: float = 0.0) -> int:
    """A time so many seconds from now."""
    return int((time.time() + seconds) * 1e6)


def _refusal(host: Simulator, wire: int, parameters: Parameters) -> tuple[int, str]:
    """The answer to a request that is not upgraded."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address(host.url, wire, parameters), timeout=PATIENCE)
    return refused.value.code, refused.value.read().decode()


# --- The wires -------------------------------------------------------------------------------------------------------


def test_v2_numbers_events_without_a_hole_and_v1_tells_the_same_ones_by_time(host: Simulator) -> None:
    """Also of all kinds: records made, changed and deleted, identities and accounts."""
    seq = host.ask("/_simulator/state")["live"] + FIRST_SEQ - 2_000
    newer = events(host.url, 2, 1_000, cursor=str(seq))
    assert [each["payload"]["seq"] for each in newer] == list(range(seq, seq + 1_000))
    assert all(each["$type"] == "message" for each in newer)

    (first,) = events(host.url, 2, 1, cursor=str(seq))
    moment = first["payload"]["time"]
    assert moment.endswith("Z")
    older = events(host.url, 1, 1_000, cursor=str(_cursor_of(moment)))
    assert older[0]["time_us"] == _cursor_of(moment)
    assert [{key: value for key, value in each.items() if key != "time_us"} for each in older] == list(
        map(as_v1, newer)
    )
    assert {each["kind"] for each in older} == {"commit", "identity", "account"}
    assert {each["commit"]["operation"] for each in older if "commit" in each} == {"create", "update", "delete"}


def _cursor_of(moment: str) -> int:
    """A time of v2 as a cursor."""
    return (datetime.fromisoformat(moment) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize("wire", [1, 2])
def test_without_a_cursor_only_what_happens_from_now_on_comes(host: Simulator, wire: int) -> None:
    before = _microseconds(-1)
    (first,) = events(host.url, wire, 1)
    moment = first["time_us"] if wire == 1 else _cursor_of(first["payload"]["time"])
    assert moment >= before


@pytest.mark.parametrize("wire", [1, 2])
def test_a_cursor_is_inclusive_and_its_replay_is_the_same_each_time(host: Simulator, wire: int) -> None:
    cursor = str(_microseconds(-30))
    once = events(host.url, wire, 400, cursor=cursor)
    again = events(host.url, wire, 400, cursor=cursor)
    assert once == again
    from_here = str(once[100]["time_us"] if wire == 1 else once[100]["payload"]["seq"])
    assert events(host.url, wire, 300, cursor=from_here) == once[100:]


def test_a_deletion_has_no_record_and_names_a_post_that_was_made(host: Simulator) -> None:
    cursor = str(_microseconds(-WINDOW + 30))
    seen = events(host.url, 1, 5_000, cursor=cursor, wantedCollections=POSTS)
    commits = [each for each in seen if each["kind"] == "commit"]
    made = {(each["did"], each["commit"]["rkey"]) for each in commits if each["commit"]["operation"] == "create"}
    gone = [each for each in commits if each["commit"]["operation"] == "delete"]
    assert gone
    assert all("record" not in each["commit"] and "cid" not in each["commit"] for each in gone)
    assert {(each["did"], each["commit"]["rkey"]) for each in gone[-20:]} <= made


# --- What is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wire", "name"), [(1, "wantedCollections"), (2, "collections")])
def test_collections_select_commits_alone(host: Simulator, wire: int, name: str) -> None:
    """Accounts and identities of everybody come besides."""
    seen = events(host.url, wire, 1_000, **{name: ["app.bsky.graph.*", LIKES], "cursor": str(_microseconds(-60))})
    seen = seen if wire == 1 else list(map(as_v1, seen))
    assert {each["commit"]["collection"] for each in seen if "commit" in each} == {LIKES, "app.bsky.graph.follow"}
    assert {each["kind"] for each in seen} == {"commit", "identity", "account"}


def test_kinds_leave_out_the_others(host: Simulator) -> None:
    seen = events(host.url, 2, 300, kinds=["account", "identity"], cursor=str(_microseconds(-120)))
    assert {each["payload"]["$type"].partition("#")[2] for each in seen} == {"account", "identity"}


@pytest.mark.parametrize(("wire", "name"), [(1, "wantedDids"), (2, "dids")])
def test_accounts_select_events_of_all_kinds(host: Simulator, wire: int, name: str) -> None:
    cursor = str(_microseconds(-120))
    wanted = [each["did"] for each in events(host.url, 1, 3, cursor=cursor)]
    seen = events(host.url, wire, 20, **{name: wanted, "cursor": cursor})
    assert {each["did"] if wire == 1 else each["payload"]["did"] for each in seen} == set(wanted)


# --- Cursors that do not fit -----------------------------------------------------------------------------------------


def test_v1_moves_an_old_cursor_up_without_a_word(host: Simulator) -> None:
    (first,) = events(host.url, 1, 1, cursor=str(_microseconds() - HOUR))
    assert first["kind"] in ("commit", "identity", "account")
    assert abs(first["time_us"] - _microseconds(-WINDOW)) < PATIENCE * 1e6


def test_v2_refuses_a_number_that_is_too_old_and_names_the_oldest(host: Simulator) -> None:
    status, body = _refusal(host, 2, {"cursor": str(FIRST_SEQ + 1)})
    problem = json.loads(body)
    assert (status, problem["error"]) == (400, "CursorTooOld")
    floor = int(problem["message"].split()[-1])
    (first,) = events(host.url, 2, 1, cursor=str(floor + 10_000))
    assert first["payload"]["seq"] == floor + 10_000


def test_v2_says_so_where_it_moves_a_time_up(host: Simulator) -> None:
    info, first = events(host.url, 2, 2, cursor=str(_microseconds() - HOUR))
    assert info["payload"]["$type"] == "network.bsky.jetstream.subscribeEvents#info"
    assert info["payload"]["name"] == "OutdatedCursor"
    assert "seq" not in info["payload"]
    assert abs(_cursor_of(first["payload"]["time"]) - _microseconds(-WINDOW)) < PATIENCE * 1e6


@pytest.mark.parametrize(
    ("wire", "cursor"),
    [
        *((1, each) for each in ("9" * 18, "9" * 40, "yesterday", "-5", "²")),
        *((2, each) for each in ("9" * 14, "9" * 18)),
    ],
)
def test_a_cursor_in_the_future_or_on_v1_any_other_text_means_now(host: Simulator, wire: int, cursor: str) -> None:
    before = _microseconds(-1)
    (first,) = events(host.url, wire, 1, cursor=cursor)
    assert (first["time_us"] if wire == 1 else _cursor_of(first["payload"]["time"])) >= before


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"wantedCollections": POSTS}, "InvalidRequest"),
        ({"requireHello": "true"}, "InvalidRequest"),
        ({"collections": "posts"}, "InvalidRequest"),
        ({"collections": [f"app.example.c{number}" for number in range(101)]}, "InvalidRequest"),
        ({"dids": "someone.example"}, "InvalidRequest"),
        ({"kinds": "gossip"}, "InvalidRequest"),
        ({"cursor": "yesterday"}, "InvalidRequest"),
        ({"cursor": "9" * 40}, "InvalidRequest"),
        ({"zstdDictionary": "20260811"}, "UnknownZstdDictionary"),
    ],
)
def test_v2_refuses_what_it_does_not_know(host: Simulator, parameters: Parameters, error: str) -> None:
    status, body = _refusal(host, 2, parameters)
    assert status == 400
    assert json.loads(body)["error"] == error
    assert json.loads(body)["message"]


@pytest.mark.parametrize("parameters", [{"wantedCollections": "posts"}, {"wantedDids": "someone.example"}])
def test_v1_refuses_names_that_are_none(host: Simulator, parameters: Parameters) -> None:
    assert _refusal(host, 1, parameters)[0] == 400


# --- What a client sends ---------------------------------------------------------------------------------------------


def _update(**payload: object) -> str:
    return json.dumps({"type": "options_update", "payload": payload})


def test_a_client_that_asked_to_be_heard_first_gets_nothing_before(host: Simulator) -> None:
    parameters: Parameters = {"requireHello": "true", "cursor": str(_microseconds(-60))}
    with opened(host.url, 1, parameters) as connection:
        with pytest.raises(TimeoutError):
            connection.recv(timeout=0.5)
        connection.send(_update(wantedCollections=[LIKES], wantedDids=[], maxMessageSizeBytes=0))
        seen = received(connection, 100)
    assert {each["commit"]["collection"] for each in seen if "commit" in each} == {LIKES}


def test_a_selection_is_replaced_on_the_connection_that_stands(host: Simulator) -> None:
    with opened(host.url, 1, {"wantedCollections": LIKES}) as connection:
        received(connection, 5)
        connection.send(_update(wantedCollections=[POSTS]))
        seen = received(connection, 200)
    collections = [each["commit"]["collection"] for each in seen if "commit" in each]
    assert collections[-1] == POSTS
    assert collections == sorted(collections), "likes that were under way, then posts alone"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 1007),
        (_update(wantedCollections=["posts"]), 1008),
        (_update(wantedDids=["someone.example"]), 1008),
        (_update(wantedDids="did:plc:a"), 1008),
        (json.dumps({"type": "gossip", "payload": {}}), 1008),
        (json.dumps({"type": "options_update"}), 1008),
        ("[]", 1008),
    ],
)
def test_v1_closes_on_messages_that_it_cannot_take(host: Simulator, text: str, code: int) -> None:
    with opened(host.url, 1) as connection:
        connection.send(text)
        assert getattr(_end(connection), "code", None) == code


@pytest.mark.parametrize("frame", [_update(wantedCollections=[POSTS]), b"\0"])
def test_v2_takes_no_data_from_a_client(host: Simulator, frame: str | bytes) -> None:
    with opened(host.url, 2) as connection:
        connection.send(frame)
        assert getattr(_end(connection), "code", None) == 1008


def _end(connection: ClientConnection) -> Close | None:
    """The close frame with which the host ends the connection; None without one."""
    while True:
        try:
            connection.recv(timeout=PATIENCE)
        except ConnectionClosed as closed:
            return closed.rcvd


# --- Ends and failures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1011])
def test_a_close_that_is_ordered_comes_after_so_many_events(host: Simulator, code: int) -> None:
    host.plan({"do": "close", "after": 7, "code": code, "reason": "by order"})
    with opened(host.url, 2, {"cursor": str(_microseconds(-60))}) as connection:
        received(connection, 7)
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=PATIENCE)
    assert closed.value.rcvd == Close(code, "by order")


def test_jetstreams_last_words_come_before_the_close(host: Simulator) -> None:
    host.plan({"do": "error", "after": 2})
    with opened(host.url, 2) as connection:
        assert received(connection, 3)[-1] == {
            "$type": "error",
            "error": "ConsumerTooSlow",
            "message": "consumer fell too far behind",
        }
        assert _end(connection) is not None


def test_a_refusal_that_is_ordered_has_its_headers_and_serves_one_request(host: Simulator) -> None:
    host.plan({"do": "refuse", "status": 503, "headers": {"Retry-After": "2"}})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address(host.url, 2), timeout=PATIENCE)
    assert (refused.value.code, refused.value.headers["Retry-After"]) == (503, "2")
    assert events(host.url, 2, 1)


@pytest.mark.parametrize("do", ["reset", "cut"])
def test_a_connection_breaks_without_a_close_frame(host: Simulator, do: str) -> None:
    host.plan({"do": do, "after": 3})
    with opened(host.url, 2) as connection:
        received(connection, 3)
        assert _end(connection) is None


def test_a_stalled_host_answers_no_ping_and_a_quiet_one_does(host: Simulator) -> None:
    for do, answers in (("quiet", True), ("stall", False)):
        host.plan({"do": do, "after": 1, "seconds": 600})
        with opened(host.url, 2, ping_interval=None) as connection:
            received(connection, 1)
            with pytest.raises(TimeoutError):
                connection.recv(timeout=0.3)
            assert connection.ping().wait(PATIENCE if answers else 0.5) is answers


def test_events_are_repeated_and_strange_frames_come_where_a_plan_says_so(host: Simulator) -> None:
    host.plan({"do": "repeat", "after": 5, "events": 2}, {"do": "inject", "after": 1, "text": '{"kind": "poll"}'})
    seen = events(host.url, 2, 8, cursor=str(_microseconds(-60)))
    numbers = [each["payload"]["seq"] - seen[0]["payload"]["seq"] for each in seen]
    assert numbers == [0, 1, 2, 3, 4, 3, 4, 5]
    assert events(host.url, 2, 2)[1] == {"kind": "poll"}


def test_a_plan_that_cannot_be_read_is_refused_with_what_is_wrong(host: Simulator) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        host.plan({"do": "explode"})
    assert refused.value.code == 400
    assert "explode" in json.loads(refused.value.read())["error"]


def test_the_host_pings_its_clients(tmp_path: Path) -> None:
    async def kinds(url: str) -> set[aiohttp.WSMsgType]:
        async with aiohttp.ClientSession() as session, session.ws_connect(address(url, 1), autoping=False) as socket:
            return {(await socket.receive(PATIENCE)).type for _ in range(20)}

    with Simulator(tmp_path, "--rate", "10", "--ping", "0.1", source="bluesky") as host:
        assert asyncio.run(kinds(host.url)) == {aiohttp.WSMsgType.PING, aiohttp.WSMsgType.TEXT}


def test_a_reader_that_takes_nothing_is_cut_off_and_others_are_not(tmp_path: Path) -> None:
    options = ("--rate", "500", "--past", "600", "--write-limit", "0.3")
    with Simulator(tmp_path, *options, source="bluesky") as host:
        cursor: Parameters = {"cursor": str(_microseconds(-590))}
        with opened(host.url, 1) as other, opened(host.url, 1, cursor, max_queue=1) as slow:
            until = time.monotonic() + PATIENCE
            while not (closed := host.ledger("close")):
                received(other, 1)
                assert time.monotonic() < until, "the reader was not cut off"
            assert closed[0]["reason"] == "TimeoutError"
            assert _end(slow) is None, "it gets no close frame"
            received(other, 500)


def test_a_host_that_stops_says_so_to_its_clients(tmp_path: Path) -> None:
    with Simulator(tmp_path, source="bluesky") as host, opened(host.url, 1) as connection:
        received(connection, 1)
        host.process.send_signal(signal.SIGTERM)
        assert _end(connection) == Close(1001, "server shutting down")
        assert host.process.wait(PATIENCE) == 0
        assert [each["event"] for each in host.ledger() if each["event"] in ("start", "stop")] == ["start", "stop"]


def test_the_ledger_holds_what_was_sent_on_each_connection(host: Simulator) -> None:
    agent = "tester (ledger)"
    cursor: Parameters = {"cursor": str(_microseconds(-60)), "collections": POSTS, "kinds": "commit"}
    with opened(host.url, 2, cursor, user_agent_header=agent) as connection:
        seen = [each["payload"]["seq"] - FIRST_SEQ for each in received(connection, 50)]
    (name,) = [each["connection"] for each in host.ledger("open") if each["agent"] == agent]
    sent = [int(each["id"]) for each in host.ledger("post") if each["connection"] == name]
    assert sent[:50] == seen
