"""One connection to a Jetstream host, through websockets' threaded client.

The host pings every 30 s, and this pings every 20 s: a connection that answers no ping is given up by the library, so
that a quiet filter can be told from a dead connection. Nothing has to be received before an end: what is not read is
replayed.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from sfm_stream import __version__
from sfm_stream.sources.feed import Dropped, Refused

OPEN_TIMEOUT = 21.0
"""Seconds for all of the handshake."""
CLOSING = 0.2
"""Seconds in which a host may answer that we end the connection: whatever comes then is replayed."""
PING = 20.0
"""Seconds between two pings, and until a missing answer ends the connection."""
FRAME_LIMIT = 16 << 20
"""Bytes: a record of Bluesky has at most 1 MiB, so a larger frame is no event."""
MOST = 2048
"""Frames that are taken at once."""
BUSY = 64
"""Frames at once from which on there is no wait for more."""
WAIT = 0.5
"""Seconds between two looks at whether to end."""
GATHER = 0.05
"""Seconds to let frames gather before they are taken: many at once cost less than each by itself."""
URL_LIMIT = 8000
"""Proxies refuse longer request lines; a longer list of accounts goes by a message (v1) or is matched here (v2)."""
ACCOUNT_LIMIT = 10_000
"""A host selects by at most so many accounts; more are matched here."""
DETAIL = 300

ENDPOINTS = {1: "/subscribe", 2: "/xrpc/network.bsky.jetstream.subscribeEvents"}
_NAMES = {1: ("wantedCollections", "wantedDids"), 2: ("collections", "dids")}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a host.

    Attributes:
        host: Its address: ``wss://jetstream.us-east.bsky.network``.
        wire: 1 or 2.
        collections: NSIDs, or prefixes that end in ``.*``; none for all.
        dids: Accounts; none for all.
        cursor: From where to go on; None for the live end.
        contact: Who runs this, for the host's operators; "" where that is not said.
    """

    host: str
    wire: int
    collections: Sequence[str] = ()
    dids: Sequence[str] = ()
    cursor: str | None = None
    contact: str = ""

    @property
    def by_message(self) -> bool:
        """Whether the accounts are sent in a message, the address being too long for them."""
        return self.wire == 1 and self.accounts_on_host and len(self._query(self.dids)) > URL_LIMIT

    @property
    def accounts_on_host(self) -> bool:
        """Whether the host selects by account; if not, the events of all accounts come."""
        if not self.dids or len(self.dids) > ACCOUNT_LIMIT:
            return False
        return self.wire == 1 or len(self._query(self.dids)) <= URL_LIMIT

    @property
    def url(self) -> str:
        """The whole address."""
        dids: Sequence[str] = self.dids if self.accounts_on_host and not self.by_message else ()
        query = self._query(dids)
        return f"{self.host.rstrip('/')}{ENDPOINTS[self.wire]}{'?' if query else ''}{query}"

    def _query(self, dids: Sequence[str]) -> str:
        collections, accounts = _NAMES[self.wire]
        parameters = [(collections, each) for each in self.collections] + [(accounts, each) for each in dids]
        if self.cursor is not None:
            parameters.append(("cursor", self.cursor))
        if not dids and self.by_message:
            parameters.append(("requireHello", "true"))
        return urlencode(parameters, safe=":.*")

    @property
    def hello(self) -> str:
        """The message that carries the filter where the address does not."""
        payload = {"wantedCollections": list(self.collections), "wantedDids": list(self.dids), "maxMessageSizeBytes": 0}
        return json.dumps({"type": "options_update", "payload": payload})


class CursorTooOldError(Exception):
    """The host no longer has what followed the cursor, a number of its own sequence."""


