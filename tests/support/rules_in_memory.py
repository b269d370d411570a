"""An X that holds rules in memory, behind the client that the program uses: quick enough for thousands of examples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import requests

from sfm_stream.settings.faults import Secret
from sfm_stream.sources.x.client import Client, Dropped, End, XRefused
from sfm_stream.sources.x.refusals import refusal
from sfm_stream.sources.x.rules.reconcile import LiveRule


class RulesInMemory(Client):
    """Answers for rules, in X's shapes.

    Args:
        live: What it holds.
        cap: The most that it takes.
        invalid: Values that it refuses once they are really added, though `dry_run` took them.
    """

    def __init__(self, live: list[LiveRule], cap: int, invalid: frozenset[str] = frozenset()) -> None:
        super().__init__(Secret("token"), "http://127.0.0.1:1")
        self.held = {rule.id: rule for rule in live}
        self.cap, self.invalid = cap, invalid
        self.look: Callable[[], None] = lambda: None
        self.asked = 0
        self.faults: dict[int, str] = {}
        self._next = 10**6

    def request(
        self,
        method: str,
        route: str,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        **_: Any,
    ) -> requests.Response:
        """What `Client.request` does, without a network; a fault of its number comes first, or after the change."""
        self.asked += 1
        fault = self.faults.get(self.asked)
        if fault in ("429", "503"):
            raise XRefused(refusal(int(fault), {}, b'{"title":"not now"}') or _none())
        if fault == "unheard":
            raise Dropped(End.NETWORK, "reset before the request was read")
        status, body = self._answer(method, route, params or {}, json)
        self.look()
        if fault == "unanswered":
            raise Dropped(End.NETWORK, "reset before the answer was read")
        return granted(status, body)

    def _answer(self, method: str, route: str, params: Mapping[str, Any], body: Any) -> tuple[int, Any]:
        if route.endswith("/counts"):
            return 200, {"data": {"cap_per_client_app": str(self.cap)}}
        if method == "GET":
            return 200, {"data": [{"id": r.id, "value": r.value, "tag": r.tag} for r in self.held.values()]}
        if "delete" in body:
            for identity in body["delete"]["ids"]:
                self.held.pop(identity, None)
            return 200, {"meta": {}}
        return self._add(body["add"], dry=params.get("dry_run") == "true")

    def _add(self, rules: list[dict[str, str]], *, dry: bool) -> tuple[int, Any]:
        values = {rule.value for rule in self.held.values()}
        problems = [{"title": "DuplicateRule", "value": r["value"], "id": "1"} for r in rules if r["value"] in values]
        fresh = [rule for rule in rules if rule["value"] not in values]
        if len(self.held) + len(fresh) > self.cap:
            return 422, {"title": "RulesCapExceeded", "detail": "too many"}
        bad = [rule for rule in fresh if not dry and rule["value"] in self.invalid]
        problems += [{"title": "Invalid", "value": rule["value"], "details": ["no such operator"]} for rule in bad]
        for rule in () if dry else fresh:
            if rule not in bad:
                self._next += 1
                self.held[str(self._next)] = LiveRule(str(self._next), rule["value"], rule.get("tag", ""))
        return 201, {"errors": problems} if problems else {"meta": {}}


def granted(status: int, body: object, headers: Mapping[str, str] | None = None) -> requests.Response:
    """An answer as requests gives it.

    Raises:
        XRefused: It is one that does not grant the request.
    """
    answer = requests.Response()
    answer.status_code, answer.url = status, "http://127.0.0.1:1/rules"
    answer.headers.update(headers or {})
    answer._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    if refused := refusal(status, answer.headers, answer.content):
        raise XRefused(refused, answer.headers, answer.content)
    return answer


def _none() -> Any:
    raise AssertionError("a refusal was meant")


class Entries:
    """A journal in memory."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def write(self, event: str, /, **fields: Any) -> None:
        """Keeps one entry."""
        self.entries.append({"event": event, **fields})

    def events(self, event: str) -> list[dict[str, Any]]:
        """Those of one kind."""
        return [entry for entry in self.entries if entry["event"] == event]
