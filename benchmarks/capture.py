"""What a post costs: CPU and memory of a capture program beside tweepy alone and beside SFM's way of writing.

    python benchmarks/capture.py [POSTS]

One server on loopback sends each contender the same posts (3.5 KB, as fast as they are read); the system's own
accounting tells what the contender's process used. Compare the rows of one run: the figures of two machines, or of
a busy one, say nothing. The contenders run in turn, three times; medians are shown.
"""

from __future__ import annotations

import http.server
import json
import multiprocessing
import os
import random
import signal
import socketserver
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ClassVar

POSTS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
WORDS = [f"{random.Random(n).randrange(16**9):09x}" for n in range(4000)]

TWEEPY = """
import sys, tweepy
class Reader(tweepy.StreamingClient):
    posts = 0
    def on_data(self, line):
        Reader.posts += 1
        {each}
        if Reader.posts == {posts}:
            self.disconnect()
    def _connect(self, method, endpoint, **kwargs):
        self.session.headers["Authorization"] = "Bearer x"
        tweepy.streaming.BaseStream._connect(self, method, "{url}/2/tweets/search/stream", **kwargs)
{prepare}
Reader("x", chunk_size={chunk}).filter()
"""


def post(number: int) -> bytes:
    """A post of the usual size, about as compressible as a real one."""
    text = " ".join(random.Random(number).choices(WORDS, k=12))
    user = {
        "id": str(number % 997),
        "username": f"user{number % 997}",
        "description": " ".join(WORDS[number % 900 :][:40]),
    }
    entities = [{"start": n, "end": n + 9, "tag": WORDS[(number * 7 + n) % 4000]} for n in range(30)]
    data = {"id": str(10**18 + number), "text": text, "author_id": user["id"], "entities": {"hashtags": entities}}
    return json.dumps(
        {"data": data, "includes": {"users": [user]}, "matching_rules": [{"id": "1", "tag": "t"}]}
    ).encode()


class X(http.server.BaseHTTPRequestHandler):
    """As much of X as the contenders ask for."""

    protocol_version = "HTTP/1.1"
    chunks = b""
    rules: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:  # noqa: D102
        if "/stream?" not in self.path and not self.path.endswith("/stream"):
            return self.answer({"data": self.rules, "meta": {}})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            self.wfile.write(self.chunks)
            while self.connection.recv(1):
                pass
        except OSError:
            pass
        self.close_connection = True
        return None

    def do_POST(self) -> None:  # noqa: D102
        added = json.loads(self.rfile.read(int(self.headers["content-length"]))).get("add", [])
        if "dry_run" not in self.path:
            self.rules.extend({"id": str(number), **rule} for number, rule in enumerate(added))
        self.answer({"meta": {}})

    def answer(self, body: object) -> None:  # noqa: D102
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:  # noqa: D102
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):  # noqa: D101
    daemon_threads = True


def used(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """CPU seconds and megabytes of a process that has ended."""
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def run_tweepy(url: str, chunk: int, prepare: str = "", each: str = "pass") -> tuple[float, float]:
    """Tweepy itself, with a listener."""
    code = TWEEPY.format(url=url, posts=POSTS, chunk=chunk, prepare=prepare, each=each)
    return used(subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL))


def run_ours(url: str) -> tuple[float, float]:
    """`sfm-stream filterstream --save`, stopped when it has them all."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for part in ("streams", "credentials", "data", "state"):
            (place / part).mkdir()
        settings = {
            "kind": "filterstream",
            "name": "b",
            "credential": "c",
            "api_url": url,
            "data_dir": f"{folder}/data",
        }
        settings |= {"state_dir": f"{folder}/state", "rules": [{"name": "main", "track": ["storm"]}], "min_free": "0"}
        (place / "streams/twitterfilter-b.json").write_text(json.dumps(settings))
        (place / "credentials/c.json").write_text('{"bearer_token": "x"}')
        (place / "credentials/c.json").chmod(0o600)
        command = [sys.executable, "-m", "sfm_stream", "filterstream", "b", "--save", "--config-dir", folder]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        status = place / "state/status/twitterfilter-b.json"
        while not status.exists() or json.loads(status.read_bytes())["posts_today"] < POSTS:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        return used(process)


def idle_start(code: str) -> tuple[float, float]:
    """The same interpreter and imports with nothing to read, to be taken off."""
    return used(subprocess.Popen([sys.executable, "-c", code]))


def serve(port: Connection) -> None:
    """Runs the server in a process of its own, so that its memory is not taken for a contender's."""
    posts = [post(number) + b"\r\n" for number in range(POSTS)]
    X.chunks = b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in posts)
    server = Server(("127.0.0.1", 0), X)
    port.send((server.server_port, sum(map(len, posts)) / POSTS))
    server.serve_forever()


def main() -> None:
    """Runs the contenders and prints a row for each."""
    here, there = multiprocessing.Pipe()
    multiprocessing.Process(target=serve, args=(there,), daemon=True).start()
    port, size = here.recv()
    url = f"http://127.0.0.1:{port}"
    gzip9 = "import gzip; out = gzip.open('/dev/null', 'wb', 9)"
    contenders = {
        "tweepy, reading only (chunk_size 65536)": lambda: run_tweepy(url, 65536),
        "tweepy, reading only (its default, 512)": lambda: run_tweepy(url, 512),
        "tweepy and gzip.open(level 9), SFM's way": lambda: run_tweepy(url, 512, gzip9, "out.write(line + b'\\n')"),
        "sfm-stream filterstream --save": lambda: run_ours(url),
    }
    start = idle_start("import tweepy")[0]
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(3):
        for name, contend in contenders.items():
            rows[name].append(contend())
    print(f"{POSTS} posts of {size:.0f} bytes, medians of 3 runs; the start of Python and tweepy is taken off")
    for name, figures in rows.items():
        cpu = statistics.median(cpu for cpu, _ in figures) - start
        print(f"{name:42} {cpu / POSTS * 1e6:6.0f} µs a post {max(memory for _, memory in figures):5.0f} MB")


if __name__ == "__main__":
    main()
