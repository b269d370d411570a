"""Talks to supervisord over its own socket, with nothing but Python's standard library."""

from __future__ import annotations

import configparser
import http.client
import socket
import time
import xmlrpc.client
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 60
"""A call that stops a program waits for it, as long as its stopwaitsecs allow."""
RESTART_SECONDS = 5
"""How long a supervisord that is just restarting may be out of reach."""
RUNNING_STATE = 1

Process = dict[str, Any]
"""What supervisor tells of a process: name, group, statename, pid, start, stop, now, exitstatus, spawnerr ..."""


class UnreachableError(Exception):
    """No supervisord answers."""


class Address(NamedTuple):
    """Where supervisord listens."""

    path: str
    username: str
    password: str


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, address: Address) -> None:
        login = f"{address.username}:{address.password}".encode()
        headers = [("Authorization", f"Basic {b64encode(login).decode()}")] if address.username else []
        super().__init__(headers=headers)
        self._address = address

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ANN401, ARG002 - xmlrpc's signature
        return _Connection(self._address.path)


def address(config: Path) -> Address:
    """Where the supervisord of a configuration file listens.

    Raises:
        UnreachableError: There is no such file, or it opens no unix socket.
    """
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"), allow_no_value=True)
    try:
        parser.read_string(config.read_text(encoding="utf-8", errors="replace"))
    except (OSError, configparser.Error) as error:
        raise UnreachableError(f"{config}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    section = "unix_http_server"
    path = parser.get(section, "file", fallback=None)
    if not path:
        raise UnreachableError(f"{config}: has no socket; [unix_http_server] needs a line file=/run/supervisor.sock")
    given = {key: parser.get(section, key, fallback=None) or "" for key in ("username", "password")}
    return Address(path.replace("%(here)s", str(config.parent)), **given)


def connect(config: Path, seconds: float = RESTART_SECONDS) -> Any:  # noqa: ANN401 - a proxy has any method
    """The ``supervisor`` namespace of the running supervisord.

    Args:
        config: Its configuration file.
        seconds: How long to try.

    Raises:
        UnreachableError: None answers, or it is ending.
    """
    where = address(config)
    deadline = time.monotonic() + seconds
    while True:
        server = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(where))
        try:
            state: Any = server.supervisor.getState()
            if state["statecode"] == RUNNING_STATE:
                return server.supervisor
            problem = f"supervisord is {state['statename']}"
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            problem = f"no supervisord answers at {where.path}: {getattr(error, 'strerror', None) or error}"
        if time.monotonic() >= deadline:
            raise UnreachableError(problem)
        time.sleep(0.25)


def processes(supervisor: Any, ours: Callable[[str], object]) -> dict[str, Process]:  # noqa: ANN401 - a proxy
    """The live processes whose names `ours` accepts, by name."""
    return {each["name"]: each for each in supervisor.getAllProcessInfo() if ours(each["name"])}
