"""One connection to a Jetstream host, over real sockets: what is asked for, what comes, and how it ends."""

from __future__ import annotations

import contextlib
import http
import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Asked
from websockets.http11 import Response
from websockets.sync.server import Server, ServerConnection, serve
from websockets.utils import accept_key

from sfm_stream.sources.bluesky.session import (
    ACCOUNT_LIMIT,
    URL_LIMIT,
    CursorTooOldError,
    Request,
    Session,
)
from sfm_stream.sources.feed import Dropped, Refused
from tests.support.bluesky_events import POSTS, post
from tests.support.raw_server import Peer, X

Host = Callable[..., str]
PATIENCE = 10.0


@pytest.fixture
def host() -> Iterator[Host]:
    """Starts hosts that behave as they are told to; gives the address of each."""
    servers: list[Server] = []

    def start(behave: Callable[[ServerConnection], None], **options: object) -> str:
        server = serve(behave, "127.0.0.1", 0, compression=None, **options)  # type: ignore[arg-type]
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"ws://127.0.0.1:{server.socket.getsockname()[1]}"

    yield start
    for server in servers:
        server.shutdown()


def refusing(status: int, body: str, **headers: str) -> Callable[[ServerConnection, Asked], Response]:
    """An answer in place of the upgrade."""

    def answer(connection: ServerConnection, _: Asked) -> Response:
        response = connection.respond(http.HTTPStatus(status), body)
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return response

    return answer


class Capture:
    """A session, and what it received; it ends after `count` lines."""

    def __init__(self, address: str, count: int = 0, **request: object) -> None:
        self.lines: list[bytes] = []
        self.opened = threading.Event()
        self._count = count
        parameters = {"host": address, "wire": 2, **request}
        self.session = Session(Request(**parameters), lambda _: self.opened.set(), self._take, None)  # type: ignore[arg-type]

    def _take(self, lines: Sequence[bytes]) -> None:
        self.lines += lines
        if len(self.lines) == self._count:
            self.session.finish()

    def run(self) -> BaseException | None:
        """What ended it; None where it was asked to end."""
        try:
            self.session.run()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        return None


def quiet(connection: ServerConnection) -> None:
    """Sends nothing, until the client ends it."""
    with contextlib.suppress(ConnectionClosed):
        connection.recv()


def parameters(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def accounts(count: int) -> list[str]:
    return [f"did:plc:{number:024d}" for number in range(count)]


# --- What is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "path", "collections", "dids"),
    [
        (1, "/subscribe", "wantedCollections", "wantedDids"),
        (2, "/xrpc/network.bsky.jetstream.subscribeEvents", "collections", "dids"),
    ],
)
def test_each_wire_has_its_own_names(wire: int, path: str, collections: str, dids: str) -> None:
    wanted = accounts(3)
    request = Request(host="wss://h.example/", wire=wire, collections=[POSTS, "a.b.*"], dids=wanted, cursor="17")
    assert urlsplit(request.url).path == path
    assert parameters(request.url) == {collections: [POSTS, "a.b.*"], dids: wanted, "cursor": ["17"]}
    assert request.accounts_on_host
    assert not request.by_message


def test_nothing_asked_for_is_everything() -> None:
    assert Request(host="wss://h.example", wire=1).url == "wss://h.example/subscribe"


def test_more_accounts_than_an_address_holds_go_by_message_on_v1() -> None:
    wanted = accounts(1_000)
    request = Request(host="wss://h.example", wire=1, collections=[POSTS], dids=wanted, cursor="17")
    assert len(request.url) < URL_LIMIT
    assert parameters(request.url) == {"wantedCollections": [POSTS], "cursor": ["17"], "requireHello": ["true"]}
    assert request.by_message
    assert request.accounts_on_host
    assert json.loads(request.hello) == {
        "type": "options_update",
        "payload": {"wantedCollections": [POSTS], "wantedDids": wanted, "maxMessageSizeBytes": 0},
    }


def test_more_accounts_than_an_address_holds_are_not_asked_for_on_v2() -> None:
    request = Request(host="wss://h.example", wire=2, collections=[POSTS], dids=accounts(1_000))
    assert parameters(request.url) == {"collections": [POSTS]}
    assert not request.accounts_on_host
    assert not request.by_message


def test_more_accounts_than_a_host_takes_are_not_asked_for() -> None:
    request = Request(host="wss://h.example", wire=1, dids=accounts(ACCOUNT_LIMIT + 1))
    assert request.url == "wss://h.example/subscribe"
    assert not request.accounts_on_host
    assert not request.by_message


def test_the_host_is_told_who_asks(host: Host) -> None:
    agents: list[str] = []

    def behave(connection: ServerConnection) -> None:
        assert connection.request is not None
        agents.append(connection.request.headers["User-Agent"])
        connection.send("{}")

    address = host(behave)
    Capture(address, 1, contact="library@example.org").run()
    Capture(address, 1).run()
    named, plain = agents
    assert named.startswith("sfm-stream/")
    assert named.endswith("(library@example.org)")
    assert plain == named.partition(" ")[0]


def test_a_message_with_the_accounts_is_the_first_thing_sent(host: Host) -> None:
    def behave(connection: ServerConnection) -> None:
        connection.send(json.dumps({"heard": json.loads(connection.recv(timeout=PATIENCE))}))

    capture = Capture(host(behave), 1, wire=1, dids=accounts(1_000))
    assert capture.run() is None
    assert json.loads(capture.lines[0])["heard"]["payload"]["wantedDids"] == accounts(1_000)


