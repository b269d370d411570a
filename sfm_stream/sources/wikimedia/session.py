"""One connection to EventStreams: server-sent events over HTTP.

Its proxies end every connection after 15 minutes, which is a renewal and no failure; the `id` of the last event,
sent back as ``Last-Event-ID``, is where the next connection goes on.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import msgspec
import requests
import urllib3

from sfm_stream import __version__
from sfm_stream.sources.feed import Dropped, Handlers, Refused

CONNECT_TIMEOUT = 10.0
SILENCE = 30.0
"""Seconds without a byte: recent changes come each second."""
RENEWAL = 840.0
"""A connection that held this many seconds and ends cleanly is ended by the service's rule of 15 minutes."""
READ_SIZE = 65536
LINE_LIMIT = 16 << 20
"""Bytes: a longer line is no event, and would fill the memory."""
DETAIL = 300


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        url: Where the service answers: ``https://stream.wikimedia.org``.
        streams: Names of streams, such as ``recentchange``.
        contact: Who runs this; the service refuses clients that do not say.
        position: The `id` of the last event that was taken; "" for the live end.
    """

    url: str
    streams: tuple[str, ...]
    contact: str
    position: str = ""

    @property
    def address(self) -> str:
        """The whole address."""
        return f"{self.url.rstrip('/')}/v2/stream/{','.join(self.streams)}"

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it."""
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "gzip",
            "User-Agent": f"sfm-stream/{__version__} ({self.contact}) requests/{requests.__version__}",
        }
        return headers | ({"Last-Event-ID": self.position} if self.position else {})


class Session:
    """One connection.

    Args:
        request: What to ask for.
        handlers: Called with what comes; `position` is that of the event whose line is given.
    """

    def __init__(self, request: Request, handlers: Handlers) -> None:
        self.request = request
        self.position = request.position
        """The `id` of the event that came last."""
        self.last_byte = 0.0
        """When anything last arrived, in seconds since 1970; 0 before the connection stands."""
        self.torn_bytes = 0
        """Always 0: an event that was cut off is sent again."""
        self._handlers = handlers
        self._ending = False
        self._socket: socket.socket | None = None

    def run(self) -> None:
        """Connects and receives; returns when `finish` or `abort` asked for the end.

        Raises:
            Refused: The service did not grant the connection.
            Dropped: Whatever else ended it, or kept it from being made.
        """
        begun = time.monotonic()
        with requests.Session() as session:
            with _errors_as("network error"):
                answer = session.get(
                    self.request.address,
                    headers=self.request.headers,
                    stream=True,
                    timeout=(CONNECT_TIMEOUT, SILENCE),
                    allow_redirects=False,
                )
            try:
                self._granted(answer)
                self._socket = getattr(getattr(answer.raw, "connection", None), "sock", None)
                self.last_byte = time.time()
                self._handlers.on_open(answer.headers)
                with _errors_as("connection broken"):
                    self._receive(answer.raw)
            except Dropped:
                if not self._ending:
                    raise
                return
            finally:
                answer.close()
        if not self._ending:
            raise Dropped("closed by the service", renewal=time.monotonic() - begun >= RENEWAL)

    def finish(self) -> None:
        """Ends the connection; what is under way is sent again to the next. From any thread."""
        self.abort()

    def abort(self) -> None:
        """Ends the connection at once. From any thread."""
        self._ending = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def give_up_if_silent(self, now: float) -> None:
        """Does nothing: a read has a time limit."""

    def unread(self) -> int:
        """Nothing that would not come again."""
        return 0

    def _granted(self, answer: requests.Response) -> None:
        if answer.status_code != 200:
            with _errors_as("network error"):
                body = answer.raw.read(READ_SIZE, decode_content=True) or b""
            try:
                wait = max(0.0, float(answer.headers.get("Retry-After", "0")))
            except ValueError:
                wait = 0.0
            words = " ".join(body.decode("utf-8", "replace").split())[:DETAIL]
            raise Refused("refused", answer.status_code, words, wait)
        kind = answer.headers.get("content-type", "")
        if "event-stream" not in kind.lower():
            raise Dropped("not a stream of events", f"content type {kind[:60]!r}")

    def _receive(self, raw: urllib3.BaseHTTPResponse) -> None:
        position, data = self.position, b""
        for line in self._lines(raw):
            if self._ending:
                return
            if not line:
                if data:
                    # Only with its event: the id of an event that was cut off would skip it.
                    self.position = position
                    self._handlers.on_lines([data])
                data = b""
            elif line.startswith(b"data:"):
                data += line[5:].removeprefix(b" ")
            elif line.startswith(b"id:"):
                position = line[3:].removeprefix(b" ").decode("utf-8", "replace")

    def _lines(self, raw: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        tail = b""
        for piece in raw.stream(READ_SIZE, decode_content=True):
            self.last_byte = time.time()
            *lines, tail = (tail + piece).split(b"\n")
            if len(tail) > LINE_LIMIT:
                raise Dropped("not a stream of events", f"a line of more than {LINE_LIMIT >> 20} MiB")
            for line in lines:
                yield line.removesuffix(b"\r")


@contextlib.contextmanager
def _errors_as(end: str) -> Iterator[None]:
    """What requests, urllib3 or the system raise when a connection fails, as `Dropped`."""
    try:
        yield
    except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as error:
        raise Dropped("silent", f"nothing for {SILENCE:.0f} s") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Dropped(end, " ".join(str(error).split())[:DETAIL]) from error
