"""What may stand between a host and X: a proxy that asks for a login, and an authority that only the site knows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Proxy:
    """Leads ``CONNECT`` requests to one server, whatever name they ask for.

    Attributes:
        login: ``user:password`` that it asks for.
        refused: How many requests came without it.
        asked: The names that it was asked for, and led to the server.
    """

    def __init__(self, login: str, server: tuple[str, int]) -> None:
        self.login, self.server = login, server
        self.refused = 0
        self.asked: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, name, _ = head.split("\r\n")[0].split(" ")
        expected = base64.b64encode(self.login.encode()).decode()
        if f"Proxy-Authorization: Basic {expected}\r\n" not in head:
            self.refused += 1
            writer.write(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            return
        assert method == "CONNECT", head
        self.asked.append(name)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await relay(reader, writer, self.server)


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: tuple[str, int]) -> None:
    """Passes bytes on, both ways, until one side ends."""
    far_reader, far_writer = await asyncio.open_connection(*server)

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()

    ways = [asyncio.ensure_future(copy(reader, far_writer)), asyncio.ensure_future(copy(far_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in ways:
            each.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        far_writer.close()


@contextlib.contextmanager
def serving(handler: Handler, context: ssl.SSLContext | None = None) -> Iterator[tuple[str, int]]:
    """Serves on a free port of loopback, over TLS where a context is given."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    async def stop() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread.start()
    start = asyncio.start_server(served, "127.0.0.1", 0, ssl=context)
    server = asyncio.run_coroutine_threadsafe(start, loop).result(10)
    try:
        yield server.sockets[0].getsockname()
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def authority(folder: Path, *hosts: str) -> tuple[Path, ssl.SSLContext]:
    """A new authority's certificate as a file, and a server's context for `hosts` that it vouches for."""
    now = dt.datetime.now(dt.UTC)

    def certificate(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each)]) for each in (subject, issuer)]
        builder = x509.CertificateBuilder(names[1], names[0], key, x509.random_serial_number())
        return builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))

    root_key, host_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = certificate("the site", "the site", root_key.public_key())
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    leaf = certificate(hosts[0], "the site", host_key.public_key())
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
    pem = serialization.Encoding.PEM
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.pem").write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(pem))
    private = host_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "host.pem").write_bytes(leaf.sign(root_key, hashes.SHA256()).public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "host.pem")
    return folder / "site.pem", context
