"""What X means when it refuses a request: told from its own words, and then from the status, which means many things.

Only X's own JSON says anything about a credential or a request: the page of a web filter may have any status, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from sfm_stream import clock

DETAIL = 300
"""X's own words are kept up to this many characters."""


class RefusalKind(StrEnum):
    """Kinds of refusal, by what can be done about them."""

    CREDENTIAL = "credential refused"
    NO_RULES = "no rules"
    RATE_LIMIT = "rate limit"
    CONNECTIONS = "too many connections"
    USAGE_CAP = "usage cap"
    CREDITS = "credits"
    SPEND_CAP = "spend cap"
    INVALID = "invalid request"
    FOREIGN = "no answer of X"
    SERVER = "server error"


MONEY = frozenset({RefusalKind.USAGE_CAP, RefusalKind.CREDITS, RefusalKind.SPEND_CAP})
"""Somebody must pay, or a month must end: neither a wrong credential nor a fault of the network."""

_NAMES = {
    "usagecapexceeded": RefusalKind.USAGE_CAP,
    "usage-capped": RefusalKind.USAGE_CAP,
    "creditsdepleted": RefusalKind.CREDITS,
    "credits": RefusalKind.CREDITS,
    "spendcapreached": RefusalKind.SPEND_CAP,
    "spend-cap-reached": RefusalKind.SPEND_CAP,
}
"""Titles, and the last parts of types, that mean something whatever the status is."""
_STATUSES = {
    400: RefusalKind.INVALID,
    401: RefusalKind.CREDENTIAL,
    402: RefusalKind.CREDITS,
    403: RefusalKind.CREDENTIAL,
    422: RefusalKind.INVALID,
}
"""What a status means where X's own words do not say more."""
_CONNECTIONS = frozenset({"toomanyconnections", "connectionexception", "streaming-connection"})
_REFUSED_VALUES = re.compile(r"value \[([^\]]*)\]")


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A request that X did not grant.

    Attributes:
        kind: What can be done about it.
        status: The HTTP status.
        detail: X's own words.
        reset: When the rate limit ends or the next billing cycle begins, where X says so. X tells of its rate limits in
            every answer; only one that is used up has an end worth waiting for.
        parameters: The parameters that X does not take, and of each the values.
    """

    kind: RefusalKind
    status: int
    detail: str
    reset: datetime | None = None
    parameters: dict[str, tuple[str, ...]] = {}

    def __str__(self) -> str:
        return f"HTTP {self.status}, {self.kind}: {self.detail}"


class _Problem(msgspec.Struct, frozen=True):
    """What X says of a refusal; each part may be missing."""

    title: str = ""
    detail: str = ""
    type: str = ""
    message: str = ""
    connection_issue: str = ""
    reset_date: str = ""
    parameters: dict[str, Any] = {}
    errors: tuple[_Problem, ...] = ()

    def all(self) -> Iterator[_Problem]:
        """This one and those it lists."""
        yield self
        yield from self.errors

    def words(self) -> str:
        own = ": ".join(dict.fromkeys(filter(None, (self.title, self.detail, self.message, self.connection_issue))))
        return "; ".join(dict.fromkeys(filter(None, (own, *(each.words() for each in self.errors)))))

    def names(self) -> set[str]:
        """What X calls it, in lower case: title, issue, and the last part of the type."""
        return {each.lower() for each in (self.title, self.connection_issue, self.type.rpartition("/")[2])}


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
    """What an answer refuses; None for one that grants (2xx)."""
    if 200 <= status < 300:
        return None
    problem = _read(body)
    words = problem.words() if problem else " ".join(body.decode("utf-8", "replace").split())
    if 300 <= status < 400:
        words = (
            f"redirected to {headers.get('location', 'nowhere')}, which is not followed: the secret stays with api_url"
        )
    kind = _kind(status, problem)
    return Refusal(
        kind=kind,
        status=status,
        detail=words[:DETAIL].strip() or "no reason given",
        reset=_reset(kind, headers, problem),
        parameters=_parameters(problem) if problem and kind is RefusalKind.INVALID else {},
    )


def _read(body: bytes) -> _Problem | None:
    """X's problem; None where the body is none of X's."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    problem = _problem(raw)
    return problem if problem.words() or problem.type else None


def _problem(raw: object) -> _Problem:
    """Takes of `raw` whatever has the shape of a problem."""
    if not isinstance(raw, dict):
        return _Problem()
    texts = {
        name: raw[name]
        for name in ("title", "detail", "type", "message", "connection_issue", "reset_date")
        if isinstance(raw.get(name), str)
    }
    parameters, errors = raw.get("parameters"), raw.get("errors")
    return _Problem(
        **texts,
        parameters=parameters if isinstance(parameters, dict) else {},
        errors=tuple(_problem(each) for each in errors if isinstance(each, dict) and "errors" not in each)
        if isinstance(errors, list)
        else (),
    )


def _kind(status: int, problem: _Problem | None) -> RefusalKind:
    names = {name for each in problem.all() for name in each.names()} if problem else set()
    for name in names & _NAMES.keys():
        return _NAMES[name]
    if status == 409:
        return RefusalKind.NO_RULES
    if status in (420, 429):
        return RefusalKind.CONNECTIONS if names & _CONNECTIONS else RefusalKind.RATE_LIMIT
    if status in _STATUSES:
        return _STATUSES[status] if problem is not None else RefusalKind.FOREIGN
    return RefusalKind.SERVER  # among them what no page of X mentions: it may pass


def _reset(kind: RefusalKind, headers: Mapping[str, str], problem: _Problem | None) -> datetime | None:
    if kind in MONEY:
        dates = [each.reset_date for each in problem.all() if each.reset_date] if problem else []
        return _date(dates[0]) if dates else None
    if headers.get("x-rate-limit-remaining", "0") != "0":
        return None
    return _time(headers.get("x-rate-limit-reset", ""))


def _date(text: str) -> datetime | None:
    try:
        return clock.parse(text)
    except ValueError:
        return None


def _time(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _parameters(problem: _Problem) -> dict[str, tuple[str, ...]]:
    """The values that X does not take, by their parameter: those that its message names, or else all that it lists."""
    found: dict[str, tuple[str, ...]] = {}
    for each in problem.all():
        for name, values in each.parameters.items():
            said = _REFUSED_VALUES.findall(each.message)
            listed = values if isinstance(values, list) else [values]
            texts = said or [value for value in listed if isinstance(value, str)]
            split = [value.strip() for text in texts for value in text.split(",")]
            found[name] = tuple(dict.fromkeys([*found.get(name, ()), *filter(None, split)]))
    return found


def seconds_until(reset: datetime | None) -> float:
    """Seconds until a limit ends; 0 where X did not say, or it has."""
    return max(0.0, (reset - clock.now()).total_seconds()) if reset else 0.0


def allowance(headers: Mapping[str, str]) -> tuple[int | None, datetime | None]:
    """How many more requests of a kind X grants before when; None for what it does not say."""
    remaining = headers.get("x-rate-limit-remaining", "")
    known = remaining.isascii() and remaining.isdigit() and len(remaining) < 10
    return (int(remaining) if known else None), _time(headers.get("x-rate-limit-reset", ""))
