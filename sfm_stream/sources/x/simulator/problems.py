"""How X says no: problem bodies in its shapes, and the HTTP status of each."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

TYPES = "https://api.x.com/2/problems/"

PROBLEMS: dict[str, tuple[int, Json]] = {
    "unauthorized": (
        401,
        {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"},
    ),
    "client-forbidden": (
        403,
        {
            "title": "Client Forbidden",
            "type": f"{TYPES}client-forbidden",
            "status": 403,
            "detail": "When authenticating requests to the X API v2 endpoints, you must use keys and tokens from an "
            "app that is attached to a Project.",
            "reason": "client-not-enrolled",
            "required_enrollment": "Appropriate Level of API Access",
        },
    ),
    "not-found": (
        404,
        {"title": "Not Found", "type": "about:blank", "status": 404, "detail": "Not Found"},
    ),
    "no-rules": (
        409,
        {
            "title": "ConnectionException",
            "type": f"{TYPES}streaming-connection",
            "detail": "Rules must be configured before connecting.",
            "connection_issue": "RuleConfigurationIssue",
        },
    ),
    "too-many-connections": (
        429,
        {
            "title": "ConnectionException",
            "type": f"{TYPES}streaming-connection",
            "detail": "This stream is currently at the maximum allowed connection limit.",
            "connection_issue": "TooManyConnections",
        },
    ),
    "rate-limit": (
        429,
        {"title": "Too Many Requests", "type": "about:blank", "status": 429, "detail": "Too Many Requests"},
    ),
    "usage-capped": (
        429,
        {
            "title": "UsageCapExceeded",
            "type": f"{TYPES}usage-capped",
            "detail": "Usage cap exceeded: Monthly product cap",
            "period": "Monthly",
            "scope": "Product",
        },
    ),
    "credits": (
        402,
        {
            "title": "CreditsDepleted",
            "type": "https://api.twitter.com/2/problems/credits",
            "detail": "Your enrolled account [1234567890] does not have any credits to fulfill this request.",
            "account_id": 1234567890,
        },
    ),
    "spend-cap": (
        403,
        {
            "title": "SpendCapReached",
            "type": "https://api.twitter.com/2/problems/spend-cap-reached",
            "detail": "Your enrolled account [1234567890] has reached its billing cycle spend cap. API requests will "
            "be blocked until the next cycle begins on 2099-01-01.",
            "account_id": 1234567890,
            "reset_date": "2099-01-01",
        },
    ),
    "enhance-your-calm": (
        420,
        {"title": "Enhance Your Calm", "type": "about:blank", "status": 420, "detail": "Too many login attempts"},
    ),
    "rule-cap": (
        422,
        {
            "title": "RulesCapExceeded",
            "type": f"{TYPES}rule-cap",
            "status": 422,
            "detail": "The rules would exceed the number that the app may hold.",
        },
    ),
    "internal-error": (
        500,
        {"title": "Internal Error", "type": f"{TYPES}internal-error", "status": 500, "detail": "Something is broken."},
    ),
    "unavailable": (
        503,
        {"title": "Service Unavailable", "type": "about:blank", "status": 503, "detail": "Service Unavailable"},
    ),
}
"""Every refusal by the name that a plan uses: its status and its body."""

USUAL = {401: "unauthorized", 403: "client-forbidden", 404: "not-found", 409: "no-rules", 420: "enhance-your-calm",
         422: "rule-cap", 429: "rate-limit", 500: "internal-error", 503: "unavailable"}  # fmt: skip
"""The refusal meant by a status alone."""

DISCONNECTS = {
    "OperationalDisconnect": "This stream has been disconnected for operational reasons.",
    "UpstreamOperationalDisconnect": "This stream has been disconnected upstream for operational reasons.",
}
"""The two names X gives to a disconnect that it announces."""


def refusal(name: str | None, status: int | None) -> tuple[int, Json]:
    """The status and body of a refusal, by its name, by its status, or both."""
    if name is None:
        name = USUAL.get(status or 503)
    if name is None:
        body = {"title": "Error", "type": "about:blank", "status": status, "detail": "Error"}
        return status or 503, body
    usual, body = PROBLEMS[name]
    return status or usual, body


def invalid_request(errors: list[Json]) -> Json:
    """X's complaint about parameters."""
    return {
        "errors": errors,
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{TYPES}invalid-request",
    }


def disconnect_message(kind: str) -> Json:
    """What X sends on the stream before it ends it."""
    problem = {
        "title": "operational-disconnect",
        "disconnect_type": kind,
        "detail": DISCONNECTS.get(kind, DISCONNECTS["OperationalDisconnect"]),
        "type": f"{TYPES}operational-disconnect",
    }
    return {"errors": [problem]}


def invalid_rule(value: str, details: str) -> Json:
    """X's complaint about one rule."""
    problem = {"title": "UnprocessableEntity", "type": f"{TYPES}invalid-rules", "detail": details}
    return {"value": value, "details": [details], **problem}


def unknown_user(name: str) -> Json:
    """X's complaint about the name of nobody."""
    return {
        "value": name,
        "detail": f"Could not find user with usernames: [{name}].",
        "title": "Not Found Error",
        "resource_type": "user",
        "parameter": "usernames",
        "resource_id": name,
        "type": f"{TYPES}resource-not-found",
    }


def duplicate_rule(value: str, rule_id: str) -> Json:
    """X's complaint about a rule that it holds already."""
    problem = {"title": "DuplicateRule", "type": f"{TYPES}duplicate-rules", "detail": "The rule exists already."}
    return {"value": value, "id": rule_id, **problem}
