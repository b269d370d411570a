"""What is asked of X besides the stream: a bearer token, the app's rules, its connections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import msgspec
import requests
import tweepy
from requests.auth import HTTPBasicAuth

from sfm_stream.capture.answers import Kind, refusal
from sfm_stream.capture.client import Client, Dropped, End, Refused
from sfm_stream.capture.exchange import Exchange
from sfm_stream.errors import RulesRefusedError
from sfm_stream.rules.reconcile import Add, Delete, LiveRule
from sfm_stream.settings.faults import Secret
from sfm_stream.settings.model import Credential

RULES = "/2/tweets/search/stream/rules"
CONNECTIONS = "/2/connections"
_BATCH = 100
"""Rules in one request; X names no limit, and refuses bodies that are too large."""
_PAGE = 1000
_PAGES = 100
"""Many more than the 25,000 rules of the largest contracts fill."""
_RULE_BYTES = 16 << 10
"""A rule of 2,048 characters, each written as an escape, and its tag."""
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
"""What can stand in a header, and in no other line of it."""
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

T = TypeVar("T")


class LiveConnection(msgspec.Struct, frozen=True):
    """A connection that X holds open for the app."""

    id: str = ""
    endpoint_name: str = ""
    connected_at: datetime | None = None
    client_ip: str = ""


class _Token(msgspec.Struct):
    access_token: str


class _Meta(msgspec.Struct):
    next_token: str | None = None


class _Rules(msgspec.Struct):
    data: list[LiveRule] = []
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _RuleProblem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    value: str = ""
    details: list[str] = []


class _RuleAnswer(msgspec.Struct):
    errors: list[_RuleProblem] = []


class _Connections(msgspec.Struct):
    data: list[LiveConnection] = []


def bearer_token(credential: Credential, api_url: str) -> Secret:
    """The credential's bearer token, fetched with its consumer key and secret where it holds these.

    Raises:
        Refused, Dropped: As for `Client.request`.
    """
    if credential.bearer_token is not None:
        return credential.bearer_token
    key, secret = (
        quote(str.__str__(part or ""), safe="") for part in (credential.consumer_key, credential.consumer_secret)
    )
    answer = Exchange(requests.Session()).ask(
        "POST",
        api_url.rstrip("/") + "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=HTTPBasicAuth(key, secret),
    )
    if refused := refusal(answer.status_code, answer.headers, answer.content):
        # X answers a wrong key with 403, and a malformed one with 400.
        wrong = msgspec.structs.replace(refused, kind=Kind.CREDENTIAL)
        raise Refused(wrong if refused.kind is Kind.INVALID else refused)
    try:
        token = msgspec.json.decode(answer.content, type=_Token).access_token
    except _NOT_JSON:
        raise Dropped(End.UNUSABLE, "no access_token in the answer to oauth2/token") from None
    if not _TOKEN.fullmatch(token):
        raise Dropped(End.UNUSABLE, "the access_token in the answer to oauth2/token has signs that no token has")
    return Secret(token)


def live_rules(client: Client) -> list[LiveRule]:
    """All rules that X holds for the app.

    Raises:
        Refused, Dropped: As for `Client.request`.
    """
    rules: list[LiveRule] = []
    token: str | None = None
    seen: set[str] = set()
    while True:
        parameters = {"max_results": _PAGE, **({"pagination_token": token} if token else {})}
        page = _decoded(client.request("GET", RULES, params=parameters, limit=_PAGE * _RULE_BYTES), _Rules)
        rules.extend(page.data)
        token = page.meta.next_token
        if not token:
            return rules
        if token in seen or len(seen) == _PAGES:
            raise Dropped(End.UNUSABLE, f"the pages of rules have no end: {len(seen) + 1} were read")
        seen.add(token)


def change_rules(client: Client, step: Add | Delete) -> None:
    """Carries out one step of a plan.

    Raises:
        RulesRefusedError: X takes a rule for invalid, or holds as many as it allows.
        Refused, Dropped: As for `Client.request`.
    """
    if isinstance(step, Delete):
        for part in _batches(step.rules):
            client.delete_rules([rule.id for rule in part])
        return
    for wanted in _batches(step.rules):
        try:
            answer = client.add_rules([tweepy.StreamRule(rule.value, rule.tag) for rule in wanted])
        except Refused as refused:
            if refused.refusal.kind is not Kind.INVALID:
                raise
            raise RulesRefusedError(f"X refused {len(wanted)} rules: {refused.refusal.detail}") from refused
        problems = [each for each in _decoded(answer, _RuleAnswer).errors if not _is_duplicate(each)]
        if problems:
            raise RulesRefusedError("\n".join(map(_words, problems)))


def live_connections(client: Client, endpoint: str) -> list[LiveConnection]:
    """The connections that X holds open for the app at ``filtered_stream`` or ``sample_stream``.

    Raises:
        Refused, Dropped: As for `Client.request`.
    """
    parameters = {"status": "active", "endpoints": endpoint, "max_results": 100}
    found = _decoded(client.request("GET", CONNECTIONS, params=parameters), _Connections).data
    return [each for each in found if each.endpoint_name in ("", endpoint)]


def end_connection(client: Client, connection: LiveConnection) -> None:
    """Ends one connection of the app, by its id.

    Raises:
        Refused, Dropped: As for `Client.request`.
    """
    client.request("DELETE", CONNECTIONS, json={"uuids": [connection.id]})


def _batches(items: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _decoded(answer: requests.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except _NOT_JSON as error:
        raise Dropped(End.UNUSABLE, f"{answer.url.partition('?')[0]}: not X's answer: {error}") from error


def _is_duplicate(problem: _RuleProblem) -> bool:
    return "duplicate" in problem.title.lower()


def _words(problem: _RuleProblem) -> str:
    reasons = "; ".join(problem.details) or problem.detail or problem.title
    return f"X refused the rule {problem.value!r}: {reasons}" if problem.value else f"X refused the rules: {reasons}"
