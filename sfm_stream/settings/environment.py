"""How a program reaches the world: proxies, and whose certificates it trusts.

The names are those of the environment variables that every tool of the web knows, but they do not stand in the
environment that a program is started with: a proxy's address may hold a login, and that environment is written in
program files and shown by ``/proc``. They lie in a file of their own (``/etc/sfm/environment.json``), and the program
takes them up for itself before it connects; it starts no other programs that could inherit them.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sfm_stream.settings.faults import Fault, Secret, convert, nearest

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
BYPASS = "NO_PROXY"
TRUSTED = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Certificates to trust; the first of these that is given holds."""
NAMES = (*PROXIES, BYPASS, *TRUSTED)

_LOOPBACK = "localhost,127.0.0.1,::1"
_DEBIAN_STORE = "/etc/ssl/certs/ca-certificates.crt"
"""Where ``update-ca-certificates`` puts all that the system trusts, a site's own authority too."""


def environment_path(config_dir: Path) -> Path:
    """Where the variables lie; no file where there are none."""
    return config_dir / "environment.json"


def convert_environment(raw: object, where: str, faults: list[Fault]) -> dict[str, str]:
    """The variables as far as they are right; no fault shows a value.

    Args:
        raw: A mapping of `NAMES` to text.
        where: How a fault names this place.
        faults: Receives every fault found.
    """
    if not isinstance(raw, Mapping):
        fix = 'a mapping of names to text is needed: {HTTPS_PROXY: "http://proxy.example.org:3128"}'
        faults.append(Fault(where=where, problem="it is not a mapping", fix=fix))
        return {}
    values = {}
    for name, value in raw.items():
        if name not in NAMES:
            problem = f"unknown variable {str(name)!r}"
            faults.append(Fault(where=where, problem=problem, fix=nearest(str(name).upper(), NAMES)))
            continue
        text = convert(Secret, value, f"{where}: {name}", faults)
        if text is not None:
            values[str(name)] = str.__str__(text)
            faults.extend(_value_faults(str(name), values[str(name)], f"{where}: {name}"))
    return values


def _value_faults(name: str, value: str, where: str) -> Iterator[Fault]:
    if name in PROXIES and not _is_proxy(value):
        fix = (
            "http://HOST:PORT or https://HOST:PORT is needed, with USER:PASSWORD@ before HOST if the proxy asks for it"
        )
        yield Fault(
            where=where, problem="found no address of a proxy", fix=f"{fix}, special signs in them as %40 for @"
        )
    elif name in TRUSTED and not value.startswith("/"):
        yield Fault(where=where, problem="found no absolute path", fix="a path on the host is needed")
    elif not value.isprintable():
        yield Fault(where=where, problem="found a line break or another control character", fix="leave it out")


def _is_proxy(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return bool(re.fullmatch(r"https?://[^\s/?#]+/?", value) and parts.hostname and parts.port != 0)
    except ValueError:
        return False


def missing_files(values: Mapping[str, str], where: str) -> Iterator[Fault]:
    """Certificates that are not there on this host."""
    for name in TRUSTED:
        if name in values and not os.access(values[name], os.R_OK):
            yield Fault(
                where=f"{where}: {name}",
                problem=f"{values[name]} is not there, or may not be read",
                fix="put the certificates there, readable for everyone, before the programs need them",
            )


def take_up(values: Mapping[str, str]) -> None:
    """Makes the variables hold in this process, for whatever connects from now on.

    Where they name no certificates, those are trusted that the system trusts, and not the list in a package.
    """
    for name in PROXIES:
        if name in values:
            # The small ones come first for Python; one may be inherited from supervisord.
            os.environ[name] = os.environ[name.lower()] = values[name]
    bypass = values.get(BYPASS) or os.environ.get("no_proxy") or os.environ.get(BYPASS)
    # What is on this host is reached without a proxy.
    os.environ[BYPASS] = os.environ["no_proxy"] = ",".join(filter(None, (bypass, _LOOPBACK)))
    given = next((values[name] for name in TRUSTED if name in values), None)
    if trusted := given or os.environ.get("REQUESTS_CA_BUNDLE") or _system_store():
        os.environ["REQUESTS_CA_BUNDLE"] = trusted
    os.environ.update({name: values[name] for name in TRUSTED if name in values})


def _system_store() -> str | None:
    candidates = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, _DEBIAN_STORE)
    return next((path for path in candidates if path and os.access(path, os.R_OK)), None)
