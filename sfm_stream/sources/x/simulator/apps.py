"""An app of X, as the simulator keeps it: rules, rate limits, connections, usage."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

import msgspec

from sfm_stream.matching.expression import QueryError
from sfm_stream.sources.x.rules.match import PostPredicate, compile_query
from sfm_stream.sources.x.rules.query import parse
from sfm_stream.sources.x.simulator.generator import Draft
from sfm_stream.sources.x.simulator.ids import Ids, stamp
from sfm_stream.sources.x.simulator.problems import Json, duplicate_rule, invalid_rule
from sfm_stream.sources.x.simulator.wire import encode_rules

HISTORY = 500
"""Ended connections that an app remembers."""


class AppLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What X allows an app; the defaults are those of a self-serve one.

    Attributes:
        rule_count: Rules at a time.
        rule_length: Characters in a rule.
        connections: Connections at a time to one endpoint.
        connects: Connects to one endpoint in a `window`.
        window: Seconds that all rate limits are counted over.
        month: Posts in a calendar month (UTC).
        backfill: Whether ``backfill_minutes`` may be asked for.
        replace: Whether a connection too many ends the oldest one, as one page of X says, in place of being refused.
    """

    rule_count: int = 1000
    rule_length: int = 1024
    connections: int = 1
    connects: int = 50
    window: float = 900.0
    month: int = 3_000_000
    backfill: bool = False
    replace: bool = False


class StoredRule(msgspec.Struct, frozen=True):
    """A rule that an app holds."""

    id: str
    value: str
    tag: str

    def shown(self) -> Json:
        """As X answers it."""
        return {"id": self.id, "value": self.value, **({"tag": self.tag} if self.tag else {})}


class Link(msgspec.Struct):
    """A connection as ``/2/connections`` lists it. `end` ends it, giving the reason; None once it has ended."""

    id: str
    endpoint: str
    connected_at: str
    client_ip: str
    end: Callable[[str], None] | None = None
    disconnected_at: str | None = None
    disconnect_reason: str | None = None

    def shown(self) -> Json:
        """As X answers it."""
        facts = {
            "id": self.id,
            "endpoint_name": self.endpoint,
            "connected_at": self.connected_at,
            "client_ip": self.client_ip,
            "disconnected_at": self.disconnected_at,
            "disconnect_reason": self.disconnect_reason,
        }
        return {key: value for key, value in facts.items() if value is not None}


class App:
    """One app, known by its token.

    Args:
        name: What the ledger calls it.
        limits: What it may do.
    """

    def __init__(self, name: str, limits: AppLimits) -> None:
        self.name = name
        self.id = str(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16))
        self.limits = limits
        self.rules: dict[str, StoredRule] = {}
        self.links: dict[str, Link] = {}
        self.history: deque[Link] = deque(maxlen=HISTORY)
        self.usage: Counter[str] = Counter()
        self._effective: list[tuple[str, str, PostPredicate]] = []
        self._matched: WeakKeyDictionary[Draft, bytes | None] = WeakKeyDictionary()  # a draft is a dozen kilobytes
        self._windows: dict[str, tuple[float, int]] = {}
        self._ids = Ids()

    # --- Rules ---------------------------------------------------------------------------------------------------

    def add_rules(
        self, wanted: Iterable[tuple[str, str]], *, commit: bool
    ) -> tuple[list[StoredRule], list[Json]] | None:
        """Adds rules (value, tag), or with `commit` false only judges them.

        Returns:
            The rules created and X's complaints about the others; None where the app would hold too many.
        """
        held = {rule.value: rule.id for rule in self.rules.values()}
        created: list[StoredRule] = []
        errors: list[Json] = []
        for value, tag in wanted:
            if value in held:
                errors.append(duplicate_rule(value, held[value]))
            elif complaint := self._complaint(value):
                errors.append(invalid_rule(value, complaint))
            else:
                created.append(StoredRule(str(self._ids.next(time.time())), value, tag))
                held[value] = created[-1].id
        if len(self.rules) + len(created) > self.limits.rule_count:
            return None
        if commit:
            self.rules.update({rule.id: rule for rule in created})
        return created, errors

    def _complaint(self, value: str) -> str | None:
        if len(value) > self.limits.rule_length:
            return f"Rule length: {len(value)}. Rules must be no longer than {self.limits.rule_length} characters."
        try:
            parse(value)
        except QueryError as error:
            return str(error)
        return None

    def apply_rules(self) -> None:
        """Lets the rules take effect on the posts to come."""
        self._effective = [(rule.id, rule.tag, compile_query(parse(rule.value))) for rule in self.rules.values()]
        self._matched.clear()

    def matching(self, draft: Draft) -> bytes | None:
        """The rules that a post matches, as the envelope has them; None if it matches none."""
        try:
            return self._matched[draft]
        except KeyError:
            pass
        found = [(rule_id, tag) for rule_id, tag, test in self._effective if test(draft.post)]
        matched = self._matched[draft] = encode_rules(found) if found else None
        return matched

    # --- Rate limits and usage -----------------------------------------------------------------------------------

    def count(self, bucket: str, limit: int) -> tuple[bool, dict[str, str]]:
        """Counts a request; whether it is within the limit, and the headers that say so."""
        now = time.time()
        reset, used = self._windows.get(bucket, (0.0, 0))
        if now >= reset:
            reset, used = now + self.limits.window, 0
        allowed = used < limit
        self._windows[bucket] = (reset, used + allowed)
        remaining = str(max(limit - used - allowed, 0))
        names = ("limit", "remaining", "reset")
        values = (str(limit), remaining, str(int(reset) + 1))
        return allowed, {f"x-rate-limit-{name}": value for name, value in zip(names, values, strict=True)}

    def consume(self, posts: int) -> None:
        """Counts posts delivered today (UTC)."""
        self.usage[datetime.now(UTC).date().isoformat()] += posts

    def month_usage(self) -> int:
        """Posts delivered this month (UTC)."""
        month = datetime.now(UTC).date().isoformat()[:7]
        return sum(count for day, count in self.usage.items() if day.startswith(month))

    # --- Connections ---------------------------------------------------------------------------------------------

    def live(self, endpoint: str) -> list[Link]:
        """The connections that count against the limit of an endpoint."""
        return [link for link in self.links.values() if link.endpoint == endpoint]

    def connect(self, endpoint: str, client_ip: str, end: Callable[[str], None]) -> Link:
        """Notes a new connection."""
        link = Link(str(uuid.uuid4()), endpoint, stamp(time.time()), client_ip, end)
        self.links[link.id] = link
        return link

    def disconnect(self, link: Link, reason: str) -> None:
        """Notes the end of a connection."""
        if self.links.pop(link.id, None) is not None:
            link.end = None
            link.disconnected_at, link.disconnect_reason = stamp(time.time()), reason
            self.history.append(link)
