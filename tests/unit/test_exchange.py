"""Answers that are bounded in time and size, over real sockets."""

from __future__ import annotations

import gzip
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest
import requests
from requests.auth import HTTPBasicAuth

from sfm_stream.sources.x import exchange
from sfm_stream.sources.x.exchange import ANSWER_LIMIT, REASON, Dropped, End, Exchange, content
from tests.support.raw_server import Behaviour, Peer, X, chunk

AUTH = HTTPBasicAuth("user", "pass")
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour], X]]:
    servers: list[X] = []

    def start(behave: Behaviour) -> X:
        servers.append(X(behave))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit of an exchange, short."""
    monkeypatch.setattr(exchange, "SILENCE", 0.5)


def ask(server: X) -> requests.Response:
    return Exchange(requests.Session()).ask("GET", server.url, auth=AUTH)


def stream(server: X) -> list[bytes]:
    with Exchange(requests.Session()).stream("GET", server.url, auth=AUTH) as answer:
        return list(content(answer))


def dribble(start: bytes, again: bytes) -> Behaviour:
    """Sends `start`, and then `again` in short intervals for as long as somebody reads."""

    def behave(peer: Peer) -> None:
        peer.send(start)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            peer.send(again)
            time.sleep(0.02)

    return behave


@pytest.mark.parametrize("how", [ask, stream])
@pytest.mark.parametrize(
    ("start", "again"),
    [
        (b"HTTP/1.1 200", b" "),
        (OK + b"X-Long: ", b"x"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nX"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 503 No\r\n\r\n", b"x"),
        (b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n", chunk(b"x")),
    ],
    ids=["status line", "header", "hints", "body", "body without length", "chunks"],
)
@pytest.mark.usefixtures("hurried")
def test_what_dribbles_is_given_up_in_time(
    serve: Callable[[Behaviour], X], how: Callable[[X], object], start: bytes, again: bytes
) -> None:
    """Each read returns in time, and the answer would never end: for every kind of request."""
    with pytest.raises(Dropped, match="no whole answer within") as caught:
        how(serve(dribble(start, again)))
    assert caught.value.end is End.NETWORK


@pytest.mark.usefixtures("hurried")
def test_a_tls_greeting_that_dribbles_is_given_up_in_time(serve: Callable[[Behaviour], X]) -> None:
    """The limit begins with the connection, not with what is said on it."""
    server = serve(dribble(b"\x16\x03\x03\x40\x00", b"x"))
    with pytest.raises(Dropped):
        Exchange(requests.Session()).ask("GET", server.url.replace("http:", "https:"), auth=AUTH)


@pytest.mark.usefixtures("hurried")
def test_a_proxy_that_dribbles_is_given_up_in_time(
    serve: Callable[[Behaviour], X], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer to CONNECT comes before anything of X's."""
    monkeypatch.setenv("https_proxy", serve(dribble(b"HTTP/1.1 200", b" ")).url)
    with pytest.raises(Dropped):
        Exchange(requests.Session()).ask("GET", "https://x.invalid/", auth=AUTH)


def test_a_stream_that_stands_has_no_time_limit(serve: Callable[[Behaviour], X], hurried: None) -> None:
    """Only its head has one."""

    def behave(peer: Peer) -> None:
        peer.send(CHUNKS, chunk(b"1"))
        time.sleep(1)
        peer.send(chunk(b"2"), b"0\r\n\r\n")

    with Exchange(requests.Session()).stream("GET", serve(behave).url, auth=AUTH) as answer:
        time.sleep(0.7)
        assert b"".join(content(answer)) == b"12"


