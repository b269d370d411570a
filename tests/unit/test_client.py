"""One connection to X, over real sockets."""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import tweepy

from sfm_stream.settings.faults import Secret
from sfm_stream.sources.x.client import LINE_LIMIT, SILENCE, Client, Dropped, End, XRefused
from sfm_stream.sources.x.refusals import RefusalKind
from tests.support.raw_server import CHUNKED, HEAD, Behaviour, Peer, X, chunk

TOKEN = "a-secret-token"


@pytest.fixture
def serve() -> Iterator[Callable[..., X]]:
    servers: list[X] = []

    def start(*behaviours: Behaviour) -> X:
        servers.append(X(*behaviours))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Capture:
    """A client in a thread, and what it received."""

    def __init__(self, url: str, on_line: Callable[[bytes], None] | None = None, **parameters: object) -> None:
        self.lines: list[bytes] = []
        self.headers: Mapping[str, str] = {}
        self.opened = threading.Event()
        self.received = threading.Event()
        self.error: BaseException | None = None
        self._on_line = on_line
        self._parameters = parameters
        self.client = Client(Secret(TOKEN), url, self._take, self._open)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _open(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.opened.set()

    def _take(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            self.lines.append(line)
            if self._on_line is not None:
                self._on_line(line)
        self.received.set()

    def _run(self) -> None:
        try:
            self.client.filter(**self._parameters)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test looks at it
            self.error = error

    def start(self) -> Capture:
        self._thread.start()
        return self

    def wait(self) -> Capture:
        self._thread.join(20)
        assert not self._thread.is_alive(), "the connection did not end"
        return self

    @property
    def end(self) -> End | None:
        assert self.error is None or isinstance(self.error, Dropped), self.error
        return self.error.end if isinstance(self.error, Dropped) else None


def capture(server: X) -> Capture:
    return Capture(server.url).start().wait()


def test_lines_arrive_byte_for_byte_without_their_ends_and_without_keep_alives(serve: Callable[..., X]) -> None:
    """Each as X sent it, be it no UTF-8 or holding what other readers take for a line's end."""
    sent = [b'{"data":{"id":"1"}}', b"\xff\xfe", "a\u2028b\u0085c\x0bd\x0ce".encode(), b"a\rb", b" padded "]

    def x(peer: Peer) -> None:
        peer.stream(sent[0], b"", *sent[1:], b"", b"")
        peer.send(b"0\r\n\r\n")

    found = capture(serve(x))
    assert found.lines == sent
    assert found.end is End.CLOSED
    assert found.client.torn_bytes == 0


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
def test_lines_are_put_together_however_they_are_cut(serve: Callable[..., X], size: int) -> None:
    """A chunk may hold many lines, or a part of one; also the two bytes of a line's end may be apart."""
    sent = [b'{"data":{"id":"%d"}}' % number for number in range(20)]
    text = b"".join(line + b"\r\n" for line in sent)

    def x(peer: Peer) -> None:
        peer.send(CHUNKED, *(chunk(text[start : start + size]) for start in range(0, len(text), size)), b"0\r\n\r\n")

    assert capture(serve(x)).lines == sent


def test_a_line_without_its_end_is_no_line(serve: Callable[..., X]) -> None:
    """It may be cut anywhere; its bytes are counted, also where the rest would be valid JSON."""

    def x(peer: Peer) -> None:
        peer.stream(b"whole")
        peer.send(chunk(b"torn{}"), b"0\r\n\r\n")

    found = capture(serve(x))
    assert found.lines == [b"whole"]
    assert found.client.torn_bytes == 6
    assert found.end is End.CLOSED


def test_a_connection_that_breaks_in_a_chunk_is_broken(serve: Callable[..., X]) -> None:
    """What came whole before is kept."""

    def x(peer: Peer) -> None:
        peer.stream(b"whole")
        peer.send(b"100\r\nto")

    found = capture(serve(x))
    assert found.lines == [b"whole"]
    assert found.end is End.RESET


@pytest.mark.parametrize("reset", [False, True])
def test_the_whole_lines_of_a_chunk_that_is_cut_arrive(serve: Callable[..., X], reset: bool) -> None:
    """Only the torn one is lost, and counted; no text of a post is in the reason."""
    lines = [b'{"data":{"id":"%d","text":"%s"}}' % (number, b"secret " * 60) for number in range(90)]
    text = b"".join(line + b"\r\n" for line in lines)
    taken = threading.Event()

    def x(peer: Peer) -> None:
        peer.send(CHUNKED, b"%x\r\n" % (len(text) + 40_000), text, b"torn secret")
        if reset:
            taken.wait(5)
            peer.reset()

    found = Capture(serve(x).url, lambda line: taken.set() if line == lines[-1] else None).start().wait()
    assert found.lines == lines
    # A reset takes what the client has not read yet, which may be these bytes.
    assert found.client.torn_bytes in ({0, len(b"torn secret")} if reset else {len(b"torn secret")})
    assert found.end is End.RESET
    assert "secret" not in str(found.error)
    assert len(str(found.error)) < 350


@pytest.mark.parametrize("kind", ["APPLICATION/JSON", "text/event-stream", "text/plain", "application/x-ndjson", None])
def test_whatever_their_content_type_the_lines_decide(serve: Callable[..., X], kind: str | None) -> None:
    """X's own Playground gets its stream as text/event-stream."""
    head = b"HTTP/1.1 200 OK\r\n" + (f"Content-Type: {kind}\r\n".encode() if kind else b"")

    def x(peer: Peer) -> None:
        peer.send(head + b"Transfer-Encoding: chunked\r\n\r\n", chunk(b'\r\n{"data":{}}\r\n'), b"0\r\n\r\n")

    found = capture(serve(x))
    assert found.lines == [b'{"data":{}}']
    assert found.end is End.CLOSED


def test_a_web_page_is_no_stream_whatever_it_calls_itself(serve: Callable[..., X]) -> None:
    """Its first line tells."""

    def x(peer: Peer) -> None:
        peer.stream(b"", b" <!doctype html>", b"<title>Sign in</title>")

    found = capture(serve(x))
    assert found.end is End.UNUSABLE
    assert found.lines == []


def test_a_reset_is_told_from_a_close(serve: Callable[..., X]) -> None:
    """With the system's words."""
    taken = threading.Event()

    def x(peer: Peer) -> None:
        peer.stream(b"whole")
        taken.wait(5)
        peer.reset()

    found = Capture(serve(x).url, lambda _: taken.set()).start().wait()
    assert found.end is End.RESET
    assert "reset" in str(found.error)


def test_a_huge_line_is_a_line(serve: Callable[..., X]) -> None:
    """10 MB pass whole."""
    huge = b"x" * 10_000_000

    def x(peer: Peer) -> None:
        peer.send(CHUNKED, *(chunk(huge[start : start + 65536]) for start in range(0, len(huge), 65536)))
        peer.send(chunk(b"\r\n"), b"0\r\n\r\n")

    assert capture(serve(x)).lines == [huge]


def test_a_line_without_end_does_not_fill_the_memory(serve: Callable[..., X]) -> None:
    """It is given up as no stream of X."""
    piece = chunk(b"x" * (8 << 20))

    def x(peer: Peer) -> None:
        peer.send(CHUNKED, *[piece] * ((LINE_LIMIT >> 23) + 2))
        peer.await_end()

    found = capture(serve(x))
    assert found.end is End.UNUSABLE
    assert "more than 64 MiB" in str(found.error)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_stream_arrives_line_by_line(serve: Callable[..., X], coding: str) -> None:
    """Each line when it was sent, not when the compression has enough; however far it expands."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    sent = [b"1", b"x" * 1_000_000, b"3"]
    taken = [threading.Event() for _ in sent]

    def x(peer: Peer) -> None:
        peer.send(HEAD + f"Content-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for line, event in zip(sent, taken, strict=True):
            data = deflate.compress(line + b"\r\n") + deflate.flush(zlib.Z_SYNC_FLUSH)
            peer.send(chunk(data))
            assert event.wait(5)
        peer.send(b"0\r\n\r\n")

    server, waiting = serve(x), iter(taken)
    found = Capture(server.url, lambda _: next(waiting).set()).start().wait()
    assert found.lines == sent
    assert b"gzip" in server.requests[0].lower().partition(b"accept-encoding:")[2].splitlines()[0]


def test_a_damaged_compression_is_a_broken_connection(serve: Callable[..., X]) -> None:
    """It is tried again like any other."""

    def x(peer: Peer) -> None:
        peer.send(HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.send(chunk(gzip.compress(b"x\r\n")[:10]), chunk(b"\xff" * 100), b"0\r\n\r\n")

    assert capture(serve(x)).end is End.RESET


def test_a_stream_that_is_not_chunked_arrives_line_by_line_as_well(serve: Callable[..., X]) -> None:
    """A proxy of old may pass it on so; nothing waits until 64 KiB have come."""
    taken = threading.Event()

    def x(peer: Peer) -> None:
        peer.send(HEAD.replace(b"1.1", b"1.0") + b"\r\n", b"one\r\n")
        assert taken.wait(5)
        peer.send(b"two\r\n")

    found = Capture(serve(x).url, lambda _: taken.set()).start().wait()
    assert found.lines == [b"one", b"two"]
    assert found.end is End.CLOSED


def test_the_request_is_what_x_wants(serve: Callable[..., X]) -> None:
    """Path, fields, bearer token, and a User-Agent that says who asks."""

    def x(peer: Peer) -> None:
        peer.stream()

    server = serve(x)
    found = Capture(server.url + "/", tweet_fields="id,text", expansions="author_id", backfill_minutes=2)
    found.start().wait()
    request = server.requests[0].decode()
    assert request.startswith("GET /2/tweets/search/stream?")
    for part in ("tweet.fields=id%2Ctext", "expansions=author_id", "backfill_minutes=2"):
        assert part in request.splitlines()[0]
    assert f"Authorization: Bearer {TOKEN}\r\n" in request
    assert "User-Agent: sfm-stream/" in request


def test_the_sample_stream_has_its_own_path(serve: Callable[..., X]) -> None:
    """The same client serves both streams."""
    server = serve(lambda peer: peer.stream())
    with pytest.raises(Dropped):
        Client(Secret(TOKEN), server.url).sample()
    assert server.requests[0].startswith(b"GET /2/tweets/sample/stream")


def test_a_netrc_does_not_replace_the_secret(
    serve: Callable[..., X], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For streams and for other calls: requests would take a password for the host from there."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\ndefault login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(lambda peer: peer.stream(), lambda peer: peer.send(HEAD + b"Content-Length: 2\r\n\r\n{}"))
    capture(server)
    Client(Secret(TOKEN), server.url).request("GET", "/2/x")
    assert all(f"Authorization: Bearer {TOKEN}\r\n".encode() in request for request in server.requests)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(serve: Callable[..., X], status: int) -> None:
    """The secret goes to no other host; the refusal says where it would have gone."""
    elsewhere = serve(lambda peer: peer.stream(b"stolen"))
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere.url}/2/x\r\nContent-Length: 0\r\n\r\n".encode()
    server = serve(lambda peer: peer.send(head))
    found = capture(server)
    with pytest.raises(XRefused, match="which is not followed"):
        Client(Secret(TOKEN), server.url).request("GET", "/2/x")
    assert isinstance(found.error, XRefused)
    assert elsewhere.url in str(found.error)
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"title":"Unauthorized"}', RefusalKind.CREDENTIAL),
        (401, b"<html>Sign in</html>", RefusalKind.FOREIGN),
        (409, b'{"title":"RuleConfigurationIssue"}', RefusalKind.NO_RULES),
        (429, b'{"connection_issue":"TooManyConnections"}', RefusalKind.CONNECTIONS),
        (503, b"<html>", RefusalKind.SERVER),
    ],
)
def test_a_refusal_is_raised_with_what_x_said(
    serve: Callable[..., X], status: int, body: bytes, kind: RefusalKind
) -> None:
    """At once and once: tweepy would try again for ever."""
    head = f"HTTP/1.1 {status} No\r\nx-rate-limit-reset: 1795550400\r\nContent-Length: {len(body)}\r\n\r\n"
    server = serve(lambda peer: peer.send(head.encode() + body))
    found = capture(server)
    assert isinstance(found.error, XRefused)
    refusal = found.error.refusal
    assert (refusal.kind, refusal.status) == (kind, status)
    assert refusal.reset is not None
    assert not found.opened.is_set()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"application/json", b"text/html") + b"Content-Length: 2\r\n\r\nhi",
        HEAD.replace(b"application/json", b"Text/HTML") + b"Content-Length: 2\r\n\r\nhi",
        HEAD.replace(b"200 OK", b"204 None") + b"\r\n",
    ],
    ids=["content type", "content type in capitals", "no content"],
)
def test_what_is_no_stream_is_not_read_as_one(serve: Callable[..., X], head: bytes) -> None:
    """A login page of some network, say."""
    found = capture(serve(lambda peer: peer.send(head)))
    assert found.end is End.UNUSABLE
    assert found.lines == []
    assert not found.opened.is_set()


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 OK\r\n\r\n"])
def test_an_answer_that_is_no_http_is_a_network_error(serve: Callable[..., X], answer: bytes) -> None:
    """Before the connection stands."""
    assert capture(serve(lambda peer: peer.send(answer))).end is End.NETWORK


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "http://.bad.example", "https://127.0.0.1:1", "x://y"]
)
def test_a_host_that_cannot_be_reached_is_a_network_error(url: str) -> None:
    """In few words: the system's own, without addresses in memory."""
    found = Capture(url).start().wait()
    assert found.end is End.NETWORK
    assert "0x" not in str(found.error)
    assert TOKEN not in str(found.error)


def test_a_server_that_speaks_no_tls_is_a_network_error(serve: Callable[..., X]) -> None:
    """The reason says that it is TLS."""
    server = serve(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    found = Capture(server.url.replace("http:", "https:")).start().wait()
    assert found.end is End.NETWORK
    assert "SSL" in str(found.error).upper()


def test_what_goes_wrong_with_a_line_ends_the_connection_and_is_raised(serve: Callable[..., X]) -> None:
    """A full disk, say; tweepy would log it and go on without the post."""

    def fail(line: bytes) -> None:
        raise OSError(28, "No space left on device")

    closed = threading.Event()

    def x(peer: Peer) -> None:
        peer.stream(b"one", b"two")
        peer.await_end()
        closed.set()

    found = Capture(serve(x).url, fail).start().wait()
    assert isinstance(found.error, OSError)
    assert not isinstance(found.error, Dropped)
    assert found.error.errno == 28
    assert found.lines == [b"one"]
    assert closed.wait(5)
    assert not found.client.running


def test_finish_receives_what_is_under_way(serve: Callable[..., X]) -> None:
    """X sees our end of the connection closed, sends the rest and closes: nothing is lost, nothing raised."""

    def x(peer: Peer) -> None:
        peer.stream(b"one")
        peer.await_end()
        peer.send(chunk(b"two\r\nthree\r\n"), chunk(b"torn"), b"0\r\n\r\n")

    found = Capture(serve(x).url).start()
    assert found.received.wait(5)
    found.client.finish()
    found.wait()
    assert found.error is None
    assert found.lines == [b"one", b"two", b"three"]
    assert found.client.torn_bytes == 4


def test_finish_before_the_answer_ends_the_connection_with_it(serve: Callable[..., X]) -> None:
    """A stop may come at any moment."""
    asked, go_on = threading.Event(), threading.Event()

    def x(peer: Peer) -> None:
        asked.set()
        go_on.wait(5)
        peer.stream(b"one")
        peer.await_end()

    found = Capture(serve(x).url).start()
    assert asked.wait(5)
    found.client.finish()
    go_on.set()
    assert found.wait().error is None


def test_abort_ends_a_connection_that_x_does_not_end(serve: Callable[..., X]) -> None:
    """X goes on sending though it was asked to end."""
    ended = threading.Event()

    def x(peer: Peer) -> None:
        peer.stream(b"one")
        while not ended.wait(0.01):
            peer.send(chunk(b"\r\n"))

    found = Capture(serve(x).url).start()
    assert found.received.wait(5)
    found.client.finish()
    found.client.abort()
    found.wait()
    ended.set()
    assert found.error is None


@pytest.mark.parametrize("connection", [b"", b"Connection: close\r\n"])
def test_a_silent_connection_is_given_up(serve: Callable[..., X], connection: bytes) -> None:
    """Not before its time; whatever headers the answer had."""

    def x(peer: Peer) -> None:
        peer.send(HEAD + connection + b"Transfer-Encoding: chunked\r\n\r\n", chunk(b"one\r\n"))
        peer.await_end()

    found = Capture(serve(x).url).start()
    assert found.received.wait(5)
    found.client.give_up_if_silent(time.monotonic() + SILENCE - 2)
    assert found.client.running
    found.client.give_up_if_silent(time.monotonic() + SILENCE + 1)
    assert found.wait().end is End.SILENT


def test_a_connection_that_dribbles_is_given_up(serve: Callable[..., X]) -> None:
    """Single bytes arrive, and keep the read from timing out, but no line is ever complete."""
    ended, dribbled = threading.Event(), threading.Event()

    def x(peer: Peer) -> None:
        peer.stream()
        while not ended.wait(0.01):
            peer.send(chunk(b"x"))
            dribbled.set()

    found = Capture(serve(x).url).start()
    assert dribbled.wait(5)
    assert found.opened.wait(5)
    before = found.client.last_byte
    found.client.give_up_if_silent(time.monotonic() + SILENCE + 1)
    found.wait()
    ended.set()
    assert found.end is End.SILENT
    assert before > 0
    assert found.client.torn_bytes > 0


def test_the_silence_begins_with_xs_answer(serve: Callable[..., X]) -> None:
    """X may take a while to answer; that is the business of the request's own time limit."""
    asked, go_on, taken = threading.Event(), threading.Event(), threading.Event()

    def x(peer: Peer) -> None:
        asked.set()
        go_on.wait(5)
        peer.stream(b"one")
        taken.wait(5)
        peer.send(b"0\r\n\r\n")

    found = Capture(serve(x).url, lambda _: taken.set()).start()
    assert asked.wait(5)
    found.client.give_up_if_silent(time.monotonic() + SILENCE + 1)
    go_on.set()
    assert found.wait().end is End.CLOSED


def test_keep_alives_are_signs_of_life(serve: Callable[..., X]) -> None:
    """A quiet stream is not given up."""
    ended, sent = threading.Event(), threading.Event()

    def x(peer: Peer) -> None:
        peer.stream(b"one")
        while not ended.wait(0.01):
            peer.send(chunk(b"\r\n"))
            sent.set()
        peer.send(b"0\r\n\r\n")

    found = Capture(serve(x).url).start()
    assert found.received.wait(5)
    first = found.client.last_byte
    deadline = time.monotonic() + 10
    while found.client.last_byte == first and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found.client.last_byte > first
    found.client.give_up_if_silent(time.monotonic() + SILENCE - 2)
    ended.set()
    assert found.wait().end is End.CLOSED
    assert found.lines == [b"one"]


def test_nothing_is_done_to_a_client_that_is_not_connected() -> None:
    """Other threads may call whenever they like."""
    client = Client(Secret(TOKEN), "http://127.0.0.1:1")
    client.give_up_if_silent(time.monotonic() + 1000)
    client.finish()
    client.abort()
    assert client.last_byte == 0


def test_headers_of_the_answer_are_handed_on(serve: Callable[..., X]) -> None:
    """X's clock among them."""
    head = HEAD + b"Date: Tue, 24 Nov 2026 20:13:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert capture(serve(lambda peer: peer.send(head))).headers["date"] == "Tue, 24 Nov 2026 20:13:00 GMT"


def test_tweepys_own_calls_go_to_our_host_and_raise_what_we_raise(serve: Callable[..., X]) -> None:
    """Rules are added through tweepy, whose host and errors are others."""
    bodies: list[bytes] = []

    def answer(peer: Peer) -> None:
        while b"}]}" not in peer.request:
            peer.request += peer.socket.recv(65536)
        bodies.append(peer.request.partition(b"\r\n\r\n")[2])
        peer.send(HEAD + b"Content-Length: 13\r\n\r\n" + b'{"data":[{}]}')

    server = serve(answer, lambda peer: peer.send(b'HTTP/1.1 403 No\r\n\r\n{"title":"No"}'))
    client = Client(Secret(TOKEN), server.url)
    assert client.add_rules([tweepy.StreamRule("hail", "sfm:a:b")]).content == b'{"data":[{}]}'
    assert json.loads(bodies[0]) == {"add": [{"value": "hail", "tag": "sfm:a:b"}]}
    with pytest.raises(XRefused, match="credential refused"):
        client.get_rules()
