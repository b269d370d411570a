"""X's answers besides the streams: rules, counts, connections, usage. Each takes an app and a request."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from sfm_stream.matching.expression import QueryError
from sfm_stream.sources.x.rules.match import compile_query
from sfm_stream.sources.x.rules.post_view import PostView
from sfm_stream.sources.x.rules.query import parse
from sfm_stream.sources.x.simulator.apps import App
from sfm_stream.sources.x.simulator.ids import stamp
from sfm_stream.sources.x.simulator.problems import PROBLEMS, TYPES, Json, invalid_request, unknown_user

_ENDED = "ended for the client"
_COUNTED_DAYS = 7

Answer = tuple[int, Json]
T = TypeVar("T")

ENDPOINTS = (
    *("filtered_stream", "sample_stream", "sample10_stream", "firehose_stream", "tweets_compliance_stream"),
    *("users_compliance_stream", "tweet_label_stream", "firehose_stream_lang_en", "firehose_stream_lang_ja"),
    *("firehose_stream_lang_ko", "firehose_stream_lang_pt", "likes_firehose_stream", "likes_sample10_stream"),
    "likes_compliance_stream",
)
"""What X calls its streams."""


class _Add(msgspec.Struct, forbid_unknown_fields=True):
    value: str
    tag: str = ""


class _Delete(msgspec.Struct, forbid_unknown_fields=True):
    ids: list[str] = []
    values: list[str] = []


class _Changes(msgspec.Struct, forbid_unknown_fields=True):
    add: list[_Add] | None = None
    delete: _Delete | None = None


class _Uuids(msgspec.Struct, forbid_unknown_fields=True):
    uuids: list[str]


class BadRequest(Exception):  # noqa: N818 - answered, not reported
    """The request's own fault; carries X's body."""

    def __init__(self, message: str, parameter: str, value: object) -> None:
        super().__init__(message)
        self.body = invalid_request([{"parameters": {parameter: [str(value)]}, "message": message}])


def list_rules(app: App, parameters: Mapping[str, str]) -> Answer:
    """GET rules: all, or those of some ids; in pages."""
    rules = list(app.rules.values())
    if parameters.get("ids"):
        ids = set(parameters["ids"].split(","))
        rules = [rule for rule in rules if rule.id in ids]
    page, meta = _page(rules, parameters, 1000, 1000)
    body: Json = {"data": [rule.shown() for rule in page]} if page else {}
    return 200, {**body, "meta": {"sent": stamp(time.time()), **meta}}


def change_rules(app: App, parameters: Mapping[str, str], text: bytes) -> tuple[int, Json, int, int]:
    """POST rules: add or delete, or only try to.

    Returns:
        Status, body, and how many rules were really added and deleted.
    """
    commit = not _flag(parameters, "dry_run")
    before = len(app.rules)
    if _flag(parameters, "delete_all"):
        return *_deleted(app, list(app.rules), 0, commit), 0, before - len(app.rules)
    changes = _decode(text, _Changes)
    if (changes.add is None) == (changes.delete is None):
        raise BadRequest("Exactly one of `add`, `delete` or `?delete_all=true` must be specified.", "body", "")
    if changes.delete is not None:
        values = {rule.value: rule.id for rule in app.rules.values()}
        named = (values.get(value, value) for value in changes.delete.values)
        asked = list(dict.fromkeys([*changes.delete.ids, *named]))
        if not asked:
            raise BadRequest("`ids` or `values` must not be empty.", "delete", "")
        known = [rule_id for rule_id in asked if rule_id in app.rules]
        status, body = _deleted(app, known, len(asked) - len(known), commit)
        body |= _unknown_ids([each for each in asked if each not in set(known)])
        return status, body, 0, before - len(app.rules)
    assert changes.add is not None  # noqa: S101 - one of the two is there
    if not changes.add:
        raise BadRequest("`add` must not be empty.", "add", "")
    outcome = app.add_rules([(rule.value, rule.tag) for rule in changes.add], commit=commit)
    if outcome is None:
        status, problem = PROBLEMS["rule-cap"]
        return status, problem, 0, 0
    return *_added(*outcome), len(app.rules) - before, 0


def _added(created: list[Any], errors: list[Json]) -> Answer:
    summary = {"created": len(created), "not_created": len(errors), "valid": len(created), "invalid": len(errors)}
    body: Json = {"meta": {"sent": stamp(time.time()), "summary": summary}}
    if created:
        body["data"] = [rule.shown() for rule in created]
    if errors:
        body["errors"] = errors
    if created:
        return 201, body
    duplicates = all(error["type"].endswith("duplicate-rules") for error in errors)
    return 200 if duplicates else 400, body


def _deleted(app: App, ids: list[str], missing: int, commit: bool) -> Answer:
    if commit:
        for rule_id in ids:
            app.rules.pop(rule_id, None)
    summary = {"deleted": len(ids), "not_deleted": missing}
    return 200, {"meta": {"sent": stamp(time.time()), "summary": summary}}


def _unknown_ids(ids: list[str]) -> Json:
    errors = [
        {"value": each, "title": "Invalid Request", "detail": f"Rule does not exist: {each}",
         "type": f"{TYPES}invalid-request", "parameter": "ids"}
        for each in ids
    ]  # fmt: skip
    return {"errors": errors} if errors else {}


def count_rules(app: App, project: list[App]) -> Answer:
    """GET rules/counts: caps and how many rules the app and the project hold."""
    own = {"client_app_id": app.id, "rule_count": len(app.rules)}
    data = {
        "cap_per_client_app": str(app.limits.rule_count),
        "cap_per_project": str(app.limits.rule_count),
        "client_app_rules_count": own,
        "project_rules_count": str(sum(len(each.rules) for each in project)),
        "all_project_client_apps": [{"client_app_id": each.id, "rule_count": len(each.rules)} for each in project],
    }
    return 200, {"data": data}


def find_users(users: Mapping[str, Json], parameters: Mapping[str, str]) -> Answer:
    """GET users/by: accounts by name; `users` are those that there are, by their names in lower case."""
    names = parameters.get("usernames", "").split(",")
    if len(names) > 100:
        raise BadRequest("`usernames` must hold 1 to 100 names.", "usernames", len(names))
    for name in names:
        if not re.fullmatch(r"\w{1,15}", name, re.ASCII):
            message = f"The `usernames` query parameter value [{name}] does not match ^[A-Za-z0-9_]{{1,15}}$"
            raise BadRequest(message, "usernames", name)
    found = [users[name.lower()] for name in dict.fromkeys(names) if name.lower() in users]
    body: Json = {"data": [{key: user[key] for key in ("id", "name", "username")} for user in found]} if found else {}
    if missing := [name for name in dict.fromkeys(names) if name.lower() not in users]:
        body["errors"] = [unknown_user(name) for name in missing]
    return 200, body


def list_connections(app: App, parameters: Mapping[str, str]) -> Answer:
    """GET connections: live ones, ended ones or both, the newest first."""
    status = parameters.get("status", "active")
    if status not in {"active", "inactive", "all"}:
        raise BadRequest(f"`status` [{status}] is not one of [active,inactive,all]", "status", status)
    links = [*app.links.values()] if status in {"active", "all"} else []
    links += [*app.history] if status in {"inactive", "all"} else []
    if parameters.get("endpoints"):
        endpoints = set(parameters["endpoints"].split(","))
        links = [link for link in links if link.endpoint in endpoints]
    links.sort(key=lambda link: link.connected_at, reverse=True)
    page, meta = _page(links, parameters, 10, 100)
    shown = [link.shown() for link in page]
    if fields := parameters.get("connection.fields"):
        shown = [{key: each[key] for key in ("id", *fields.split(",")) if key in each} for each in shown]
    return 200, {"data": shown, "meta": meta}


def end_connections(app: App, ids: list[str]) -> Answer:
    """Ends connections and tells of each."""
    results: list[Json] = []
    for each in ids:
        link = app.links.get(each)
        if link is not None and link.end is not None:
            link.end(_ENDED)
            # The slot is free at once; the connection's own end comes in its own time.
            app.disconnect(link, _ENDED)
            results.append({"uuid": each, "success": True})
        else:
            results.append({"uuid": each, "success": False, "error_message": "no live connection has this id"})
    killed = sum(result["success"] for result in results)
    return 200, {"data": {"successful_kills": killed, "failed_kills": len(ids) - killed, "results": results}}


def end_listed(app: App, text: bytes) -> Answer:
    """DELETE connections: those of the ids in the body."""
    uuids = _decode(text, _Uuids).uuids
    if not 1 <= len(uuids) <= 100:
        raise BadRequest("`uuids` must hold 1 to 100 ids.", "uuids", len(uuids))
    return end_connections(app, uuids)


def end_endpoint(app: App, endpoint: str) -> Answer:
    """DELETE connections/{endpoint_id} and connections/all."""
    if endpoint == "all":
        return end_connections(app, list(app.links))
    if endpoint not in ENDPOINTS:
        raise BadRequest(f"`endpoint_id` [{endpoint}] is not one of [{','.join(ENDPOINTS)}]", "endpoint_id", endpoint)
    return end_connections(app, [link.id for link in app.live(endpoint)])


def show_usage(app: App, parameters: Mapping[str, str]) -> Answer:
    """GET usage: posts consumed this month and on each of the last days."""
    days = _number(parameters, "days", 7, 90)
    today = datetime.now(UTC).date()
    dates = [(today - timedelta(days=back)).isoformat() for back in range(days)]
    daily = [{"date": f"{day}T00:00:00.000Z", "usage": str(app.usage[day])} for day in dates if app.usage[day]]
    facts: Json = {
        "cap_reset_day": 1,
        "project_cap": str(app.limits.month),
        "project_id": app.id,
        "project_usage": str(app.month_usage()),
        "daily_project_usage": {"project_id": app.id, "usage": daily},
        "daily_client_app_usage": [{"client_app_id": app.id, "usage": daily, "usage_result_count": len(daily)}],
    }
    asked = parameters.get("usage.fields", "cap_reset_day,project_cap,project_id,project_usage").split(",")
    return 200, {"data": {key: value for key, value in facts.items() if key in asked}}


def count_posts(posts: Sequence[PostView], rate: float, parameters: Mapping[str, str]) -> Answer:
    """GET counts: how many posts matched a query on each of the last days, if posts had come as these at this rate."""
    text = parameters.get("query", "")
    try:
        matches = compile_query(parse(text))
    except QueryError as error:
        raise BadRequest(f"There were errors processing your request: {error}", "query", text) from error
    share = sum(map(matches, posts)) / max(1, len(posts))
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    a_day = round(share * rate * timedelta(days=1).total_seconds())
    days = [end - timedelta(days=back) for back in range(_COUNTED_DAYS, 0, -1)]
    data = [
        {"start": stamp(day.timestamp()), "end": stamp((day + timedelta(days=1)).timestamp()), "post_count": a_day}
        for day in days
    ]
    return 200, {"data": data, "meta": {"total_post_count": a_day * _COUNTED_DAYS}}


def _decode(text: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not as it should be: {error}", "body", "") from error


def _flag(parameters: Mapping[str, str], name: str) -> bool:
    return parameters.get(name, "").lower() == "true"


def _number(parameters: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = parameters.get(name, str(usual))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise BadRequest(f"The `{name}` query parameter value [{text}] is not between 1 and {most}", name, text)
    return int(text)


def _page(items: list[T], parameters: Mapping[str, str], usual: int, most: int) -> tuple[list[T], Json]:
    """One page and its meta; a token is the offset of the next page, in X's 16 signs."""
    size = _number(parameters, "max_results", usual, most)
    token = parameters.get("pagination_token", "0" * 16)
    try:
        start = int(token, 16)
    except ValueError:
        start = -1
    if len(token) != 16 or not 0 <= start <= len(items):
        raise BadRequest(
            f"The `pagination_token` query parameter value [{token}] is not valid", "pagination_token", token
        )
    meta: Json = {"result_count": len(items[start : start + size])}
    if start + size < len(items):
        meta["next_token"] = f"{start + size:016x}"
    return items[start : start + size], meta
