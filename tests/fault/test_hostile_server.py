"""Whatever a server sends in place of an answer, the program drops the connection with a short reason, and goes on."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fault.compare import lines_of
from tests.fault.world import World
from tests.support.raw_server import CHUNKED, HEAD, Behaviour, Peer, X, chunk
from tests.support.waiting import until

HURRY = (
    "from sfm_stream.sources.x import backoff as b, exchange as e; b.SERVER_FIRST = 0.2; b.NETWORK_STEP = 0.05; "
    "e.SILENCE = 2.0"
)
POST = b'{"data":{"id":"17","text":"storm"}}'
DEEP = b'{"errors":' * 100_000
BOMB = zlib.compressobj(9, zlib.DEFLATED, 31)
BOMB_START = b"Content-Encoding: gzip\r\n\r\n" + BOMB.compress(bytes(1 << 24))
OK = b"HTTP/1.1 200 OK\r\n"


def whole(body: bytes, head: bytes = OK) -> bytes:
    return head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def endless(start: bytes, again: bytes, pause: float = 0.0) -> Behaviour:
    def behave(peer: Peer) -> None:
        peer.send(start)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            peer.send(again)
            time.sleep(pause)

    return behave


def once(answer: bytes) -> Behaviour:
    return lambda peer: peer.send(answer)


EVERYWHERE: dict[str, Behaviour] = {
    "negative chunk": once(CHUNKED + b"-5\r\nabcde\r\n0\r\n\r\n"),
    "chunk of minus one": endless(CHUNKED + b"-1\r\n", bytes(1 << 16)),
    "dribbled status": endless(b"HTTP/1.1 200", b" ", 0.05),
    "dribbled header": endless(OK + b"X: ", b"x", 0.05),
    "headers without end": endless(OK, b"X-Y: z\r\n"),
    "hints without end": endless(b"", b"HTTP/1.1 103 Hint\r\n\r\n"),
    "dribbled refusal": endless(b"HTTP/1.1 503 No\r\nContent-Length: 9999\r\n\r\n", b"x", 0.05),
    "refusal without end": endless(b"HTTP/1.1 503 No\r\n\r\n", bytes(1 << 16)),
    "refusal that explodes": endless(b"HTTP/1.1 503 No\r\n" + BOMB_START, BOMB.compress(bytes(1 << 24))),
    "deep refusal": once(whole(DEEP, b"HTTP/1.1 503 No\r\n")),
    "refusal in no encoding": once(whole(b"\xff\xfe\x00" * 500, b"HTTP/1.1 503 No\r\n")),
    "control characters": once(whole(b"\x1b[2J\a\r\n" * 500, b"HTTP/1.1 503 No\r\n")),
    "no HTTP": once(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "web page": once(OK + b"Content-Type: TEXT/HTML\r\n\r\n<html>Sign in</html>"),
    "nothing": once(b""),
}
ANSWERS: dict[str, Behaviour] = {
    **EVERYWHERE,
    "body without end": endless(HEAD + b"\r\n", b"[" * (1 << 16)),
    "deep": once(whole(DEEP)),
    "no encoding": once(whole(b'{"data":"\xff"}')),
    "dribbled body": endless(HEAD + b"\r\n", b" ", 0.05),
}
TOKENS = {
    **ANSWERS,
    "token of two lines": once(whole(b'{"access_token":"a\\r\\nX-Evil: 1"}')),
    "token of another script": once(whole('{"access_token":"選挙"}'.encode())),
}
RULES = {**ANSWERS, "circle": once(whole(b'{"data":[],"meta":{"next_token":"again"}}'))}
LOOKS_ODD: dict[str, bytes] = {
    "hint": b"HTTP/1.1 103 Hint\r\nLink: x\r\n\r\n" + CHUNKED,
    "late date": OK + b"Date: Tue, 24 Nov 99999 20:13:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n",
    "far zone": OK + b"Date: Tue, 24 Nov 2026 20:13:00 +99999999999\r\nTransfer-Encoding: chunked\r\n\r\n",
    "early date": OK + b"Date: Mon, 01 Jan 0001 00:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n",
    "event stream": OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    "capitals": OK + b"CONTENT-TYPE: APPLICATION/JSON\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n",
    "odd limits": OK + b"x-rate-limit-reset: 9999999999999999999\r\nTransfer-Encoding: chunked\r\n\r\n",
}


def good_stream(head: bytes) -> Behaviour:
    def behave(peer: Peer) -> None:
        peer.send(head, chunk(POST + b"\r\n"))
        peer.await_end()

    return behave


@contextmanager
def hostile(place: bytes, behave: Behaviour, head: bytes = CHUNKED) -> Iterator[X]:
    """A server that answers three requests for `place` so, and every other as X would."""
    left = [behave] * 3
    held = json.dumps({"data": [{"id": "1", "value": "storm", "tag": "sfm:storms:main"}]}).encode()

    def answer(peer: Peer) -> None:
        path = peer.request.partition(b" ")[2].partition(b" ")[0].partition(b"?")[0]
        if path == place and left:
            left.pop()(peer)
        elif path.endswith(b"/stream"):
            good_stream(head)(peer)
        elif path.endswith(b"/rules"):
            peer.send(whole(held))
        elif path.endswith(b"/token"):
            peer.send(whole(b'{"access_token":"good"}'))
        else:
            peer.send(whole(b"{}"))

    server = X(answer)
    try:
        yield server
    finally:
        server.close()


def _lives_through(world: World, *, refused: bool = True) -> None:
    """The program gets its post in the end, in the same process, with short reasons and little memory."""
    running = world.start(patch=HURRY)
    until(lambda: world.status().get("posts_today"), "a post in", world)
    peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{running.process.pid}/status").read_text())
    assert peak is not None
    assert int(peak[1]) < 150_000, "kB of memory"
    running.stop()
    assert POST in lines_of(world)
    assert "Traceback" not in running.log
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", running.log)
    assert max(map(len, running.log.splitlines())) < 700
    details = [event["detail"] for event in world.events("refused")]
    assert bool(details) is refused
    assert all(len(detail) <= 300 for detail in details)


@pytest.mark.parametrize("kind", EVERYWHERE)
def test_a_stream_that_is_none_is_dropped(make_world: Callable[..., World], kind: str) -> None:
    """Three times; then the stream comes."""
    with hostile(b"/2/tweets/sample/stream", EVERYWHERE[kind]) as server:
        _lives_through(make_world(kind="streamsample", api_url=server.url), refused="chunk" not in kind)


@pytest.mark.parametrize("kind", RULES)
def test_rules_that_are_none_are_asked_for_again(make_world: Callable[..., World], kind: str) -> None:
    """And never taken for an app without rules."""
    with hostile(b"/2/tweets/search/stream/rules", RULES[kind]) as server:
        _lives_through(make_world(api_url=server.url, rules=[{"name": "main", "track": ["storm"]}]))
        assert not [request for request in server.requests if request.startswith(b"POST")]


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_that_is_none_is_asked_for_again(make_world: Callable[..., World], kind: str) -> None:
    """And never sent on."""
    with hostile(b"/oauth2/token", TOKENS[kind]) as server:
        world = make_world(kind="streamsample", api_url=server.url)
        secret = world.folder / "config" / "credentials" / "lab.json"
        secret.write_text(json.dumps({"consumer_key": "key", "consumer_secret": "secret"}))
        _lives_through(world)
        assert not [request for request in server.requests if b"X-Evil" in request]


@pytest.mark.parametrize("kind", LOOKS_ODD)
def test_a_stream_with_an_odd_head_is_a_stream(make_world: Callable[..., World], kind: str) -> None:
    """Its lines decide."""
    with hostile(b"", once(b""), LOOKS_ODD[kind]) as server:
        _lives_through(make_world(kind="streamsample", api_url=server.url), refused=False)
