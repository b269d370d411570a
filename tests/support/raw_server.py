"""A server at the level of bytes: for answers that no HTTP library would give."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
Behaviour = Callable[["Peer"], None]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Peer:
    """X's end of a connection: what was asked, and the socket to answer on."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.request = b""
        while b"\r\n\r\n" not in self.request and (data := connection.recv(65536)):
            self.request += data
            if self.request.startswith(b"\x16"):
                return  # TLS

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def stream(self, *lines: bytes) -> None:
        """Opens the stream and sends each line as a chunk of its own."""
        self.send(CHUNKED, *(chunk(line + b"\r\n") for line in lines))

    def await_end(self) -> bytes:
        """What the client still sends, up to its end of the connection."""
        rest = b""
        with contextlib.suppress(ConnectionError):
            while data := self.socket.recv(65536):
                rest += data
        return rest

    def reset(self) -> None:
        """Breaks the connection: a reset, no orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


class X:
    """A server that answers each connection with the next behaviour; the last one for all that follow."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._behaviours = list(behaviours)
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            behave = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
            threading.Thread(target=self._answer, args=(connection, behave), daemon=True).start()

    def _answer(self, connection: socket.socket, behave: Behaviour) -> None:
        with connection, contextlib.suppress(ConnectionError):
            peer = Peer(connection)
            self.requests.append(peer.request)
            behave(peer)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)
