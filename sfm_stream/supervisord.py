"""Talks to the host's supervisord: where it listens and by which login is read as supervisorctl reads it.

It needs nothing but Python's own library: the modules of the roles use it too, on hosts where nothing else of this
package is within reach (`roles/sfm_supervisor/module_utils` has a link to it).
"""

from __future__ import annotations

import configparser
import contextlib
import http.client
import os
import shlex
import socket
import time
import xmlrpc.client
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

SECONDS = 60
"""A call that stops a program waits for it, as long as its stopwaitsecs allow."""
RESTART_SECONDS = 5
"""How long a supervisord that is just restarting may be out of reach."""
RUNNING_STATE = 1
UNKNOWN_METHOD = 1
UNAUTHORIZED = 401
DEFAULT_URL = "http://localhost:9001"
"""Where supervisorctl asks if its section does not say."""
OUR_MARK = b"SFM_DIGEST="
"""Every program file of ours puts this variable into the environment of its process."""
OUR_COMMAND = "sfm-stream"

Process = dict[str, Any]
"""What supervisor tells of a process: name, group, statename, pid, start, stop, now, exitstatus, spawnerr ..."""


class UnreachableError(Exception):
    """supervisord cannot be asked."""


class AbsentError(UnreachableError):
    """Nothing answers: it is not installed, does not run, or has no socket. The only case in which a start can help."""


class LoginRefusedError(UnreachableError):
    """A supervisord answers, and wants another login than its configuration gives us."""


class NotSupervisorError(UnreachableError):
    """Something listens, but it does not answer as supervisord does."""


class ConfigUnreadableError(UnreachableError):
    """The configuration cannot be read, so that nobody knows whether a supervisord is there."""


class Endpoint(NamedTuple):
    """A way to supervisord; `url` is ``unix://PATH`` or ``http://HOST:PORT``. An empty name is no login."""

    url: str
    username: str = ""
    password: str = ""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        login = f"{endpoint.username}:{endpoint.password}".encode()
        headers = [("Authorization", f"Basic {b64encode(login).decode()}")] if endpoint.username else []
        super().__init__(headers=headers)
        self._url = endpoint.url
        self._seconds = seconds

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ANN401, ARG002 - xmlrpc's signature
        if self._url.startswith("unix://"):
            return _UnixConnection(self._url.removeprefix("unix://"), self._seconds)
        where = urlsplit(self._url)
        return http.client.HTTPConnection(where.hostname or "localhost", where.port or 80, timeout=self._seconds)


