"""What is asked of X besides the stream: a bearer token, the app's rules, its connections, counts of posts."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import requests
import tweepy
from requests.auth import HTTPBasicAuth

from sfm_stream.errors import RulesRefusedError
from sfm_stream.settings.faults import Secret
from sfm_stream.sources.x.client import Client, Dropped, End, XRefused
from sfm_stream.sources.x.exchange import Exchange
from sfm_stream.sources.x.refusals import DETAIL, RefusalKind, allowance, refusal
from sfm_stream.sources.x.rules.compiler import XRule
from sfm_stream.sources.x.rules.reconcile import BATCH, Add, Delete, LiveRule
from sfm_stream.sources.x.settings import XCredential

RULES = "/2/tweets/search/stream/rules"
CONNECTIONS = "/2/connections"
COUNTS = "/2/tweets/counts/recent"
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


class Allowance(msgspec.Struct, frozen=True):
    """How many more changes of rules X grants before `reset`; None where it did not say."""

    remaining: int | None = None
    reset: datetime | None = None


class RuleCapError(RulesRefusedError):
    """X holds as many rules for the app as it may have."""

    granted = Allowance()


class _Meta(msgspec.Struct):
    next_token: str | None = None


class _Rule(msgspec.Struct):
    id: str
    value: str
    tag: str | None = None


class _Rules(msgspec.Struct):
    data: list[_Rule] | None = None
    meta: _Meta | None = None


class _Counted(msgspec.Struct):
    cap_per_client_app: str = ""


class _Counts(msgspec.Struct):
    data: _Counted = msgspec.field(default_factory=_Counted)


class _Day(msgspec.Struct):
    post_count: int = 0
    tweet_count: int = 0  # as X named it before


class _PostCounts(msgspec.Struct):
    data: list[_Day] = []


class _Connections(msgspec.Struct):
    data: list[LiveConnection] = []


def bearer_token(credential: XCredential, api_url: str) -> Secret:
    """The credential's bearer token, fetched with its consumer key and secret where it holds these.

    Raises:
        XRefused, Dropped: As for `Client.request`.
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
        wrong = msgspec.structs.replace(refused, kind=RefusalKind.CREDENTIAL)
        raise XRefused(wrong if refused.kind is RefusalKind.INVALID else refused)
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
        XRefused, Dropped: As for `Client.request`.
    """
    rules: list[LiveRule] = []
    token: str | None = None
    seen: set[str] = set()
    while True:
        parameters = {"max_results": _PAGE, **({"pagination_token": token} if token else {})}
        with _nothing_invalid():
            page = _decoded(client.request("GET", RULES, params=parameters, limit=_PAGE * _RULE_BYTES), _Rules)
        rules.extend(LiveRule(rule.id, rule.value, rule.tag or "") for rule in page.data or ())
        token = page.meta.next_token if page.meta else None
        if not token:
            return rules
        if token in seen or len(seen) == _PAGES:
            raise Dropped(End.UNUSABLE, f"the pages of rules have no end: {len(seen) + 1} were read")
        seen.add(token)


def change_rules(client: Client, step: Add | Delete) -> Allowance:
    """Carries out one step of a plan.

    Raises:
        RulesRefusedError: X takes a rule for invalid, or holds as many as it allows (`RuleCapError`).
        XRefused, Dropped: As for `Client.request`.
    """
    granted = Allowance()
    if isinstance(step, Delete):
        for part in _batches(step.rules):
            with _nothing_invalid():
                answer = client.delete_rules([rule.id for rule in part])
            granted = Allowance(*allowance(answer.headers))
    else:
        for wanted in _batches(step.rules):
            granted = _add(client, wanted)
    return granted


def try_rules(client: Client, rules: Iterable[XRule]) -> Allowance:
    """Has X judge rules without taking them.

    Raises:
        RulesRefusedError, XRefused, Dropped: As for `change_rules`; the first names every rule that X would refuse.
    """
    granted, refused = Allowance(), []
    for part in _batches(tuple(rules)):
        try:
            granted = _add(client, part, dry_run="true")
        except RuleCapError:
            raise
        except RulesRefusedError as error:
            refused.append(str(error))
    if refused:
        raise RulesRefusedError("\n".join(refused))
    return granted


def rule_cap(client: Client) -> int | None:
    """The most rules that the app may hold; None where X does not say.

    Raises:
        XRefused, Dropped: As for `Client.request`.
    """
    with _nothing_invalid():
        cap = _decoded(client.request("GET", f"{RULES}/counts"), _Counts).data.cap_per_client_app
    return int(cap) if cap.isascii() and cap.isdigit() and len(cap) < 10 else None


def recent_count(client: Client, query: str) -> int:
    """How many posts matched a query in the last seven days, as far as X still has them.

    Raises:
        XRefused: Also where X has something against the query.
        Dropped: As for `Client.request`.
    """
    parameters = {"query": query, "granularity": "day"}
    days = _decoded(client.request("GET", COUNTS, params=parameters), _PostCounts).data
    return sum(day.post_count or day.tweet_count for day in days)


def live_connections(client: Client, endpoint: str) -> list[LiveConnection]:
    """The connections that X holds open for the app at ``filtered_stream`` or ``sample_stream``.

    Raises:
        XRefused, Dropped: As for `Client.request`.
    """
    parameters = {"status": "active", "endpoints": endpoint, "max_results": 100}
    found = _decoded(client.request("GET", CONNECTIONS, params=parameters), _Connections).data
    return [each for each in found if each.endpoint_name in ("", endpoint)]


def end_connection(client: Client, connection: LiveConnection) -> None:
    """Ends one connection of the app, by its id.

    Raises:
        XRefused, Dropped: As for `Client.request`.
    """
    client.request("DELETE", CONNECTIONS, json={"uuids": [connection.id]})


def _add(client: Client, rules: tuple[XRule, ...], **parameters: str) -> Allowance:
    try:
        answer = client.add_rules([tweepy.StreamRule(rule.value, rule.tag) for rule in rules], **parameters)
    except XRefused as refused:
        if refused.refusal.kind is not RefusalKind.INVALID:
            raise
        _judge(_problems(refused.body, granted=False), Allowance(*allowance(refused.headers)))
        raise Dropped(End.UNUSABLE, f"{RULES}: {refused}") from refused
    granted = Allowance(*allowance(answer.headers))
    _judge(_problems(answer.content, granted=True), granted)
    return granted


def _judge(problems: list[dict[str, Any]], granted: Allowance) -> None:
    """Raises what X has against rules; that it holds one already is nothing against it."""
    problems = [each for each in problems if not _is_duplicate(each)]
    words = "\n".join(dict.fromkeys(map(_words, problems)))
    if any(map(_is_cap, problems)):
        error = RuleCapError(words)
        error.granted = granted
        raise error
    if problems:
        raise RulesRefusedError(words)


@contextlib.contextmanager
def _nothing_invalid() -> Iterator[None]:
    """For requests that hold nothing which X could find invalid: where it does all the same, that passes by itself."""
    try:
        yield
    except XRefused as refused:
        if refused.refusal.kind is RefusalKind.INVALID:
            raise Dropped(End.UNUSABLE, f"{RULES}: {refused}") from refused
        raise


def _batches(items: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _decoded(answer: requests.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except _NOT_JSON as error:
        raise Dropped(End.UNUSABLE, f"{answer.url.partition('?')[0]}: not X's answer: {error}") from error


def _problems(body: bytes, *, granted: bool) -> list[dict[str, Any]]:
    """What X has against a request: the entries of `errors`; where it did not grant it and has none, the body itself.

    Raises:
        Dropped: It is not X that speaks.
    """
    try:
        said = msgspec.json.decode(body)
    except _NOT_JSON as error:
        raise Dropped(End.UNUSABLE, f"{RULES}: not X's answer: {error}") from error
    if not isinstance(said, dict):
        raise Dropped(End.UNUSABLE, f"{RULES}: not X's answer: no object")
    errors = said.get("errors")
    if isinstance(errors, list) and errors:
        return [each if isinstance(each, dict) else {"detail": str(each)} for each in errors]
    return [said] if not granted and (_reasons(said) or isinstance(said.get("title"), str)) else []


def _is_duplicate(problem: dict[str, Any]) -> bool:
    return "duplicate" in f"{problem.get('title')} {problem.get('type')}".lower()


def _is_cap(problem: dict[str, Any]) -> bool:
    return re.search(r"rules? ?-?cap", f"{problem.get('title')} {problem.get('type')}", re.IGNORECASE) is not None


def _reasons(problem: dict[str, Any]) -> str:
    """X's own words, each once, the more exact ones first."""
    details = problem.get("details")
    said = [*(details if isinstance(details, list) else []), problem.get("detail"), problem.get("message")]
    words = (" ".join(each.split()) for each in said if isinstance(each, str))
    return "; ".join(dict.fromkeys(filter(None, words)))[:DETAIL]


def _words(problem: dict[str, Any]) -> str:
    value, title, reasons = problem.get("value"), problem.get("title"), _reasons(problem)
    if value and isinstance(value, str):
        return f"X refused the rule {value!r}: {reasons or title or 'no reason given'}"
    said = [title, reasons] if isinstance(title, str) else [reasons]
    return f"X refused the rules: {': '.join(filter(None, said)) or 'no reason given'}"
