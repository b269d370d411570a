"""A small X for tests of what is asked besides the stream: rules, connections, tokens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sfm_stream.settings.faults import Secret
from sfm_stream.sources.x.client import Client


class App:
    """One app at X: its rules and connections, what was asked of it, and answers that it is to give instead."""

    def __init__(self) -> None:
        self.url = ""
        self.rules: dict[str, dict[str, str]] = {}
        self.connections: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[tuple[int, Any] | None] = []
        """In place of its own, in this order; None for its own."""
        self.invalid: set[str] = set()
        self.invalid_later: set[str] = set()
        """Values that a dry run takes."""
        self.cap = 1000
        self.rate_limit: dict[str, str] = {}
        self.broken: Exception | None = None
        self.page = 1000
        self._next = 0

    def add(self, value: str, tag: str) -> None:
        self._next += 1
        self.rules[str(self._next)] = {"id": str(self._next), "value": value, "tag": tag}

    def held(self) -> set[tuple[str, str]]:
        return {(rule["value"], rule["tag"]) for rule in self.rules.values()}

    def client(self) -> Client:
        if self.broken:
            raise self.broken
        return Client(Secret("token"), self.url)

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if self.answers and (answer := self.answers.pop(0)):
            return answer
        if path.endswith("/counts"):
            return 200, {"data": {"cap_per_client_app": str(self.cap)}}
        if path == "/oauth2/token":
            return 200, {"token_type": "bearer", "access_token": "fetched"}
        if path == "/2/connections":
            return self._connections(method, body)
        if method == "GET":
            start = int(query.get("pagination_token", ["0"])[0])
            rules = list(self.rules.values())[start : start + self.page]
            more = start + self.page < len(self.rules)
            return 200, {"data": rules, "meta": {"next_token": str(start + self.page)} if more else {}}
        return self._change(body, dry=query.get("dry_run") == ["true"])

    def _connections(self, method: str, body: Any) -> tuple[int, Any]:
        if method == "DELETE":
            self.connections = [each for each in self.connections if each["id"] not in body["uuids"]]
        return 200, {"data": self.connections} if self.connections else {"meta": {}}

    def _change(self, body: Any, *, dry: bool) -> tuple[int, Any]:
        problems: list[dict[str, Any]] = []
        new: list[dict[str, str]] = []
        for identity in body.get("delete", {}).get("ids", []):
            del self.rules[identity]
        for rule in body.get("add", []):
            if rule["value"] in self.invalid or (not dry and rule["value"] in self.invalid_later):
                problems.append(
                    {"title": "UnprocessableEntity", "value": rule["value"], "details": ["no such operator"]}
                )
            elif rule["value"] in {held["value"] for held in self.rules.values()}:
                problems.append({"title": "DuplicateRule", "value": rule["value"], "id": "1"})
            else:
                new.append(rule)
        if new and len(self.rules) + len(new) > self.cap:
            return 422, {"title": "RulesCapExceeded", "detail": "too many"}
        for rule in () if dry else new:
            self.add(rule["value"], rule["tag"])
        return 201, {"meta": {}, **({"errors": problems} if problems else {})}


@contextmanager
def serving(app: App) -> Iterator[App]:
    """The app, reachable at its `url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            url = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw.startswith(b"{") else raw.decode()
            app.asked.append((self.command, url.path, body))
            app.headers.append(dict(self.headers))
            status, answer = app.answer(self.command, url.path, parse_qs(url.query), body)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            for name, value in app.rate_limit.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    app.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield app
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