def endpoints(config: Path) -> list[Endpoint]:
    """The ways to the supervisord of a configuration file: supervisorctl's own first, then the socket that it opens.

    Raises:
        AbsentError: The file is not there, or names no way.
        UnreadableError: It cannot be read as supervisor reads it.
    """
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        parser.read_string(config.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError as error:
        raise AbsentError(f"{config}: cannot be read: {error.strerror}") from error
    except OSError as error:
        raise ConfigUnreadableError(f"{config}: cannot be read: {error.strerror}") from error
    except configparser.Error as error:
        # The error's own text shows lines of the file, and a password may stand in one of them.
        lines = ", ".join(str(line) for line, _ in getattr(error, "errors", [])) or getattr(error, "lineno", "?")
        raise ConfigUnreadableError(f"{config}: supervisor cannot read this file; look at line {lines}") from error
    section = _Section(config, parser)
    found = []
    if parser.has_section("supervisorctl"):
        found.append(_supervisorctl(config, section))
    if path := section("unix_http_server", "file"):
        password = section("unix_http_server", "password")
        # Of a hashed password nobody can make the one to log in with.
        login = () if password.startswith("{SHA}") else (section("unix_http_server", "username"), password)
        found.append(Endpoint(f"unix://{path}", *login))
    if not found:
        raise AbsentError(f"{config}: has no socket; [unix_http_server] needs a line file=/run/supervisor.sock")
    return list(dict.fromkeys(found))


def _supervisorctl(config: Path, section: _Section) -> Endpoint:
    """The way that supervisorctl takes, read by supervisor's own code where the host's Python has it."""
    with contextlib.suppress(ImportError, ValueError, configparser.Error):
        from supervisor.options import ClientOptions

        options = ClientOptions()
        options.environ_expansions = section.expansions
        own = options.read_config(str(config))
        return Endpoint(own.serverurl, own.username or "", own.password or "")
    # ValueError shows the value that it could not read, which may be a password; this way only its place is shown.
    names = ("username", "password")
    return Endpoint(section("supervisorctl", "serverurl") or DEFAULT_URL, *(section("supervisorctl", n) for n in names))


class _Section:
    """Reads options as supervisor does: ``%%`` is a percent sign, ``%(here)s`` and ``%(ENV_x)s`` are filled in."""

    def __init__(self, config: Path, parser: configparser.RawConfigParser) -> None:
        self._config = config
        self._parser = parser
        self.expansions = {"here": str(config.resolve().parent)}
        # What supervisord was started with is what its file means; our own environment is another one.
        self.expansions |= {f"ENV_{name}": value for name, value in {**os.environ, **self._environment()}.items()}

    def __call__(self, section: str, option: str) -> str:
        """The value, or an empty text where it is not given."""
        raw = self._parser.get(section, option, fallback="")
        try:
            return raw % self.expansions
        except KeyError as error:
            missing = str(error.args[0])
            what = f"refers to %({missing})s, which neither supervisord nor this run has in its environment"
        except (TypeError, ValueError):
            what = "has a % that stands alone; supervisor wants it doubled: %%"
        raise ConfigUnreadableError(f"{self._config}: [{section}] {option} {what}")

    def _environment(self) -> Mapping[str, str]:
        """The environment of the supervisord whose pid file the configuration names; empty if it does not run."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            raw = self._parser.get("supervisord", "pidfile", fallback="")
            pid = int(Path(raw % {**self.expansions, **{f"ENV_{n}": v for n, v in os.environ.items()}}).read_text())
            if "supervisord" in Path(f"/proc/{pid}/cmdline").read_text(errors="replace"):
                pairs = Path(f"/proc/{pid}/environ").read_text(errors="surrogateescape").split("\0")
                return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        return {}


def connect(
    config: Path,
    seconds: float = RESTART_SECONDS,
    answer: float = SECONDS,
) -> Any:  # noqa: ANN401 - a proxy has any method
    """The ``supervisor`` namespace of the running supervisord.

    Args:
        config: Its configuration file.
        seconds: How long to try.
        answer: How many seconds each answer may take.

    Raises:
        NotAllowedError: It answers, and refuses our login.
        NotSupervisorError: Something else answers, or nothing in time.
        UnreadableError: The file does not tell where it would listen.
        AbsentError: Nothing answers, or it is ending.
    """
    deadline = time.monotonic() + seconds
    while True:
        problems: list[UnreachableError] = []
        for endpoint in endpoints(config):
            try:
                return _open(endpoint, config, answer)
            except UnreachableError as error:
                problems.append(error)
        worst = min(problems, key=lambda each: _WORST_FIRST.index(type(each)))
        if isinstance(worst, LoginRefusedError) or time.monotonic() >= deadline:
            raise worst
        time.sleep(0.25)


_WORST_FIRST = (LoginRefusedError, NotSupervisorError, AbsentError)


def _open(endpoint: Endpoint, config: Path, seconds: float) -> Any:  # noqa: ANN401
    server = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(endpoint, seconds))
    url = endpoint.url
    try:
        state: Any = server.supervisor.getState()
    except xmlrpc.client.ProtocolError as error:
        if error.errcode == UNAUTHORIZED:
            raise LoginRefusedError(_login_wanted(url, config)) from None
        raise NotSupervisorError(f"{url}: what answers there is no supervisord (HTTP {error.errcode})") from None
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == UNKNOWN_METHOD:
            raise NotSupervisorError(
                f"{url}: supervisord answers, but was started without [rpcinterface:supervisor], so that nobody can "
                f"ask it anything. Add that section to {config}, and restart it when that suits its programs"
            ) from None
        raise NotSupervisorError(f"{url}: supervisord answers with an error: {fault.faultString}") from None
    except PermissionError:
        raise LoginRefusedError(f"{url}: not allowed to open the socket; this must run as root") from None
    except TimeoutError:
        raise NotSupervisorError(f"{url}: something listens there, but did not answer within {seconds:g} s") from None
    except (ConnectionResetError, BrokenPipeError, http.client.HTTPException, ExpatError, xmlrpc.client.Error) as error:
        raise NotSupervisorError(f"{url}: what answers there is no supervisord ({type(error).__name__})") from None
    except OSError as error:
        raise AbsentError(f"no supervisord answers at {url}: {error.strerror or error}") from None
    if state["statecode"] != RUNNING_STATE:
        raise AbsentError(f"supervisord is {state['statename']}")
    return server.supervisor


def _login_wanted(url: str, config: Path) -> str:
    return (
        f"{url}: supervisord answers, but refuses the login that {config} gives (HTTP 401). It is left as it is. Write "
        "the user name and the password that it was started with into that file, where supervisorctl needs them as "
        "well: [supervisorctl] username=... and password=... (the password itself, also where [unix_http_server] has "
        "its {SHA} sum; a % in it is written %%)"
    )


def processes(supervisor: Any, wanted: Callable[[str], object]) -> dict[str, Process]:  # noqa: ANN401 - a proxy
    """The live processes whose names `wanted` accepts, by name. Those of a group of another name are not looked at."""
    return named(supervisor.getAllProcessInfo(), wanted)


def named(live: Iterable[Process], wanted: Callable[[str], object]) -> dict[str, Process]:
    """The same of an answer that was had before: for hundreds of programs, supervisord works on each for long."""
    return {each["name"]: each for each in live if each["group"] == each["name"] and wanted(each["name"])}


def commands(supervisor: Any) -> dict[str, str]:  # noqa: ANN401 - a proxy
    """The command lines of the programs of all program files that supervisord has read, by program."""
    return {each["name"]: each["command"] for each in supervisor.getAllConfigInfo() if each["group"] == each["name"]}


def deployed(process: Process, command: str | None, known: bool) -> bool:
    """Whether a live process is of this deployment. Its name alone says nothing: SFM's own programs bear the same.

    Args:
        process: The live process.
        command: What its program file says, if there is one.
        known: Whether our own files know its name, which decides where there is nothing else to look at.
    """
    if process["pid"]:
        with contextlib.suppress(OSError):
            environment = Path(f"/proc/{process['pid']}/environ").read_bytes().split(b"\0")
            if any(each.startswith(OUR_MARK) for each in environment):
                return True
            # One that is only just starting may still be a copy of supervisord.
            if process["statename"] == "RUNNING":
                return False
    return runs_ours(command) if command else known


def runs_ours(command: str) -> bool:
    """Whether a program file's command line is one of ours."""
    with contextlib.suppress(ValueError):
        return Path(next(iter(shlex.split(command)), "")).name == OUR_COMMAND
    return False
