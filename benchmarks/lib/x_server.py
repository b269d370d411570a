"""As much of X as the competitors ask for, over TLS, in a process of its own.

    python -m benchmarks.lib.x_server FOLDER POSTS

It writes ``posts.jsonl`` (what it will send) and ``authority.pem`` (whom to trust) into the folder, prints its port,
and serves until its standard input ends. A connection gets as many posts as its token asks for, the
same again where it has no more, then line ends as
keep-alives, which lets readers notice that they have all: see `token`.
"""

from __future__ import annotations

import contextlib
import http.server
import itertools
import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from benchmarks.lib.posts import Posts
from benchmarks.lib.process import SERVE

HOSTS = ("localhost", "api.twitter.com", "api.x.com")
_TOGETHER = 12
_TICK = 0.02


def token(posts: int, rate: int = 0) -> str:
    """A token that asks for so many posts, at so many a second (0: as fast as they are read)."""
    return f"bench-{posts}-{rate}"


class _X(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    chunks: ClassVar[list[bytes]] = []
    rules: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        if not self.path.partition("?")[0].endswith("/stream"):
            return self._answer({"data": self.rules, "meta": {}})
        posts, rate = map(int, self.headers["authorization"].split("-")[1:])
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            chunks = list(itertools.islice(itertools.cycle(self.chunks), posts))
            for piece in _paced(chunks, rate) if rate else _pieces(chunks):
                self.wfile.write(piece)
            while True:
                time.sleep(0.1)
                self.wfile.write(b"2\r\n\r\n\r\n")
        self.close_connection = True
        return None

    def do_POST(self) -> None:
        added = json.loads(self.rfile.read(int(self.headers["content-length"]))).get("add", [])
        if "dry_run" not in self.path:
            self.rules.extend({"id": str(number), **rule} for number, rule in enumerate(added))
        self._answer({"meta": {}})

    def _answer(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _pieces(chunks: list[bytes]) -> Iterator[bytes]:
    """As fast as they are read, in writes of a usual size."""
    for start in range(0, len(chunks), _TOGETHER):
        yield b"".join(chunks[start : start + _TOGETHER])


def _paced(chunks: list[bytes], rate: int) -> Iterator[bytes]:
    """Those that are due, each `_TICK`."""
    start, sent = time.monotonic(), 0
    while sent < len(chunks):
        time.sleep(_TICK)
        due = min(int((time.monotonic() - start) * rate), len(chunks))
        yield b"".join(chunks[sent:due])
        sent = due


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def main() -> None:
    """Serves."""
    from tests.support.proxy import authority

    os.sched_setaffinity(0, {SERVE})
    folder, posts = Path(sys.argv[1]), int(sys.argv[2])
    lines = list(itertools.islice(Posts().lines(), posts))
    with (folder / "posts.jsonl").open("wb") as file:
        file.writelines(line + b"\n" for line in lines)
    _X.chunks = [b"%x\r\n%b\r\n\r\n" % (len(line) + 2, line) for line in lines]
    certificate, context = authority(folder / "authority", *HOSTS)
    server = _Server(("127.0.0.1", 0), _X)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    (folder / "authority.pem").write_bytes(certificate.read_bytes())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


@contextlib.contextmanager
def serving(folder: Path, posts: int) -> Iterator[int]:
    """Runs this module as a process, so that its memory and work are no competitor's; its port."""
    command = [sys.executable, "-m", "benchmarks.lib.x_server", str(folder), str(posts)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdin
        yield int(process.stdout.readline())
        process.stdin.close()


if __name__ == "__main__":
    main()
