"""One streaming connection: posts as lines, keep-alives, limits.

It writes to the transport itself, below aiohttp's response, since most of the faults that `faulty`
adds are ones that no server would commit on purpose. A post counts as sent, in the ledger and against the app's usage,
when the operating system has taken the whole line; what was matched but not sent by the end is noted as lost. (Of posts
lost as ``broken off`` the client may still have got some: the connection ended while they were being written.)
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import deque
from collections.abc import Iterable
from http import HTTPStatus

import msgspec
from aiohttp import web

from sfm_stream.simulator.ledger import Ledger
from sfm_stream.sources.x.simulator import actions
from sfm_stream.sources.x.simulator.apps import App
from sfm_stream.sources.x.simulator.firehose import Item
from sfm_stream.sources.x.simulator.wire import Wanted, line

FILTERED, SAMPLE = "filtered_stream", "sample_stream"
_BATCH = 500
_END_PATIENCE = 2.0


class ConnectionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How every connection behaves.

    Attributes:
        keep_alive: Seconds of silence after which, at the latest, an empty line is sent.
        cap: Posts a second that X delivers at most; what is more is lost.
        buffer: Posts that wait for a slow reader before X cuts it off.
    """

    keep_alive: float = 20.0
    cap: int = 250
    buffer: int = 5000


class Ended(Exception):  # noqa: N818 - not an error: how a connection's loop is left
    """The connection is to end, for the reason given."""