@pytest.mark.parametrize("limited", [OK, b"HTTP/1.1 503 No\r\n"])
@pytest.mark.parametrize("coding", ["plain", "chunked", "gzip"])
def test_a_body_without_end_is_read_no_further_than_its_limit(
    serve: Callable[[Behaviour], X], limited: bytes, coding: str
) -> None:
    """However it is sent, and however far it expands."""
    if coding == "gzip":
        bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
        start, again = limited + b"Content-Encoding: gzip\r\n\r\n", bomb.compress(bytes(1 << 26))
    else:
        start = limited + (b"Transfer-Encoding: chunked\r\n\r\n" if coding == "chunked" else b"\r\n")
        again = chunk(bytes(1 << 18)) if coding == "chunked" else bytes(1 << 18)

    def behave(peer: Peer) -> None:
        peer.send(start)
        while True:
            peer.send(again)

    server = serve(behave)
    tracemalloc.start()
    try:
        with pytest.raises(Dropped, match="an answer of more than 1024 KiB"):
            ask(server)
        assert tracemalloc.get_traced_memory()[1] < 80 * ANSWER_LIMIT  # 64 of them are the test's own
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [b"-1", b"-5", b"+5", b"0x5", b"5_0", b"", b" ", b"ff" * 9, b"\xff"])
def test_a_chunk_size_that_is_none_is_a_broken_connection(serve: Callable[[Behaviour], X], size: bytes) -> None:
    """None of them is taken for a number, as Python would; what came before is handed on."""

    def behave(peer: Peer) -> None:
        peer.send(CHUNKS, chunk(b"whole\r\n"), size + b"\r\n", b"x" * 100)

    got = []
    with (
        Exchange(requests.Session()).stream("GET", serve(behave).url, auth=AUTH) as answer,
        pytest.raises(Dropped) as caught,
    ):
        got.extend(content(answer))
    assert caught.value.end is End.RESET
    assert b"".join(got) == b"whole\r\n"


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_informational_answers_are_read_over(serve: Callable[[Behaviour], X], status: int) -> None:
    """Before the final one, as many as there are, with their headers."""
    hint = b"HTTP/1.1 %d Hint\r\nLink: </style.css>\r\n\r\n" % status
    server = serve(lambda peer: peer.send(hint * 3 + OK + b"Content-Length: 2\r\n\r\n{}"))
    answer = ask(server)
    assert (answer.status_code, answer.content) == (200, b"{}")


def test_informational_answers_without_end_are_given_up(serve: Callable[[Behaviour], X]) -> None:
    """Long before the time is over."""
    server = serve(lambda peer: peer.send(b"HTTP/1.1 103 Hint\r\n\r\n" * 1000))
    with pytest.raises(Dropped, match="informational"):
        ask(server)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000,
        b"x" * 1_000_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: a, b, c, d, e, f, g\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n{}",
        b"HTTP/7.7 200 OK\r\n\r\n",
        b"HTTP/1.1 -5 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
    ],
    ids=["headers", "header", "line", "lengths", "codings", "coding", "version", "status", "cut"],
)
def test_a_head_that_is_none_is_a_dropped_connection(serve: Callable[[Behaviour], X], head: bytes) -> None:
    """With a short reason, whichever library it was that stumbled."""
    with pytest.raises(Dropped) as caught:
        ask(serve(lambda peer: peer.send(head)))
    assert 0 < len(caught.value.detail) <= REASON


def test_odd_headers_leave_no_traceback_in_the_log(
    serve: Callable[[Behaviour], X], caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is what counts."""
    server = serve(lambda peer: peer.send(OK + b"no header at all\r\nDate: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}"))
    assert ask(server).status_code == 200
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def test_gzip_of_several_members_is_read_whole(serve: Callable[[Behaviour], X]) -> None:
    """As any gzip may be."""
    body = gzip.compress(b"one ") + gzip.compress(b"two")
    head = OK + b"Content-Encoding: X-GZIP\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert ask(serve(lambda peer: peer.send(head + body))).content == b"one two"


def test_another_thread_ends_a_request_that_waits_for_its_answer(serve: Callable[[Behaviour], X]) -> None:
    """Below whatever is wrapped around the socket; and nothing is done where there is no connection."""
    asked = threading.Event()

    def behave(peer: Peer) -> None:
        asked.set()
        peer.await_end()

    server, request = serve(behave), Exchange(requests.Session())
    request.shut(2)
    failure: list[BaseException] = []

    def run() -> None:
        try:
            request.ask("GET", server.url, auth=AUTH)
        except Dropped as dropped:
            failure.append(dropped)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert asked.wait(5)
    request.shut(2)
    thread.join(5)
    assert not thread.is_alive()
    assert failure


def test_what_has_arrived_and_was_not_read_is_known(serve: Callable[[Behaviour], X]) -> None:
    """To tell what a stop leaves unread."""
    sent = threading.Event()

    def behave(peer: Peer) -> None:
        peer.send(CHUNKS)
        peer.send(chunk(bytes(100_000)))
        sent.set()
        peer.await_end()

    request = Exchange(requests.Session())
    with request.stream("GET", serve(behave).url, auth=AUTH) as answer:
        assert sent.wait(5)
        pieces = content(answer)
        deadline = time.monotonic() + 5
        while not request.unread() and time.monotonic() < deadline:
            time.sleep(0.01)
        before = request.unread()
        first = next(pieces)
        assert before > 0
        assert request.unread() < 100_000 - len(first) + 10
    assert request.unread() == 0