# --- What comes ------------------------------------------------------------------------------------------------------


def test_lines_are_the_bytes_that_came(host: Host) -> None:
    """Also those that are no UTF-8, and frames of either kind."""
    text, broken = post("ごはん 🍚"), b'{"a":"\xff\xfe"}'

    def behave(connection: ServerConnection) -> None:
        connection.send(text.decode())
        connection.send(broken)
        connection.send([text[:10].decode(), text[10:].decode()])
        quiet(connection)

    capture = Capture(host(behave), 3)
    assert capture.run() is None
    assert capture.lines == [text, broken, text]
    assert capture.session.last_byte > 0


def test_what_a_line_makes_fail_ends_the_connection_and_is_raised(host: Host) -> None:
    ended = threading.Event()

    def behave(connection: ServerConnection) -> None:
        connection.send("{}")
        quiet(connection)
        ended.set()

    def fail(_: bytes) -> None:
        raise OSError("the disk is full")

    session = Session(Request(host=host(behave), wire=2), lambda _: None, fail, None)
    with pytest.raises(OSError, match="the disk is full"):
        session.run()
    assert ended.wait(PATIENCE)


@pytest.mark.parametrize("how", ["finish", "abort"])
def test_a_quiet_connection_ends_when_it_is_asked_to(host: Host, how: str) -> None:
    capture = Capture(host(quiet))
    thread = threading.Thread(target=capture.run, daemon=True)
    thread.start()
    assert capture.opened.wait(PATIENCE)
    getattr(capture.session, how)()
    thread.join(PATIENCE)
    assert not thread.is_alive()


# --- How it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "at_once"), [(1000, False), (1001, True), (1008, False), (1011, False), (4000, False)]
)
def test_a_close_frame_is_told_and_a_host_that_restarts_is_asked_again_at_once(
    host: Host, code: int, at_once: bool
) -> None:
    error = Capture(host(lambda connection: connection.close(code, "so it is"))).run()
    assert isinstance(error, Dropped)
    assert (error.end, error.detail) == ("closed by the host", f"close code {code}: so it is")
    assert error.at_once is at_once


def test_a_break_without_a_close_frame_is_told_as_one(host: Host) -> None:
    error = Capture(host(lambda connection: connection.close_socket())).run()
    assert isinstance(error, Dropped)
    assert error.end == "connection broken"
    assert not error.at_once


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (
            400,
            '{"error":"InvalidRequest","message":"unknown parameters"}',
            {},
            ("InvalidRequest", "unknown parameters", 0),
        ),
        (503, "starting up\nplease wait", {"Retry_After": "7"}, ("refused", "starting up please wait", 7)),
        (429, "", {"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, ("refused", "", 0)),
        (403, '["no"]', {"Retry_After": "-5"}, ("refused", '["no"]', 0)),
        (500, "x" * 100_000, {}, ("refused", "x" * 300, 0)),
    ],
)
def test_a_refusal_is_told_in_the_hosts_own_words(
    host: Host, status: int, body: str, headers: dict[str, str], expected: tuple[str, str, float]
) -> None:
    error = Capture(host(quiet, process_request=refusing(status, body, **headers))).run()
    assert isinstance(error, Refused)
    assert error.status == status
    assert (error.reason, error.detail, error.retry_after) == expected


def test_a_cursor_that_is_too_old_is_told_apart(host: Host) -> None:
    body = '{"error":"CursorTooOld","message":"cursor 5 is too old; floor is 900"}'
    error = Capture(host(quiet, process_request=refusing(400, body)), cursor="5").run()
    assert isinstance(error, CursorTooOldError)
    assert "floor is 900" in str(error)


def test_a_page_in_place_of_the_upgrade_is_no_host() -> None:
    """As a proxy or a web filter answers."""
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\n\r\nBlocked"
    for answer, reason in ((page, "refused"), (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not a Jetstream host")):
        server = X(lambda peer, answer=answer: peer.send(answer))  # type: ignore[misc]
        error = Capture(server.url.replace("http:", "ws:")).run()
        server.close()
        assert isinstance(error, Dropped | Refused)
        assert str(error).startswith(reason)


def test_a_host_that_is_not_there_is_a_network_error() -> None:
    server = X()
    server.close()
    for address in (server.url.replace("http:", "ws:"), "ws://nowhere.invalid"):
        error = Capture(address).run()
        assert isinstance(error, Dropped)
        assert error.end == "network error"
        assert error.detail


def test_a_frame_larger_than_any_event_ends_the_connection(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfm_stream.sources.bluesky.session.FRAME_LIMIT", 1_000)

    def behave(connection: ServerConnection) -> None:
        connection.send("x" * 1_001)
        quiet(connection)

    error = Capture(host(behave)).run()
    assert isinstance(error, Dropped)
    assert "1009" in str(error)


def test_a_host_that_answers_no_ping_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection stands, and takes what is sent."""
    monkeypatch.setattr("sfm_stream.sources.bluesky.session.PING", 0.3)

    def behave(peer: Peer) -> None:
        key = re.search(rb"(?i)sec-websocket-key: (\S+)", peer.request)
        assert key is not None
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        peer.send(b"Sec-WebSocket-Accept: " + accept_key(key[1].decode()).encode() + b"\r\n\r\n")
        peer.await_end()

    server = X(behave)
    error = Capture(server.url.replace("http:", "ws:")).run()
    server.close()
    assert isinstance(error, Dropped)
    assert error.end == "no answer to a ping"
