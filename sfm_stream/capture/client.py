"""tweepy's StreamingClient with its traps put right.

What differs from tweepy (4.17):

- `filter` and `sample` hold one connection, once. They return when `finish` asked for that, and raise whatever else
  ended it; tweepy retries by itself, for ever, with waits that cannot be ended.
- What goes wrong in the handling of a line propagates; tweepy logs and forgets it.
- The host is a setting; redirects and ``.netrc`` cannot lead the secret elsewhere or replace it.
- Requests have time limits; a connection that sends no complete line for `SILENCE` seconds is given up, though
  single bytes may arrive.
- Lines end at line feeds alone, and an incomplete last line is not taken for a whole one.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import requests
import tweepy
import urllib3
from requests.auth import AuthBase

from sfm_stream import __version__
from sfm_stream.capture.answers import Refusal, refusal
from sfm_stream.settings.faults import Secret

CONNECT_TIMEOUT = 10.0
SILENCE = 21.0
"""X sends a line, if only an empty one, at least every 20 seconds."""
READ_SIZE = 65536
"""Bytes to read at once: tweepy's 512 costs twice the CPU."""
LINE_LIMIT = 64 << 20
"""A longer line (bytes) is no post, and would fill the memory."""


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """X answered, and did not grant the request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class End(StrEnum):
    """Ways in which a connection ends, or does not come about."""

    CLOSED = "closed by X"
    RESET = "connection broken"
    SILENT = "no complete line for 21 s"
    NETWORK = "network error"
    ANNOUNCED = "ended by X, announced"
    UNUSABLE = "not a stream of X"


class Dropped(Exception):  # noqa: N818 - nothing is at fault here
    """A connection ended, or could not be made.

    Attributes:
        end: How.
        detail: What the system said of it.
    """

    def __init__(self, end: End, detail: str = "") -> None:
        super().__init__(f"{end}: {detail}" if detail else str(end))
        self.end = end
        self.detail = detail


class _Bearer(AuthBase):
    """Sets the bearer token; as an auth object, since requests lets a ``.netrc`` replace a mere header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = "Bearer " + self._token
        return request


