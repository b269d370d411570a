"""What an inventory says of monitoring and alerts, judged before any host is touched, and again where it is read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from sfm_stream.settings.faults import Fault, Secret, show
from sfm_stream.settings.host import AlertSettings

_ADDRESS = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+|[A-Za-z_][A-Za-z0-9_.-]*")
"""``name@example.org``, or a user of the host."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+|mailto:\S+")
_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def alert_faults(settings: AlertSettings, where: str) -> Iterator[Fault]:
    """What is wrong with the ways in which people are told.

    Args:
        settings: The ways.
        where: The file in which they stand, or ``sfm_alert_``, with which the variables begin.
    """

    def name(key: str) -> str:
        return f"{where}{key}" if where.endswith("_") else f"{where}: {key}"

    if settings.command:
        yield from _command_faults(settings.command, name("command"))
    for index, address in enumerate(settings.mail):
        if not _ADDRESS.fullmatch(address):
            fix = "an address such as streams@example.org is needed, or a user of the host"
            yield Fault(where=f"{name('mail')}[{index}]", problem=f"found {show(address)}", fix=fix)
    for index, url in enumerate(settings.urls):
        if not _URL.fullmatch(str.__str__(url)):
            fix = (
                "an address as apprise has them is needed, such as ntfys://topic or mailtos://user:password@example.org"
            )
            yield Fault(where=f"{name('urls')}[{index}]", problem="found a value that is no address", fix=fix)
    if settings.digest and not _HOUR.fullmatch(settings.digest):
        fix = 'an hour of the day (UTC) is needed, in quotes: "07:30"'
        yield Fault(where=name("digest"), problem=f"found {show(settings.digest)}", fix=fix)


def monitor_faults(variables: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the variables of sfm_monitor.

    Args:
        variables: Those of one host, and the defaults of those it leaves out. A value of another type is left to the
            check of types.
    """
    texts = {key: _text(variables.get(f"sfm_alert_{key}")) for key in ("command", "digest")}
    lists = {key: _texts(variables.get(f"sfm_alert_{key}")) for key in ("mail", "urls")}
    urls = tuple(Secret(each) for each in lists["urls"])
    yield from alert_faults(AlertSettings(**texts, mail=lists["mail"], urls=urls), "sfm_alert_")
    metrics = _text(variables.get("sfm_metrics_dir"))
    if metrics not in ("", "auto") and not re.fullmatch(r"/[^\s%'\"]*", metrics):
        fix = "auto, an absolute path without blanks, or an empty text is needed"
        yield Fault(where="sfm_metrics_dir", problem=f"found {show(metrics)}", fix=fix)
    for key, least in (("gap", 1), ("disk_days", 0)):
        value = variables.get(f"sfm_alert_{key}")
        if isinstance(value, int | float) and not isinstance(value, bool) and value < least:
            yield Fault(where=f"sfm_alert_{key}", problem=f"found {show(value)}", fix=f"at least {least} is needed")


def _command_faults(command: str, where: str) -> Iterator[Fault]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        yield Fault(where=where, problem=f"found {show(command)}", fix=f"close its quotes ({error})")
        return
    if not words or not words[0].startswith("/"):
        fix = "the absolute path of a program on the host is needed, with its arguments"
        yield Fault(where=where, problem=f"found {show(command)}", fix=fix)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list | tuple) else ()
