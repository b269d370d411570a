"""A connection to X through a proxy that is itself reached over TLS: TLS within TLS, where no plain socket is left."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfm_stream.settings.faults import Secret
from sfm_stream.sources.x.client import SILENCE, Client, Dropped, End
from tests.support.raw_server import Peer


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of localhost, which vouches for itself."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both


class Servers:
    """An X over TLS, and a proxy over TLS that leads to it."""

    def __init__(self, certificate: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._x, self._proxy = (socket.create_server(("localhost", 0)) for _ in range(2))
        self.asked = b""
        self.ended = threading.Event()
        self.url = f"https://localhost:{self._x.getsockname()[1]}"
        self.proxy_url = f"https://localhost:{self._proxy.getsockname()[1]}"
        for run in (self._be_x, self._be_proxy):
            threading.Thread(target=run, daemon=True).start()

    def _be_x(self) -> None:
        plain, _ = self._x.accept()
        with self._context.wrap_socket(plain, server_side=True) as connection:
            peer = Peer(connection)
            peer.stream(b"one")
            peer.await_end()
            self.ended.set()

    def _be_proxy(self) -> None:
        plain, _ = self._proxy.accept()
        with (
            self._context.wrap_socket(plain, server_side=True) as here,
            socket.create_connection(self._x.getsockname()) as there,
        ):
            self.asked = Peer(here).request
            here.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self._relay, args=(there, here), daemon=True)
            back.start()
            self._relay(here, there)
            back.join(5)

    @staticmethod
    def _relay(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            socket.socket.shutdown(target, socket.SHUT_WR)

    def close(self) -> None:
        self._x.close()
        self._proxy.close()


@pytest.fixture
def servers(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    both = Servers(certificate)
    monkeypatch.setenv("https_proxy", both.proxy_url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    yield both
    both.close()


@pytest.mark.parametrize("how", ["finish", "abort", "silent"])
def test_a_stream_through_a_proxy_over_tls_ends_as_any_other(servers: Servers, how: str) -> None:
    """Asked to end, ended by force, or given up."""
    received, ends = threading.Event(), []
    client = Client(Secret("token"), servers.url, lambda _: received.set())

    def run() -> None:
        try:
            client.filter()
            ends.append(None)
        except Dropped as dropped:
            ends.append(dropped.end)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert received.wait(10)
    assert servers.asked.startswith(b"CONNECT localhost:")
    if how == "silent":
        client.give_up_if_silent(time.monotonic() + SILENCE + 1)
    else:
        getattr(client, how)()
    thread.join(10)
    assert not thread.is_alive()
    assert ends == [End.SILENT if how == "silent" else None]
    assert servers.ended.wait(5)
