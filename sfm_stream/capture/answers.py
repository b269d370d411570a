"""What X means when it refuses a request: told from status, headers and body, since 429 alone has three meanings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from sfm_stream import clock

DETAIL = 300
"""X's own words are kept up to this many characters."""


class Kind(StrEnum):
    """Kinds of refusal, by what can be done about them."""

    CREDENTIAL = "credential refused"
    NO_RULES = "no rules"
    RATE_LIMIT = "rate limit"
    CONNECTIONS = "too many connections"
    USAGE_CAP = "usage cap"
    INVALID = "invalid request"
    SERVER = "server error"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A request that X did not grant.

    Attributes:
        kind: What can be done about it.
        status: The HTTP status.
        detail: X's own words.
        reset: When the rate limit ends, where X says so. X tells of its limits in every answer; only one that is
            used up has an end worth waiting for.
    """

    kind: Kind
    status: int
    detail: str
    reset: datetime | None = None

    def __str__(self) -> str:
        return f"HTTP {self.status}, {self.kind}: {self.detail}"


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    type: str = ""
    message: str = ""
    connection_issue: str = ""
    errors: list[_Problem] = []

    def words(self) -> str:
        parts = dict.fromkeys(filter(None, (self.title, self.detail, self.message, self.connection_issue)))
        return ": ".join(parts) or "; ".join(filter(None, (each.words() for each in self.errors)))


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
    """What an answer refuses; None for one that grants (2xx)."""
    if 200 <= status < 300:
        return None
    try:
        words = msgspec.json.decode(body, type=_Problem).words()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        words = " ".join(body.decode("utf-8", "replace").split())
    if 300 <= status < 400:
        words = (
            f"redirected to {headers.get('location', 'nowhere')}, which is not followed: the secret stays with api_url"
        )
    used_up = headers.get("x-rate-limit-remaining", "0") == "0"
    return Refusal(
        kind=_kind(status, body),
        status=status,
        detail=words[:DETAIL] or "no reason given",
        reset=_time(headers.get("x-rate-limit-reset", "")) if used_up else None,
    )


def _time(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _kind(status: int, body: bytes) -> Kind:
    if status in (401, 403):
        # A 403 for a spent cap is no matter of the credential, and ends by itself.
        return Kind.USAGE_CAP if _caps(body) else Kind.CREDENTIAL
    if status == 409:
        return Kind.NO_RULES
    if status in (420, 429):
        if _caps(body):
            return Kind.USAGE_CAP
        if b"TooManyConnections" in body or b"ConnectionException" in body or b"streaming-connection" in body:
            return Kind.CONNECTIONS
        return Kind.RATE_LIMIT
    if status in (400, 422) and body.lstrip().startswith(b"{"):
        return Kind.INVALID
    return Kind.SERVER  # among them what no page of X mentions: it may pass


def _caps(body: bytes) -> bool:
    return b"UsageCapExceeded" in body or b"usage-capped" in body


def seconds_until(reset: datetime | None) -> float:
    """Seconds until a rate limit ends; 0 where X did not say, or it has."""
    return max(0.0, (reset - clock.now()).total_seconds()) if reset else 0.0


def allowance(headers: Mapping[str, str]) -> tuple[int | None, datetime | None]:
    """How many more requests of a kind X grants before when; None for what it does not say."""
    remaining = headers.get("x-rate-limit-remaining", "")
    known = remaining.isascii() and remaining.isdigit() and len(remaining) < 10
    return (int(remaining) if known else None), _time(headers.get("x-rate-limit-reset", ""))
