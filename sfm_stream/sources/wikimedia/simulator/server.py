"""The endpoint of EventStreams: positions, the end of every connection after a while, and faults to order.

It has these steps of a fault plan beside those of `sfm_stream.simulator.plan`:

==========  ==========================================================================================
``do``      and its keys; ``after`` counts the events sent on the connection before it begins (0)
==========  ==========================================================================================
``refuse``  ``status``, ``body``, ``headers``
``close``   ends cleanly, in the middle of an event if ``torn`` is true
==========  ==========================================================================================
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import msgspec
from aiohttp import web

from sfm_stream.simulator.control import Control
from sfm_stream.simulator.ledger import Ledger
from sfm_stream.simulator.plan import Page, Pass, Plan, Repeat, Reset, Stall, Step, reader
from sfm_stream.simulator.serve import reset
from sfm_stream.sources.wikimedia.simulator.events import TOPIC, Wikis

_TICK = 0.02
_LATEST = 64


class Refuse(Step, tag="refuse", frozen=True):
    """An answer that grants nothing."""

    status: int
    body: str = ""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    before_answer: ClassVar[bool] = True


class Close(Step, tag="close", frozen=True):
    """A clean end."""

    torn: bool = False


AnyStep = Pass | Refuse | Page | Close | Reset | Stall | Repeat

read_plan = reader(AnyStep, "sfm_stream/sources/wikimedia/simulator/server.py")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line chose.

    Attributes:
        rate: Events a second.
        seed: Of the wikis.
        window: Seconds that can be replayed.
        renewal: Seconds after which every connection is ended.
        past: Seconds of events that lie behind the start.
    """

    rate: float = 30.0
    seed: int = 1
    window: float = 7 * 86400.0
    renewal: float = 900.0
    past: float = 0.0


class EventStreams:
    """The simulated service."""

    def __init__(self, options: Options, ledger: Ledger, steps: list[AnyStep]) -> None:
        self._options = options
        self._ledger = ledger
        self.plan: Plan[AnyStep] = Plan(steps)
        self._wikis = Wikis(options.seed, options.rate, time.time() - options.past)
        self._names = itertools.count(1)

    def application(self) -> web.Application:
        """Everything under its address."""
        application = web.Application()
        application.router.add_get("/v2/stream/{streams}", self._stream)
        Control(self.plan, read_plan, self._ledger, self._state).add_to(application)
        return application

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        step = self.plan.take()
        if step.before_answer:
            return self._refuse(step)
        agent = request.headers.get("User-Agent", "")
        if not agent or agent.startswith(("python-", "urllib3")):
            self._ledger.note("answer", status=403)
            return web.Response(status=403, text="Please set a user-agent and respect our robot policy")
        name = f"c{next(self._names)}"
        first = self._first(request)
        self._ledger.note("open", connection=name, first=first, agent=agent)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await answer.prepare(request)
        await answer.write(b":ok\n\n")
        reason = "gone"
        try:
            reason = await self._send(request, answer, name, first, step)
        finally:
            self._ledger.note("close", connection=name, reason=reason)
        return answer

    def _first(self, request: web.Request) -> int:
        """The number of the event to begin with: what is too old or unknown is as good as nothing, without a word."""
        now = datetime.now(UTC)
        live, floor = self._wikis.next_at(now), self._wikis.next_at(now - timedelta(seconds=self._options.window))
        try:
            topics = json.loads(request.headers["Last-Event-ID"])
            at = next(each["timestamp"] for each in topics if each["topic"] == TOPIC)
            wanted = self._wikis.next_at(datetime.fromtimestamp(at / 1000, UTC))
        except (KeyError, ValueError, TypeError, StopIteration, OverflowError):
            return live
        return wanted if floor <= wanted <= live else live

    async def _send(self, request: web.Request, answer: web.StreamResponse, name: str, number: int, step: Step) -> str:
        end, sent = time.monotonic() + self._options.renewal, 0
        latest: deque[tuple[str, bytes]] = deque(maxlen=_LATEST)
        while time.monotonic() < end:
            due = self._wikis.next_at(datetime.now(UTC))
            while number < due:
                if sent >= step.after and not isinstance(step, Pass):
                    now, step = step, Pass()
                    self._ledger.note("fault", connection=name, action=now.name)
                    match now:
                        case Close(torn=torn):
                            if torn:
                                await answer.write(self._wire(number)[:40])
                            return "closed"
                        case Reset():
                            reset(request)
                            return "reset"
                        case Stall(seconds=seconds):
                            await asyncio.sleep(seconds)
                        case Repeat(events=events):
                            for key, text in list(latest)[-events:]:
                                await answer.write(text)
                                self._ledger.posts(name, [key])
                        case _:
                            pass
                text = self._wire(number)
                await answer.write(text)
                self._ledger.posts(name, [str(number)])
                latest.append((str(number), text))
                sent, number = sent + 1, number + 1
            await asyncio.sleep(_TICK)
        return "renewal"

    def _wire(self, number: int) -> bytes:
        position = self._wikis.position(number).encode()
        return b"event: message\nid: %b\ndata: %b\n\n" % (position, self._wikis.event(number))

    def _refuse(self, step: Step) -> web.Response:
        if isinstance(step, Refuse):
            self._ledger.note("answer", status=step.status)
            return web.Response(status=step.status, text=step.body, headers=step.headers)
        self._ledger.note("answer", status=200)
        return web.Response(text=step.body if isinstance(step, Page) else "", content_type="text/html")

    def _state(self) -> dict[str, object]:
        live = self._wikis.next_at(datetime.now(UTC))
        return {"start": self._wikis.start, "live": live, "steps": len(self.plan.steps)}
