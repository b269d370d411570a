"""Requests whose answers are bounded in time and size, whatever a server sends.

What requests and urllib3 leave open, and this bounds:

- Their time limits are for single reads: a head or body that dribbles is read for ever. Here a whole exchange has
  `SILENCE` seconds, name look-up apart.
- They read a body of any length into memory, and one that compression blows up. Here it has `ANSWER_LIMIT` bytes.
- Informational answers (103) are taken for final ones, chunks of a negative size for chunks.
- What fails in them fails as dozens of kinds of exception. Here it is `Dropped`, with a short reason.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import logging
import socket
import struct
import termios
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from sfm_stream.sources.feed import Dropped
from sfm_stream.sources.x.body import BodyError, inflated, unchunked

CONNECT_TIMEOUT = 10.0
SILENCE = 21.0
"""Seconds: X sends a line of the stream, if only an empty one, at least every 20; it answers the rest at once."""
ANSWER_LIMIT = 1 << 20
"""Bytes of an answer that is no stream, decoded."""
READ_SIZE = 65536
REASON = 300
"""The reason of an end is kept up to this many characters."""
_INFORMATIONAL = 20
"""Answers with a status of 1xx before the final one."""
# Of a head that is not as it should be, it logs the traceback; what counts is whether the answer can be used.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})


class End(StrEnum):
    """Ways in which a connection ends, or does not come about."""

    CLOSED = "closed by X"
    RESET = "connection broken"
    SILENT = "no complete line for 21 s"
    NETWORK = "network error"
    ANNOUNCED = "ended by X, announced"
    UNUSABLE = "not a stream of X"


class Exchange:
    """Requests over one session, one at a time; a request in one thread may be ended from any other.

    Args:
        session: Gets limits of its own, and offers no codings but those that are undone here.
    """

    def __init__(self, session: requests.Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self._late = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(self._take_handle))
        session.headers["Accept-Encoding"] = "gzip, deflate"

    def ask(
        self,
        method: str,
        url: str,
        *,
        auth: AuthBase,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, str] | None = None,
        json: object = None,
        limit: int = ANSWER_LIMIT,
    ) -> requests.Response:
        """Makes a request and returns the whole answer, whatever its status.

        Raises:
            Dropped: No answer came, or none within the limits.
        """
        try:
            with self._deadline():
                answer = self._send(method, url, auth, params, data, json)
                _read_whole(answer, limit)
        finally:
            self._drop_handle()
        return answer

    @contextlib.contextmanager
    def stream(
        self, method: str, url: str, *, auth: AuthBase, params: Mapping[str, Any] | None = None
    ) -> Iterator[requests.Response]:
        """Makes a request for a stream; yields the answer, of which only the head has been read where it is a 200.

        Raises:
            Dropped: No answer came, or none within the limits.
        """
        try:
            with self._deadline():
                answer = self._send(method, url, auth, params)
                if answer.status_code != 200:
                    _read_whole(answer, ANSWER_LIMIT)
            with answer:
                yield answer
        finally:
            self._drop_handle()

    def shut(self, how: int) -> None:
        """Shuts the connection beneath, below TLS and proxies; nothing where there is none. From any thread."""
        with self._lock:
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._handle.shutdown(how)

    def unread(self) -> int:
        """Bytes that have arrived at this host and were not read yet. From any thread."""
        with self._lock:
            if self._handle is None:
                return 0
            with contextlib.suppress(OSError):
                return int(struct.unpack("i", fcntl.ioctl(self._handle, termios.FIONREAD, bytes(4)))[0])
            return 0

    def _send(
        self,
        method: str,
        url: str,
        auth: AuthBase,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, str] | None = None,
        json: object = None,
    ) -> requests.Response:
        with network_errors_as(End.NETWORK):
            return self._session.request(
                method,
                url,
                params=params,
                data=data,
                json=json,
                auth=auth,
                timeout=(CONNECT_TIMEOUT, SILENCE),
                # A redirect would take the credential to wherever a captive portal points.
                allow_redirects=False,
                stream=True,
            )

    @contextlib.contextmanager
    def _deadline(self) -> Iterator[None]:
        """Shuts the connection when `SILENCE` is over, which ends whatever read is under way."""
        self._late = False
        # A timer, since requests has no limit for a whole exchange, and a read that blocks cannot look at a clock.
        timer = threading.Timer(SILENCE, self._give_up)
        timer.daemon = True
        timer.start()
        failure: Dropped | None = None
        try:
            yield
        except Dropped as dropped:
            failure = dropped
        finally:
            timer.cancel()
        # Shut by the timer, the read fails in any of a dozen ways; the reason is the time, not the failure.
        if self._late:
            raise Dropped(End.NETWORK, f"no whole answer within {SILENCE:.0f} s") from failure
        if failure is not None:
            raise failure

    def _give_up(self) -> None:
        self._late = True
        self.shut(socket.SHUT_RDWR)

    def _take_handle(self, connected: socket.socket) -> None:
        """Keeps a duplicate: it reaches the connection whatever is wrapped around the socket, and never another one."""
        self._drop_handle()
        # Not the socket itself: closed by the library, its number may belong to another file a moment later.
        with self._lock:
            self._handle = connected.dup()
        # The time was over before there was anything to shut: a slow name server, or a proxy tried in turn.
        if self._late:
            self.shut(socket.SHUT_RDWR)

    def _drop_handle(self) -> None:
        with self._lock:
            if self._handle is not None:
                self._handle.close()
            self._handle = None


def content(answer: requests.Response) -> Iterator[bytes]:
    """The body of an answer, decoded, piece by piece as it arrives.

    Raises:
        Dropped: It ended before its end, or is not as HTTP has it; all before that has been yielded.
    """
    pieces = _received(answer.raw)
    if answer.raw.chunked:
        pieces = unchunked(pieces)
    coding = answer.headers.get("content-encoding", "").strip().lower()
    if coding in _CODINGS:
        pieces = inflated(pieces)
    elif coding not in ("", "identity"):
        raise Dropped(End.UNUSABLE, f"content coding {coding!r}, which was not asked for")
    try:
        yield from pieces
    except BodyError as error:
        raise Dropped(End.RESET, str(error)) from None


def _received(raw: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    # Below urllib3, which loses the chunk that a break cuts: `body.unchunked` takes the bytes as they come.
    source = getattr(getattr(raw, "_fp", None), "fp", None)
    if source is None:  # there is no body
        return
    left = None if raw.chunked else raw.length_remaining
    while left is None or left > 0:
        with network_errors_as(End.RESET):
            piece = source.read1(READ_SIZE if left is None else min(left, READ_SIZE))
        if not piece:
            if left:
                raise BodyError(f"the connection ended {left} bytes before the end of the answer")
            return
        yield piece
        left = None if left is None else left - len(piece)


def _read_whole(answer: requests.Response, limit: int) -> None:
    """Reads the body, for `content` of the answer to have, and closes the connection."""
    body = bytearray()
    with answer:
        for piece in content(answer):
            body += piece
            if len(body) > limit:
                raise Dropped(End.UNUSABLE, f"an answer of more than {limit >> 10} KiB (HTTP {answer.status_code})")
    answer._content = bytes(body)


@contextlib.contextmanager
def network_errors_as(end: End) -> Iterator[None]:
    """Whatever requests, urllib3, http.client, ssl or the system raise over what a server does, as `Dropped`."""
    try:
        yield
    except Dropped:
        raise
    except (requests.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError) as error:
        raise Dropped(End.SILENT if end is End.RESET else end, _reason(error)) from error
    except Exception as error:
        raise Dropped(end, _reason(error)) from error


def _reason(error: BaseException) -> str:
    """The innermost cause, which says it best."""
    inner: BaseException | None = error
    while inner is not None:
        error = inner
        inner = getattr(inner, "reason", None) if isinstance(getattr(inner, "reason", None), Exception) else None
        if inner is None and error.args and isinstance(error.args[-1], Exception):
            inner = error.args[-1]
    # An IncompleteRead has what was read for its only argument.
    text = str(error.args[0]) if len(error.args) == 1 and isinstance(error.args[0], str) else str(error)
    text = text.partition("): ")[2] if text.startswith("<") and "): " in text else text
    return text or type(error).__name__


class _Answer(http.client.HTTPResponse):
    """Reads over informational answers other than 100, too."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_INFORMATIONAL):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == 101:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"no final answer after {_INFORMATIONAL} informational ones")


class _Adapter(HTTPAdapter):
    """Tells of each TCP connection as soon as it stands: before TLS, before a proxy has answered."""

    def __init__(self, on_socket: Callable[[socket.socket], None]) -> None:
        # Weakly: urllib3 registers what closes a pool's connections for good, so that a connection which leads back to
        # its pool, by way of whom it tells, would keep both for as long as the process lives.
        told = weakref.WeakMethod(on_socket)

        def tell(connected: socket.socket) -> None:
            if (listener := told()) is not None:
                listener(connected)

        self._on_socket = tell
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as requests has it
        super().init_poolmanager(*args, **options)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            self._watch(manager)
        return manager

    def _watch(self, manager: urllib3.PoolManager) -> None:
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: _watched(pool, self._on_socket) for scheme, pool in pools.items()}


def _watched(pool: Any, on_socket: Callable[[socket.socket], None]) -> Any:  # noqa: ANN401 - classes made at run time
    """A pool like `pool` whose connections tell of their sockets, and read answers as `_Answer`."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        response_class = _Answer

        def _new_conn(self) -> socket.socket:
            found: socket.socket = super()._new_conn()
            on_socket(found)
            return found

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool
