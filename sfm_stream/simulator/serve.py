"""Serves a simulated service until SIGTERM or SIGINT, or the end of the supervisord that started it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import struct

import click
from aiohttp import web

from sfm_stream.errors import SfmError
from sfm_stream.simulator.ledger import Ledger
from sfm_stream.supervised import Supervision

_GRACE = 1.0
"""Seconds that open streams get to end."""


def serve(application: web.Application, ledger: Ledger, host: str, port: int, **facts: object) -> None:
    """Serves; prints the URL as its first line when connections are accepted.

    Args:
        application: The service.
        ledger: Told of the start and the stop; closed at the end.
        host: Where to listen.
        port: Likewise; 0 for a free one.
        facts: What the ledger records of the start besides the URL.

    Raises:
        SfmError: The address cannot be had.
    """
    asyncio.run(_serve(application, ledger, host, port, facts))


async def _serve(application: web.Application, ledger: Ledger, host: str, port: int, facts: dict[str, object]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=_GRACE)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise SfmError(f"cannot listen on {host} port {port}: {error.strerror}") from error
        bound = runner.addresses[0]
        url = f"http://[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"http://{bound[0]}:{bound[1]}"
        ledger.note("start", url=url, **facts)
        click.echo(url)
        supervision = Supervision()
        while not stop.is_set() and not supervision.gone:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
    finally:
        await runner.cleanup()
        ledger.note("stop")
        ledger.close()


def reset(request: web.Request) -> None:
    """Ends the TCP connection of a request with a reset."""
    if request.transport is not None:
        held = request.transport.get_extra_info("socket")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