class SimulatedConnection:
    """A client's stream; `offer` takes posts, `run` delivers them until the end."""

    def __init__(
        self,
        request: web.Request,
        app: App,
        endpoint: str,
        wanted: Wanted,
        settings: ConnectionOptions,
        ledger: Ledger,
        due: Iterable[actions.Action],
    ) -> None:
        assert request.transport is not None  # noqa: S101 - the client was there a moment ago
        self._transport: asyncio.Transport = request.transport
        self._writer = request.writer
        self._app, self._endpoint, self._wanted = app, endpoint, wanted
        self._settings, self._ledger = settings, ledger
        self._actions = deque(due)
        self._limit = settings.buffer
        self._pending: deque[tuple[Item, bytes]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._reason: str | None = None
        self._deaf = False
        self._twice = 0
        self._room, self._measured = float(settings.cap), time.monotonic()
        self._gzip: zlib._Compress | None = None
        self._last_write = 0.0
        self._linger = 0.0
        self.sent = 0
        self.link = app.connect(endpoint, request.remote or "127.0.0.1", self.end)
        self._lost: dict[str, int] = {}

    # --- What comes in -------------------------------------------------------------------------------------------

    def offer(self, items: Iterable[Item]) -> None:
        """Takes the posts that match; see `sfm_stream.sources.x.simulator.firehose.Taker`."""
        now = time.monotonic()
        # A second's worth may come at once, so that an uneven clock loses nothing at the very rate that is allowed.
        self._room = min(self._room + (now - self._measured) * self._settings.cap, self._settings.cap)
        self._measured = now
        for item in items:
            matching = self._app.matching(item.draft) if self._endpoint == FILTERED else b""
            if matching is None:
                continue
            if self._deaf:
                self._lose("silent", 1)
            elif self._room < 1:
                self._lose("cap", 1)
            else:
                self._room -= 1
                self._pending.append((item, matching))
        if len(self._pending) > self._limit:
            self._transport.abort()
            self.end("slow reader")
        self._wake()

    def backfill(self, items: Iterable[Item]) -> None:
        """Takes the posts of the minutes before; they count neither against the cap nor against the buffer."""
        before = len(self._pending)
        for item in items:
            matching = self._app.matching(item.draft) if self._endpoint == FILTERED else b""
            if matching is not None:
                self._pending.append((item, matching))
        self._limit += len(self._pending) - before

    def end(self, reason: str) -> None:
        """Ends the connection soon, and by force where the client does not read."""
        self._reason = self._reason or reason
        asyncio.get_running_loop().call_later(_END_PATIENCE, self._transport.abort)
        self._wake()

    def _lose(self, reason: str, posts: int) -> None:
        self._lost[reason] = self._lost.get(reason, 0) + posts

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- What goes out -------------------------------------------------------------------------------------------

    async def run(self, headers: dict[str, str]) -> str:
        """Delivers until the end.

        Args:
            headers: Of the answer, besides those of every stream.

        Returns:
            The reason of the end.
        """
        reason = "client closed"
        try:
            self._transport.set_write_buffer_limits(high=0)
            await self._head(headers)
            while True:
                await self._act()
                if self._pending:
                    await self._send()
                else:
                    await self._rest()
        except Ended as end:
            reason = str(end)
            self._transport.close()
        except ConnectionError:
            pass
        finally:
            self._note_end(self._reason or reason)
        return reason

    def _note_end(self, reason: str) -> None:
        if self._pending:
            self._lose("ended", len(self._pending))
        for why, posts in self._lost.items():
            self._ledger.note("lost", connection=self.link.id, posts=posts, reason=why)
        self._ledger.note("close", connection=self.link.id, app=self._app.name, reason=reason, posts=self.sent)
        if self._linger and reason == "client closed":
            asyncio.get_running_loop().call_later(self._linger, self._app.disconnect, self.link, reason)
            self.link.end = lambda why: self._app.disconnect(self.link, why)
        else:
            self._app.disconnect(self.link, reason)

    async def _head(self, headers: dict[str, str]) -> None:
        """Sends the status line and headers, at once."""
        head = {"content-type": "application/json; charset=utf-8", "transfer-encoding": "chunked", **headers}
        early = [
            each for each in self._actions if isinstance(each, actions.Gzip | actions.ContentType | actions.Linger)
        ]
        for action in early:
            self._actions.remove(action)
            self._note_fault(action)
            match action:
                case actions.Linger(seconds=seconds):
                    self._linger = seconds
                case actions.Gzip():
                    self._gzip = zlib.compressobj(wbits=31)
                    head["content-encoding"] = "gzip"
                case actions.ContentType(value=value, body=body):
                    head["content-type"] = value
                    self._write_head(head)
                    await self._write(body.encode())
                    self._transport.write(b"0\r\n\r\n")
                    raise Ended("plan: content_type")
        self._write_head(head)
        await self._flush()

    def _write_head(self, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 200 {HTTPStatus(200).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        self._transport.write("\r\n".join([*lines, "", ""]).encode())
        self._last_write = time.monotonic()

    def _chunk(self, data: bytes) -> bytes:
        """One HTTP chunk, which a reader gets at once."""
        if self._gzip is not None:
            data = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        return b"%x\r\n%b\r\n" % (len(data), data)

    async def _write(self, *lines: bytes) -> None:
        self._transport.write(b"".join(map(self._chunk, lines)))
        await self._flush()

    async def _flush(self) -> None:
        """Waits until the operating system has all that was written."""
        await self._writer.drain()
        if self._transport.is_closing():
            raise ConnectionResetError
        self._last_write = time.monotonic()

    def _line(self, item: Item, matching: bytes) -> bytes:
        if item.raw is not None:
            return item.raw + b"\r\n"
        return line(item.draft, self._wanted, int(item.id), matching) + b"\r\n"

    async def _send(self) -> None:
        """Sends waiting posts, as many as come before the next action."""
        room = min(len(self._pending), _BATCH)
        if self._actions:
            room = min(room, self._actions[0].after - self.sent)
        batch = [self._pending.popleft() for _ in range(room)]
        if self._twice:
            batch = [each for post in batch for each in self._doubled(post)]
        await self._deliver([(item.id, self._line(item, matching)) for item, matching in batch])

    def _doubled(self, post: tuple[Item, bytes]) -> list[tuple[Item, bytes]]:
        if not self._twice:
            return [post]
        self._twice -= 1
        return [post, post]

    async def _deliver(self, posts: list[tuple[str, bytes]]) -> None:
        """Sends posts and notes them."""
        try:
            await self._write(*(text for _, text in posts))
        except BaseException:
            self._lose("broken off", len(posts))
            raise
        self._ledger.posts(self.link.id, [post_id for post_id, _ in posts])
        self.sent += len(posts)
        self._app.consume(len(posts))
        if self._app.month_usage() >= self._app.limits.month:
            self.end("usage cap exceeded")
        self._check_end()

    def _check_end(self) -> None:
        if self._reason is not None:
            self._finish()
            raise Ended(self._reason)

    def _finish(self) -> None:
        """The last HTTP chunk."""
        if self._gzip is not None:
            data = self._gzip.flush()
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        self._transport.write(b"0\r\n\r\n")

    async def _rest(self) -> None:
        """Waits for posts; after long enough, sends a keep-alive."""
        # Nine tenths, so that it is there within the time promised.
        left = self._last_write + self._settings.keep_alive * 0.9 - time.monotonic()
        if left > 0:
            await self._sleep(left)
        else:
            await self._write(b"\r\n")

    async def _sleep(self, seconds: float | None) -> None:
        """Waits, until woken by posts, or the end."""
        self._check_end()
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, self._wake) if seconds is not None else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
        self._check_end()

    # --- What a plan does ----------------------------------------------------------------------------------------

    async def _act(self) -> None:
        """Does what the plan has for this moment."""
        while self._actions and self._actions[0].after <= self.sent:
            action = self._actions.popleft()
            self._note_fault(action)
            await self._do(action)

    def _note_fault(self, action: actions.Action) -> None:
        if not isinstance(action, actions.Pass):
            name = action.__struct_config__.tag
            self._ledger.note("fault", connection=self.link.id, action=name, posts=self.sent)

    async def _do(self, action: actions.Action) -> None:
        """Does one thing; here, nothing ever goes wrong."""
