"""tweepy's StreamingClient with its traps put right.

What differs from tweepy (4.17):

- `filter` and `sample` hold one connection, once. They return when `finish` asked for that, and raise whatever else
  ended it; tweepy retries by itself, for ever, with waits that cannot be ended.
- What goes wrong in the handling of a line propagates; tweepy logs and forgets it.
- The host is a setting; redirects and ``.netrc`` cannot lead the secret elsewhere or replace it.
- Answers are bounded in time and size (see `exchange`); a connection that sends no complete line for `SILENCE` seconds
  is given up, though single bytes may arrive.
- Lines end at line feeds alone, and an incomplete last line is not taken for a whole one.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import requests
import tweepy
from requests.auth import AuthBase

from sfm_stream import __version__
from sfm_stream.settings.faults import Secret
from sfm_stream.sources.feed import Dropped as Dropped
from sfm_stream.sources.feed import Refused
from sfm_stream.sources.x.exchange import ANSWER_LIMIT, SILENCE, Exchange, content
from sfm_stream.sources.x.exchange import End as End
from sfm_stream.sources.x.refusals import MONEY, Refusal, refusal

LINE_LIMIT = 64 << 20
"""A longer line (bytes) is no post, and would fill the memory."""


class XRefused(Refused):
    """X answered, and did not grant the request; `headers` and `body` are all that it said."""

    def __init__(self, refusal: Refusal, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        super().__init__(str(refusal.kind), refusal.status, refusal.detail, changes_cause=refusal.kind in MONEY)
        self.refusal = refusal
        self.headers = headers or {}
        self.body = body

    def __str__(self) -> str:
        return str(self.refusal)


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
        on_lines: Receives the lines that came together and are not empty; what it raises ends the connection and
            propagates.
        on_open: Called with the headers of X's answer when a connection stands.
    """

    def __init__(
        self,
        token: Secret,
        api_url: str,
        on_lines: Callable[[Sequence[bytes]], None] = lambda _: None,
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
        self._on_lines = on_lines
        self._on_open = on_open
        self._exchange = Exchange(self.session)
        self._last_line: float | None = None
        """When a complete line last arrived, by `time.monotonic`; None while nothing stands."""
        self._given_up = False
        self._finishing = False

    def request(
        self,
        method: str,
        route: str,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        user_auth: bool = False,  # noqa: ARG002 - tweepy's signature
        *,
        limit: int = ANSWER_LIMIT,
    ) -> requests.Response:
        """Makes a request and returns X's answer, which is a granting one of at most `limit` bytes.

        Raises:
            XRefused: X answered otherwise.
            Dropped: No answer came, or none within the limits.
        """
        url = self._api_url + route
        answer = self._exchange.ask(method, url, auth=self._auth(), limit=limit, params=params, json=json)
        if refused := refusal(answer.status_code, answer.headers, answer.content):
            raise XRefused(refused, answer.headers, answer.content)
        return answer

    def finish(self) -> None:
        """Asks X to end the connection; what is under way is still received. From any thread."""
        self._finishing = True
        if self._last_line is not None:
            self._exchange.shut(socket.SHUT_WR)

    def abort(self) -> None:
        """Ends the connection at once. From any thread."""
        self._finishing = True
        self._exchange.shut(socket.SHUT_RDWR)

    def give_up_if_silent(self, now: float) -> None:
        """Ends the connection if no complete line has come for `SILENCE` s; `now` is `time.monotonic`'s."""
        if self._last_line is not None and now - self._last_line > SILENCE:
            self._given_up = True
            self._exchange.shut(socket.SHUT_RDWR)

    def unread(self) -> int:
        """Bytes that have arrived at this host and were not read. From any thread."""
        return self._exchange.unread()

    def _auth(self) -> AuthBase:
        return _Bearer(self.bearer_token)

    def _connect(self, method: str, endpoint: str, params: Mapping[str, str] | None = None, **_: object) -> None:
        """Called by tweepy's `filter` and `sample`: holds one connection until it ends."""
        self.running = True
        url = f"{self._api_url}/2/tweets/{endpoint}/stream"
        try:
            with self._exchange.stream(method, url, auth=self._auth(), params=params) as answer:
                self._receive(answer)
        finally:
            self.running = False
            self._last_line = None

    def _receive(self, answer: requests.Response) -> None:
        if answer.status_code != 200:
            refused = refusal(answer.status_code, answer.headers, answer.content)
            raise XRefused(refused) if refused else Dropped(End.UNUSABLE, f"HTTP {answer.status_code}")
        kind = answer.headers.get("content-type", "")
        if "html" in kind.lower():
            raise Dropped(End.UNUSABLE, f"content type {kind!r} in place of JSON")
        self._last_line = time.monotonic()  # X may have taken a while to answer
        self.last_byte = time.time()
        if self._finishing:
            self._exchange.shut(socket.SHUT_WR)
        self._on_open(answer.headers)
        try:
            self._hand_on(self._lines(content(answer)))
        except Dropped as dropped:
            if self._finishing:
                return
            raise Dropped(End.SILENT) if self._given_up else dropped from None
        if not self._finishing:
            raise Dropped(End.SILENT if self._given_up else End.CLOSED)

    def _hand_on(self, batches: Iterator[list[bytes]]) -> None:
        """Gives the lines that are not empty to `on_lines`; whatever its content type, a web page is no stream."""
        checked = False
        for batch in batches:
            lines = [content for line in batch if (content := line[: -2 if line.endswith(b"\r\n") else -1])]
            if not lines:
                continue
            if not checked and lines[0].lstrip().startswith(b"<"):
                raise Dropped(End.UNUSABLE, "a web page in place of the stream")
            checked = True
            self._on_lines(lines)

    def _lines(self, chunks: Iterator[bytes]) -> Iterator[list[bytes]]:
        """The complete lines that came together, with their line ends; one of nothing else is a keep-alive."""
        tail: list[bytes] = []
        size = 0
        try:
            for chunk in chunks:
                self.last_byte = time.time()
                lines = io.BytesIO(chunk).readlines()  # finds line feeds faster than bytes.split, byte by byte, does
                torn = [lines.pop()] if lines and not lines[-1].endswith(b"\n") else []
                if lines:
                    self._last_line = time.monotonic()
                    lines[0] = b"".join([*tail, lines[0]])
                    tail, size = [], 0
                    yield lines
                # Joined once, when the line ends: a long line in many chunks would otherwise be copied for each.
                tail += torn
                size += sum(map(len, torn))
                # What never ends its line is no stream, and would fill the memory.
                if size > LINE_LIMIT:
                    raise Dropped(End.UNUSABLE, f"a line of more than {LINE_LIMIT >> 20} MiB")
        finally:
            self.torn_bytes = size
