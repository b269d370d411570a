"""What is wrong with settings that have the right types: the checks that preflight, validate and the programs share."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from sfm_stream.settings.faults import Fault, show
from sfm_stream.settings.model import SAFE_NAME, StreamSettings

_PLACEHOLDER = re.compile(
    r"(?i)(change.?me|replace.?me|to.?do|xxx+|example|placeholder|(your|my|the)[-_ ].*|<.*>|\{\{.*|\.\.\.+)"
)


def name_faults(name: str, where: str) -> Iterator[Fault]:
    """A name that would not do as part of a file name, a supervisor program and a tag."""
    if not SAFE_NAME.fullmatch(name):
        yield Fault(
            where=where,
            problem=f"found the name {show(name)}",
            fix="up to 64 letters, digits, - and _ are allowed, the first a letter or digit",
        )


def repeated(names: Iterable[str]) -> list[str]:
    """The names that occur more than once, in order of first appearance."""
    return [name for name, count in Counter(names).items() if count > 1]


def secret_faults(secrets: Mapping[str, str], where: str) -> Iterator[Fault]:
    """Secrets that are empty, placeholders, or hold characters that no secret has. The faults never show them."""
    for key, secret in secrets.items():
        if not secret.strip():
            yield Fault(where=f"{where}: {key}", problem="found an empty secret", fix="put the real one there")
        elif _PLACEHOLDER.fullmatch(secret.strip()):
            yield Fault(where=f"{where}: {key}", problem="found a placeholder", fix="put the real secret there")
        elif not re.fullmatch(r"[\x21-\x7e]+", secret):
            yield Fault(
                where=f"{where}: {key}",
                problem="found blanks, line breaks or other characters that no secret has",
                fix="copy it again, alone; `ansible-vault encrypt_string --prompt` adds no line break",
            )


def common_faults(stream: StreamSettings, where: str) -> Iterator[Fault]:
    """What would keep a stream of any source from running: its name, its directories, its floor."""
    yield from name_faults(stream.name, where)
    for key in ("data_dir", "state_dir"):
        if not getattr(stream, key).startswith("/"):
            yield Fault(
                where=f"{where}: {key}",
                problem=f"found {show(getattr(stream, key))}",
                fix="an absolute path is needed",
            )
    if parse_floor(stream.min_free) is None:
        yield Fault(
            where=f"{where}: min_free",
            problem=f"found {show(stream.min_free)}",
            fix='a size like "500M" or "10G", or a share of the disk like "5%", is needed; "0" turns the check off',
        )


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, and nothing leaves it on the way there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def parse_floor(text: str) -> tuple[int, float] | None:
    """Reads a ``min_free``: bytes (``500M`` is 500 * 2**20) and a share of the disk, of which one is 0.

    None where it is neither.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]?i?B?|%)", text.strip(), re.IGNORECASE)
    if found is None:
        return None
    number, unit = float(found[1]), found[2].upper()
    if unit == "%":
        return (0, number / 100) if number <= 90 else None
    return int(number * 1024 ** ("BKMGT".index(unit[0]) if unit else 0)), 0.0