class Session:
    """One connection.

    Args:
        request: What to ask for.
        on_open: Called when the connection stands, with the headers of the answer.
        on_lines: Called with events as they came; what it raises ends the connection and propagates.
        tls: Whom to trust; None for a host on loopback.
    """

    def __init__(
        self,
        request: Request,
        on_open: Callable[[Mapping[str, str]], None],
        on_lines: Callable[[Sequence[bytes]], None],
        tls: ssl.SSLContext | None,
    ) -> None:
        self.last_byte = 0.0
        """When anything last arrived, in seconds since 1970; 0 before the connection stands."""
        self.torn_bytes = 0
        """Always 0: a frame comes whole, or is sent again."""
        self.request = request
        self._on_open = on_open
        self._on_lines = on_lines
        self._tls = tls
        self._connection: ClientConnection | None = None
        self._ending = threading.Event()

    def run(self) -> None:
        """Connects and receives; returns when `finish` or `abort` asked for the end.

        Raises:
            Refused, CursorTooOldError: The host did not grant the connection.
            Dropped: Whatever else ended it, or kept it from being made.
        """
        with contextlib.ExitStack() as until_end:
            connection = self._connected(until_end)
            try:
                self._connection = connection
                self.last_byte = time.time()
                if self.request.by_message:
                    connection.send(self.request.hello)
                self._on_open(dict(connection.response.headers.raw_items()) if connection.response else {})
                self._receive(connection)
            except ConnectionClosed as closed:
                if not self._ending.is_set():
                    raise _dropped(closed) from closed

    def finish(self) -> None:
        """Ends the connection; what is under way is replayed to the next. From any thread."""
        self._ending.set()

    def abort(self) -> None:
        """Ends the connection at once. From any thread."""
        self._ending.set()
        if self._connection is not None:
            self._connection.close_socket()

    def give_up_if_silent(self, now: float) -> None:
        """Does nothing: the library's pings notice a dead connection."""

    def _connected(self, until_end: contextlib.ExitStack) -> ClientConnection:
        agent = f"sfm-stream/{__version__}" + (f" ({self.request.contact})" if self.request.contact else "")
        try:
            opening = connect(
                self.request.url,
                ssl=self._tls if self.request.host.startswith("wss:") else None,
                compression=None,
                user_agent_header=agent,
                open_timeout=OPEN_TIMEOUT,
                close_timeout=CLOSING,
                ping_interval=PING,
                ping_timeout=PING,
                max_size=FRAME_LIMIT,
                # The library's thread reads what has come, and then waits until that was taken: frames gather in the
                # kernel, and do not wake it one by one. TCP holds back what comes after them.
                max_queue=(0, 0),
            )
            return until_end.enter_context(opening)
        except InvalidStatus as refused:
            raise _refusal(refused) from refused
        except InvalidURI as error:
            raise Dropped("network error", str(error)[:DETAIL]) from error
        except (InvalidHandshake, WebSocketException, ValueError) as error:
            raise Dropped("not a Jetstream host", " ".join(str(error).split())[:DETAIL]) from error
        except TimeoutError as error:
            raise Dropped("network error", f"no answer within {OPEN_TIMEOUT:.0f} s") from error
        except OSError as error:
            raise Dropped("network error", (error.strerror or str(error))[:DETAIL]) from error

    def _receive(self, connection: ClientConnection) -> None:
        busy = False
        while not self._ending.is_set():
            try:
                # Bytes as they came; text in the name of speed is not decoded.
                lines = [connection.recv(timeout=WAIT, decode=False)]
            except TimeoutError:
                continue
            if not busy:
                self._ending.wait(GATHER)
            try:
                while len(lines) < MOST:
                    lines.append(connection.recv(timeout=0, decode=False))
            except TimeoutError:
                pass  # these are all
            finally:
                self.last_byte = time.time()
                self._on_lines(lines)
            busy = len(lines) >= BUSY


def _dropped(closed: ConnectionClosed) -> Dropped:
    frame = closed.rcvd or closed.sent
    if frame is None:
        return Dropped("connection broken", "no close frame")
    words = f"close code {frame.code}{': ' if frame.reason else ''}{frame.reason}"[:DETAIL]
    if closed.rcvd is None:
        return Dropped("no answer to a ping" if "ping" in frame.reason else "connection broken", words)
    return Dropped("closed by the host", words, at_once=frame.code == 1001)


def _refusal(refused: InvalidStatus) -> Refused | CursorTooOldError:
    answer = refused.response
    body = bytes(answer.body or b"")[:65536]
    error = detail = ""
    try:
        problem = msgspec.json.decode(body, type=dict[str, object])
        error, detail = str(problem.get("error", "")), str(problem.get("message", ""))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        detail = " ".join(body.decode("utf-8", "replace").split())
    if error == "CursorTooOld":
        return CursorTooOldError(detail[:DETAIL])
    try:
        wait = max(0.0, float(answer.headers.get("Retry-After", "0")))
    except ValueError:
        wait = 0.0
    return Refused(error or "refused", answer.status_code, detail[:DETAIL], wait)
