"""A relay between a program and a simulated service, which keeps all that the service sends."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Relay:
    """Listens on loopback, and passes each connection on to `port`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._received: list[bytearray] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def received(self) -> bytes:
        """All that the service sent, connection after connection."""
        return b"\n".join(map(bytes, self._received))

    def close(self) -> None:
        """Takes no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                service = socket.create_connection(("127.0.0.1", self._target))
                kept = bytearray()
                self._received.append(kept)
                threading.Thread(target=_pass, args=(client, service, bytearray()), daemon=True).start()
                threading.Thread(target=_pass, args=(service, client, kept), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            kept += data
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
