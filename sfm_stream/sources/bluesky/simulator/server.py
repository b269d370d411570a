"""The WebSocket endpoints of a Jetstream host: cursors, errors, slow readers, and faults to order."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import struct
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from sfm_stream.simulator.control import Control
from sfm_stream.simulator.ledger import Ledger
from sfm_stream.simulator.plan import Page, Pass, Plan, Repeat, Reset, Stall, Step
from sfm_stream.simulator.serve import reset
from sfm_stream.sources.bluesky.events import TIME_CURSOR, microseconds
from sfm_stream.sources.bluesky.session import ENDPOINTS
from sfm_stream.sources.bluesky.simulator import faults, wires
from sfm_stream.sources.bluesky.simulator.events import Network

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"[0-9]{1,19}")
_CLOSING = 2.0
"""Seconds that a client has to answer a close frame."""
_TICK = 0.02
_LATEST = 64
"""Events of a connection that a plan may have repeated."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line chose.

    Attributes:
        rate: Events a second.
        seed: Of the network.
        window: Seconds that can be replayed.
        first_seq: The number that this host gives to event 0: hosts number by themselves.
        write_limit: Seconds that a frame may take to be sent before a slow reader is cut off.
        ping: Seconds between pings.
        past: Seconds of events that lie behind the start.
    """

    rate: float = 50.0
    seed: int = 1
    window: float = 36 * 3600.0
    first_seq: int = 1000
    write_limit: float = 5.0
    ping: float = 30.0
    past: float = 0.0


class Jetstream:
    """One simulated host."""

    def __init__(self, options: Options, ledger: Ledger, steps: list[faults.AnyStep]) -> None:
        self.plan: Plan[faults.AnyStep] = Plan(steps)
        self.options = options
        self.ledger = ledger
        self.network = Network(options.seed, options.rate, time.time() - options.past)
        self._names = itertools.count(1)
        self._open: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        """Everything under its address."""
        application = web.Application()
        application.router.add_get(ENDPOINTS[1], self._older)
        application.router.add_get(ENDPOINTS[2], self._newer)
        Control(self.plan, faults.read_plan, self.ledger, self._state).add_to(application)
        application.on_shutdown.append(self._stop)
        return application

    async def _stop(self, _: web.Application) -> None:
        for each in list(self._open):
            await each.close(code=WSCloseCode.GOING_AWAY, message=b"server shutting down")

    # --- Requests --------------------------------------------------------------------------------------------------

    async def _older(self, request: web.Request) -> web.StreamResponse:
        """v1: what can be coerced is, and an old cursor is moved up without a word."""
        query = request.query
        try:
            selection = wires.select(query.getall("wantedCollections", []), query.getall("wantedDids", []))
        except wires.BadRequestError as error:
            return web.Response(status=400, text=str(error))
        cursor = query.get("cursor", "")
        number = self.live()
        if _CURSOR.fullmatch(cursor):
            number = min(number, max(self.floor(), self._number(int(cursor))))
        hello = query.get("requireHello", "").lower() == "true"
        return await self._serve(request, 1, selection, number, hello=hello)

    async def _newer(self, request: web.Request) -> web.StreamResponse:
        """v2: refuses what it does not know, and says so."""
        query = request.query
        unknown = query.keys() - {"collections", "dids", "kinds", "cursor", "maxMessageSizeBytes", "zstdDictionary"}
        if unknown:
            return _problem("InvalidRequest", f"unknown parameters: {', '.join(sorted(unknown))}")
        if "zstdDictionary" in query:
            return _problem("UnknownZstdDictionary", "this host offers none")
        try:
            selection = wires.select(
                query.getall("collections", []), query.getall("dids", []), query.getall("kinds", [])
            )
        except wires.BadRequestError as error:
            return _problem("InvalidRequest", str(error))
        cursor, number, notice = query.get("cursor", ""), self.live(), b""
        if cursor:
            if not _CURSOR.fullmatch(cursor):
                return _problem("InvalidRequest", f"invalid cursor: {cursor}")
            value = int(cursor)
            if value >= TIME_CURSOR:
                wanted = self._number(value)
                if wanted < self.floor():
                    notice = wires.info("OutdatedCursor", "the cursor was moved up to the oldest event")
                number = min(number, max(self.floor(), wanted))
            elif value - self.options.first_seq < self.floor():
                floor = self.floor() + self.options.first_seq
                return _problem("CursorTooOld", f"cursor {value} is older than the oldest event; floor is {floor}")
            else:
                number = min(number, value - self.options.first_seq)
        return await self._serve(request, 2, selection, number, notice=notice)

    def live(self) -> int:
        """The number of the next event to happen."""
        return self.network.next_after(datetime.now(UTC))

    def floor(self) -> int:
        """The number of the oldest event that can be replayed."""
        return self.network.next_after(datetime.now(UTC) - timedelta(seconds=self.options.window))

    def _number(self, cursor: int) -> int:
        """The first event at or after a time in microseconds; the next to happen for a time to come."""
        now = datetime.now(UTC)
        return self.network.next_after(_EPOCH + timedelta(microseconds=min(cursor, microseconds(now))))

    # --- A connection ----------------------------------------------------------------------------------------------

    async def _serve(
        self,
        request: web.Request,
        wire: int,
        selection: wires.Subscription,
        number: int,
        *,
        notice: bytes = b"",
        hello: bool = False,
    ) -> web.StreamResponse:
        name = f"c{next(self._names)}"
        fault = self.plan.take()
        if fault.before_answer:
            return self._refuse(request, fault)
        answer = web.WebSocketResponse(timeout=_CLOSING, compress=False, autoping=False)
        await answer.prepare(request)
        self._open.add(answer)
        self.ledger.note(
            "open",
            connection=name,
            wire=wire,
            first=number,
            cursor=request.query.get("cursor"),
            agent=request.headers.get("User-Agent", ""),
        )
        connection = _Connection(answer, request, self, name, wire, selection, fault)
        if hello:
            connection.selected.clear()
        tasks = [asyncio.create_task(connection.read()), asyncio.create_task(connection.ping())]
        reason = "gone"
        try:
            await connection.send(number, notice)
            reason = "ended"
        except (ConnectionError, asyncio.CancelledError, TimeoutError) as error:
            reason = type(error).__name__
        finally:
            for task in tasks:
                task.cancel()
            self._open.discard(answer)
            self.ledger.note("close", connection=name, reason=reason, events=connection.sent)
        return answer

    def _refuse(self, request: web.Request, fault: Step) -> web.Response:
        match fault:
            case faults.Refuse(status=status, error=error, message=message, headers=headers):
                self.ledger.note("answer", status=status)
                return web.json_response({"error": error, "message": message}, status=status, headers=headers)
            case Page(body=body):
                self.ledger.note("answer", status=200)
                return web.Response(text=body, content_type="text/html")
            case _:
                self.ledger.note("answer", status=0)
                reset(request)
                return web.Response()

    def _state(self) -> dict[str, Any]:
        return {"live": self.live(), "floor": self.floor(), "steps": len(self.plan.steps)}


class _Wanted(msgspec.Struct, rename="camel"):
    wanted_collections: list[str] | None = None
    wanted_dids: list[str] | None = None


class _OptionsUpdate(msgspec.Struct):
    """What a client of v1 may send; it replaces the whole selection."""

    type: Literal["options_update"]
    payload: _Wanted


class _Connection:
    """One connection that stands."""

    def __init__(
        self,
        answer: web.WebSocketResponse,
        request: web.Request,
        host: Jetstream,
        name: str,
        wire: int,
        selection: wires.Subscription,
        fault: Step,
    ) -> None:
        self.sent = 0
        self.selected = asyncio.Event()
        """Clear until the client has said what it wants (v1, ``requireHello``)."""
        self.selected.set()
        self._answer, self._request, self._host, self._name = answer, request, host, name
        self._wire, self._selection, self._fault = wire, selection, fault
        self._stalled = False
        self._latest: deque[tuple[str, bytes]] = deque(maxlen=_LATEST)

    async def read(self) -> None:
        """Takes what the client sends: on v1 another selection, on v2 nothing."""
        async for message in self._answer:
            if message.type is WSMsgType.PING and not self._stalled:
                await self._answer.pong(message.data)
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            if self._wire == 2:
                await self._answer.close(code=WSCloseCode.POLICY_VIOLATION, message=b"server push only")
                return
            try:
                update = json.loads(message.data)
            except ValueError:
                await self._answer.close(code=WSCloseCode.INVALID_TEXT, message=b"invalid JSON")
                return
            try:
                self._update(update)
            except wires.BadRequestError as error:
                await self._answer.close(code=WSCloseCode.POLICY_VIOLATION, message=str(error).encode()[:100])
                return

    def _update(self, message: object) -> None:
        try:
            update = msgspec.convert(message, _OptionsUpdate)
        except msgspec.ValidationError as error:
            raise wires.BadRequestError(str(error)) from error
        self._selection = wires.select(update.payload.wanted_collections or (), update.payload.wanted_dids or ())
        self.selected.set()

    async def ping(self) -> None:
        """Pings the client, which need not answer."""
        while not self._answer.closed:
            await asyncio.sleep(self._host.options.ping)
            if not self._stalled:
                await self._answer.ping()

    async def send(self, number: int, notice: bytes) -> None:
        """Sends events from `number` on, for ever."""
        if notice:
            await self._write(notice)
        await self.selected.wait()
        while not self._answer.closed:
            due = self._host.live()
            while number < due:
                event = self._host.network.event(number)
                if self._selection.takes(event):
                    if await self._go_wrong(number):
                        return
                    line = wires.encode(event, self._wire, number + self._host.options.first_seq)
                    await self._deliver(str(number), line)
                number += 1
            await asyncio.sleep(_TICK)

    async def _deliver(self, key: str, line: bytes) -> None:
        await self._write(line)
        self._latest.append((key, line))
        self.sent += 1
        self._host.ledger.posts(self._name, [key])

    async def _write(self, line: bytes, *, binary: bool = False) -> None:
        """Sends one frame; a reader that does not take it in time is cut off without a word."""
        sending = self._answer.send_bytes(line) if binary else self._answer.send_str(line.decode())
        try:
            await asyncio.wait_for(sending, self._host.options.write_limit)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise

    async def _go_wrong(self, number: int) -> bool:
        """Does what the plan has for this moment; whether the connection is over."""
        if self.sent < self._fault.after:
            return False
        fault, self._fault = self._fault, Pass()
        if not isinstance(fault, Pass):
            self._host.ledger.note("fault", connection=self._name, action=fault.name)
        match fault:
            case faults.Close(code=code, reason=reason):
                await self._answer.close(code=code, message=reason.encode())
                return True
            case faults.Error(error=name, message=message):
                await self._write(wires.error(name, message))
                await self._answer.close(code=WSCloseCode.POLICY_VIOLATION, message=name.encode())
                return True
            case Reset():
                reset(self._request)
                return True
            case faults.Cut():
                event = wires.encode(self._host.network.event(number), self._wire, number)
                if self._request.transport is not None:
                    self._request.transport.write(
                        b"\x81\x7e" + struct.pack("!H", len(event)) + event[: len(event) // 2]
                    )
                    self._request.transport.close()
                return True
            case Stall(seconds=seconds) | faults.Quiet(seconds=seconds):
                self._stalled = isinstance(fault, Stall)
                await asyncio.sleep(seconds)
                self._stalled = False
            case Repeat(events=events):
                for key, line in list(self._latest)[-events:]:
                    await self._deliver(key, line)
            case faults.Inject(text=text, binary=binary):
                await self._write(text.encode(), binary=binary)
            case _:
                pass
        return False


def _problem(error: str, message: str) -> web.Response:
    return web.json_response({"error": error, "message": message}, status=400)
