"""A streaming connection on which things go wrong as a plan has it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import socket
import struct
import termios
import time

from sfm_stream.sources.x.simulator import actions
from sfm_stream.sources.x.simulator.firehose import Item
from sfm_stream.sources.x.simulator.problems import TYPES, disconnect_message
from sfm_stream.sources.x.simulator.stream import Ended, SimulatedConnection

_RESET_PATIENCE = 5.0


class FaultyConnection(SimulatedConnection):
    """A connection with a plan; see `sfm_stream.sources.x.simulator.plan` for what each action is."""

    async def _do(self, action: actions.Action) -> None:
        match action:
            case actions.Close(finish=finish):
                if finish:
                    self._finish()
                raise Ended("plan: close")
            case actions.CloseMidLine():
                item, matching = await self._next()
                text = self._line(item, matching)
                await self._write(text[: len(text) // 2])
                self._ledger.note("message", connection=self.link.id, kind="torn", id=item.id)
                raise Ended("plan: close_mid_line")
            case actions.Reset():
                await self._reset()
            case actions.Stall(seconds=seconds):
                await self._silence(seconds, keep_alives=False)
            case actions.KeepAlivesOnly(seconds=seconds):
                await self._silence(seconds, keep_alives=True)
            case actions.Dribble():
                await self._dribble(action)
            case actions.DisconnectMessage(kind=kind, close=close):
                await self._write(json.dumps(disconnect_message(kind)).encode() + b"\r\n")
                self._ledger.note("message", connection=self.link.id, kind="disconnect")
                if close:
                    self._finish()
                    raise Ended("plan: disconnect_message")
            case actions.Inject():
                await self._inject(action)
            case actions.Duplicate(posts=posts):
                self._twice += posts
            case actions.Shuffle(posts=posts):
                while len(self._pending) < posts:
                    await self._rest()
                first = [self._pending.popleft() for _ in range(posts)]
                self._pending.extendleft(first)
            case actions.DeleteRules():
                gone = len(self._app.rules)
                self._app.rules.clear()
                self._app.apply_rules()
                self._ledger.note("rules", app=self._app.name, added=0, deleted=gone, by="plan")
            case actions.ForeignRule(value=value, tag=tag):
                self._app.add_rules([(value, tag)], commit=True)
                self._app.apply_rules()
                self._ledger.note("rules", app=self._app.name, added=1, deleted=0, by="plan")
            case _:
                pass

    async def _next(self) -> tuple[Item, bytes]:
        """The next post, waited for if need be."""
        while not self._pending:
            await self._rest()
        return self._pending.popleft()

    async def _reset(self) -> None:
        """Resets the connection once the client's side has acknowledged every byte, so that the ledger stays true."""
        held: socket.socket = self._transport.get_extra_info("socket")
        until = time.monotonic() + _RESET_PATIENCE
        while time.monotonic() < until:
            unsent = struct.unpack("i", fcntl.ioctl(held.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
            if not unsent:
                break
            await asyncio.sleep(0.01)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        raise Ended("plan: reset")

    async def _dribble(self, action: actions.Dribble) -> None:
        item, matching = await self._next()
        text = self._line(item, matching)
        self._deaf = True
        wanted = len(text) if action.bytes is None else min(action.bytes, len(text))
        for index in range(wanted):
            await self._write(text[index : index + 1])
            until = time.monotonic() + action.every
            while (left := until - time.monotonic()) > 0:
                await self._sleep(left)
        self._deaf = False
        if wanted < len(text):
            self._ledger.note("message", connection=self.link.id, kind="torn", id=item.id)
            await self._silence(None, keep_alives=False)
        self._ledger.posts(self.link.id, [item.id])
        self.sent += 1
        self._app.consume(1)

    async def _inject(self, action: actions.Inject) -> None:
        """Sends an odd line; those made of a post wait for one."""
        error = {"title": "Field Hydration Failure", "type": f"{TYPES}field-hydration-failure", "detail": "Try again.",
                 "field": "note_tweet"}  # fmt: skip
        odd = {
            "unknown": b'{"system_notice":{"code":7,"text":"maintenance tonight"}}',
            "errors": json.dumps({"errors": [error]}).encode(),
            "not-json": b"<html>502 Bad Gateway</html>",
            "blank": b"",
            "raw": action.text.encode(errors="surrogateescape"),
        }
        if action.what in odd:
            await self._write(odd[action.what] + b"\r\n")
            self._ledger.note("message", connection=self.link.id, kind=action.what)
            return
        item, matching = await self._next()
        text = self._line(item, matching)
        if action.what == "errors-beside-data":
            text = text.rstrip(b"\r\n")[:-1] + b',"errors":[%b]}\r\n' % json.dumps(error).encode()
        elif action.what == "long":
            text = text.replace(b'"text":"', b'"text":"' + b"x" * action.size, 1)
        else:
            await self._write(text.replace(b'"text":"', b'"text":"\xff\xfe ', 1))
            self._ledger.note("message", connection=self.link.id, kind="invalid-utf8", id=item.id)
            return
        await self._deliver([(item.id, text)])

    async def _silence(self, seconds: float | None, *, keep_alives: bool) -> None:
        """Delivers no posts; those that come meanwhile are lost."""
        self._lose("silent", len(self._pending))
        self._pending.clear()
        self._deaf = True
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            if keep_alives:
                await self._rest()
            else:
                await self._sleep(None if until is None else until - time.monotonic())
        self._deaf = False