class Client(tweepy.StreamingClient):  # type: ignore[misc]  # tweepy has no types
    """Any number of requests, or one connection, to X.

    Args:
        token: The bearer token.
        api_url: Where X answers.
        on_line: Receives each line that is not empty; what it raises ends the connection and propagates.
        on_open: Called with the headers of X's answer when a connection stands.
    """

    def __init__(
        self,
        token: Secret,
        api_url: str,
        on_line: Callable[[bytes], None] = lambda _: None,
        on_open: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> None:
        super().__init__(token, return_type=requests.Response)
        self.user_agent = f"sfm-stream/{__version__} tweepy/{tweepy.__version__} requests/{requests.__version__}"
        self.session.headers["User-Agent"] = self.user_agent
        self.last_byte = 0.0
        """When anything last arrived, in seconds since 1970; 0 before the connection stands."""
        self.torn_bytes = 0
        """Length of an incomplete last line, once the connection has ended."""
        self._api_url = api_url.rstrip("/")
        self._on_line = on_line
        self._on_open = on_open
        self._socket: socket.socket | None = None
        self._last_line = 0.0
        self._given_up = False
        self._finishing = False

    def request(
        self,
        method: str,
        route: str,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        user_auth: bool = False,  # noqa: ARG002 - tweepy's signature
    ) -> requests.Response:
        """Makes a request and returns X's answer, which is a granting one.

        Raises:
            Refused: X answered otherwise.
            Dropped: No answer came.
        """
        with _network_errors_as(End.NETWORK):
            answer: requests.Response = self.session.request(
                method,
                self._api_url + route,
                params=params,
                json=json,
                auth=_Bearer(self.bearer_token),
                timeout=(CONNECT_TIMEOUT, SILENCE),
                allow_redirects=False,
            )
        if refused := refusal(answer.status_code, answer.headers, answer.content):
            raise Refused(refused)
        return answer

    def finish(self) -> None:
        """Asks X to end the connection; what is under way is still received. From any thread."""
        self._finishing = True
        self._shut(socket.SHUT_WR)

    def abort(self) -> None:
        """Ends the connection at once. From any thread."""
        self._finishing = True
        self._shut(socket.SHUT_RDWR)

    def give_up_if_silent(self, now: float) -> None:
        """Ends the connection if no complete line has come for `SILENCE` s; `now` is `time.monotonic`'s."""
        if self._socket is not None and now - self._last_line > SILENCE:
            self._given_up = True
            self._shut(socket.SHUT_RDWR)

    def _shut(self, how: int) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not the method of an SSL socket, which would go on reading what is still encrypted.
                socket.socket.shutdown(self._socket, how)

    def _connect(self, method: str, endpoint: str, params: Mapping[str, str] | None = None, **_: object) -> None:
        """Called by tweepy's `filter` and `sample`: holds one connection until it ends."""
        self.running = True
        try:
            with (
                _network_errors_as(End.NETWORK),
                self.session.request(
                    method,
                    f"{self._api_url}/2/tweets/{endpoint}/stream",
                    params=params,
                    auth=_Bearer(self.bearer_token),
                    timeout=(CONNECT_TIMEOUT, SILENCE),
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                self._receive(answer)
        finally:
            self.running = False
            self._socket = None

    def _receive(self, answer: requests.Response) -> None:
        self._socket = _socket_of(answer)
        self._last_line = time.monotonic()  # X may have taken a while to answer
        if answer.status_code != 200:
            refused = refusal(answer.status_code, answer.headers, answer.content)
            raise Refused(refused) if refused else Dropped(End.UNUSABLE, f"HTTP {answer.status_code}")
        kind = answer.headers.get("content-type", "")
        if "json" not in kind:
            raise Dropped(End.UNUSABLE, f"content type {kind!r} in place of JSON")
        self.last_byte = time.time()
        if self._finishing:
            self._shut(socket.SHUT_WR)
        self._on_open(answer.headers)
        try:
            with _network_errors_as(End.RESET):
                for line in self._lines(_pieces(answer.raw)):
                    if line:
                        self._on_line(line)
        except Dropped as dropped:
            if self._finishing:
                return
            raise Dropped(End.SILENT) if self._given_up else dropped from None
        if not self._finishing:
            raise Dropped(End.SILENT if self._given_up else End.CLOSED)

    def _lines(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Complete lines without their ends; an empty one is a keep-alive."""
        tail: list[bytes] = []
        size = 0
        try:
            for chunk in chunks:
                self.last_byte = time.time()
                head, newline, rest = chunk.rpartition(b"\n")
                if not newline:
                    tail.append(chunk)
                    size += len(chunk)
                    if size > LINE_LIMIT:
                        raise Dropped(End.UNUSABLE, f"a line of more than {LINE_LIMIT >> 20} MiB")
                    continue
                self._last_line = time.monotonic()
                lines = b"".join([*tail, head]).split(b"\n")
                tail, size = [rest], len(rest)
                for line in lines:
                    yield line.removesuffix(b"\r")
        finally:
            self.torn_bytes = size


def _pieces(raw: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """What arrives, as it arrives: `stream` would wait for `READ_SIZE` bytes where the answer is not chunked."""
    if raw.chunked:
        return raw.stream(READ_SIZE, decode_content=True)
    return iter(lambda: raw.read1(READ_SIZE, decode_content=True), b"")


@contextlib.contextmanager
def _network_errors_as(end: End) -> Iterator[None]:
    """Whatever requests, urllib3, ssl or the system raise when a connection fails, as `Dropped`."""
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.ReadTimeoutError) as error:
        raise Dropped(End.SILENT if end is End.RESET else end, _reason(error)) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, ssl.SSLError) as error:
        raise Dropped(end, _reason(error)) from error


def _reason(error: BaseException) -> str:
    """The innermost cause, which says it best."""
    inner: BaseException | None = error
    while inner is not None:
        error = inner
        inner = getattr(inner, "reason", None) if isinstance(getattr(inner, "reason", None), Exception) else None
        if inner is None and error.args and isinstance(error.args[-1], Exception):
            inner = error.args[-1]
    text = str(error.args[0]) if len(error.args) == 1 else str(error)
    return text.partition("): ")[2] if text.startswith("<") and "): " in text else text


def _socket_of(answer: requests.Response) -> socket.socket | None:
    """The socket beneath an answer that is still being received."""
    connection = getattr(answer.raw, "_connection", None)
    found = getattr(connection, "sock", None)
    if found is None:
        reader = getattr(getattr(answer.raw, "_fp", None), "fp", None)
        found = getattr(getattr(reader, "raw", None), "_sock", None)
    return found
