"""What X means when it refuses a request."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream import clock
from sfm_stream.sources.x.refusals import DETAIL, RefusalKind, refusal, seconds_until

PROBLEMS = "https://api.twitter.com/2/problems/"
CAPPED = json.dumps({"title": "UsageCapExceeded", "detail": "Usage cap exceeded: Monthly product cap"}).encode()
CREDITS = json.dumps(
    {
        "account_id": 17,
        "title": "CreditsDepleted",
        "detail": "Your enrolled account [17] does not have any credits to fulfill this request.",
        "type": PROBLEMS + "credits",
    }
).encode()
SPENT = json.dumps(
    {
        "title": "SpendCapReached",
        "detail": "Your account has reached its billing cycle spend cap.",
        "reset_date": "2026-12-14",
    }
).encode()
CONNECTED = json.dumps(
    {
        "title": "ConnectionException",
        "detail": "This stream is currently at the maximum allowed connection limit.",
        "connection_issue": "TooManyConnections",
        "type": PROBLEMS + "streaming-connection",
    }
).encode()


@pytest.mark.parametrize("status", [200, 201, 204])
def test_what_is_granted_is_no_refusal(status: int) -> None:
    """Every answer of 2xx grants the request."""
    assert refusal(status, {}, b"") is None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"title":"Unauthorized","type":"about:blank","status":401}', RefusalKind.CREDENTIAL),
        (401, b'{"errors":[{"code":89,"message":"Invalid or expired token."}]}', RefusalKind.CREDENTIAL),
        (403, b'{"title":"Client Forbidden"}', RefusalKind.CREDENTIAL),
        (401, b"", RefusalKind.FOREIGN),
        (401, b"{}", RefusalKind.FOREIGN),
        (403, b"<html>Blocked by your administrator</html>", RefusalKind.FOREIGN),
        (403, b'{"error":"blocked","policy":7}', RefusalKind.FOREIGN),
        (403, b"[" * 100_000, RefusalKind.FOREIGN),
        (402, CREDITS, RefusalKind.CREDITS),
        (403, CREDITS, RefusalKind.CREDITS),
        (402, b'{"title":"Payment Required"}', RefusalKind.CREDITS),
        (402, b"<html>Pay for this network</html>", RefusalKind.FOREIGN),
        (403, SPENT, RefusalKind.SPEND_CAP),
        (429, SPENT, RefusalKind.SPEND_CAP),
        (400, b'{"errors":[{"title":"CreditsDepleted"}]}', RefusalKind.CREDITS),
        (403, CAPPED, RefusalKind.USAGE_CAP),
        (409, b"{}", RefusalKind.NO_RULES),
        (420, b"", RefusalKind.RATE_LIMIT),
        (429, b'{"title":"Too Many Requests"}', RefusalKind.RATE_LIMIT),
        (429, CONNECTED, RefusalKind.CONNECTIONS),
        (429, CAPPED, RefusalKind.USAGE_CAP),
        (429, b'{"type":"' + PROBLEMS.encode() + b'usage-capped"}', RefusalKind.USAGE_CAP),
        (400, b' {"title":"Invalid Request"}', RefusalKind.INVALID),
        (422, b'{"errors":[{"message":"no"}]}', RefusalKind.INVALID),
        (400, b"<html>a proxy's page</html>", RefusalKind.FOREIGN),
        (404, b"", RefusalKind.SERVER),
        (500, b"", RefusalKind.SERVER),
        (503, CONNECTED, RefusalKind.SERVER),
        (302, b"", RefusalKind.SERVER),
    ],
)
def test_the_kind_is_told_from_status_and_body(status: int, body: bytes, kind: RefusalKind) -> None:
    """429 alone has three meanings, and a proxy's 400 is not X's."""
    refused = refusal(status, {}, body)
    assert refused is not None
    assert refused.kind is kind


def test_xs_own_words_are_kept() -> None:
    """Title, detail and issue stand in the message, each once."""
    assert str(refusal(429, {}, CONNECTED)) == (
        "HTTP 429, too many connections: ConnectionException: This stream is currently at the maximum allowed "
        "connection limit.: TooManyConnections"
    )


def test_words_within_a_list_of_errors_are_found() -> None:
    """X puts the reasons of a 400 into a list."""
    refused = refusal(400, {}, b'{"errors":[{"message":"one"},{"detail":"two","title":"Bad"}]}')
    assert refused is not None
    assert refused.detail == "one; Bad: two"


def test_the_words_of_a_problem_and_of_its_errors_are_all_shown() -> None:
    """The title of a 400 says nothing; the message of its error says which field."""
    message = "The `tweet.fields` query parameter value [article] is not one of [id,text]"
    body = {
        "errors": [{"parameters": {"tweet.fields": ["id,article"]}, "message": message}],
        "title": "Invalid Request",
    }
    refused = refusal(400, {}, json.dumps(body).encode())
    assert refused is not None
    assert refused.detail == f"Invalid Request; {message}"
    assert refused.parameters == {"tweet.fields": ("article",)}


def test_the_start_of_the_next_billing_cycle_is_read() -> None:
    """A spend cap ends on a date; an odd one is none."""
    refused = refusal(403, {"x-rate-limit-reset": "1795550400"}, SPENT)
    assert refused is not None
    assert refused.reset == datetime(2026, 12, 14, tzinfo=UTC)
    odd = refusal(403, {}, SPENT.replace(b"2026-12-14", b"soon"))
    assert odd is not None
    assert odd.reset is None


def test_a_redirect_says_where_it_would_have_led() -> None:
    """The secret is not carried elsewhere; the message says why."""
    refused = refusal(301, {"location": "https://elsewhere.example/"}, b"")
    assert refused is not None
    assert "redirected to https://elsewhere.example/, which is not followed" in refused.detail


def test_the_end_of_a_limit_is_read_from_its_header() -> None:
    """X gives it in seconds since 1970."""
    refused = refusal(429, {"x-rate-limit-reset": "1795550400"}, b"")
    assert refused is not None
    assert refused.reset == datetime(2026, 11, 24, 20, 0, tzinfo=UTC)


@given(
    st.integers(300, 599),
    st.dictionaries(st.sampled_from(["x-rate-limit-reset", "location"]), st.text() | st.integers().map(str)),
    st.binary()
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["title", "detail", "errors", "message"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_no_answer_is_too_odd_to_be_a_refusal(status: int, headers: dict[str, str], body: bytes) -> None:
    """Whatever a server or a proxy sends, it is told in words of a bounded length."""
    refused = refusal(status, headers, body)
    assert refused is not None
    assert 0 < len(refused.detail) <= DETAIL


@pytest.mark.parametrize("reset", ["99999999999999", "9" * 30, "-" + "9" * 30, "\N{SUPERSCRIPT TWO}", "1.5", ""])
def test_a_senseless_end_of_a_limit_is_none(reset: str) -> None:
    """A header that is no time, or none that a clock can show, is as if it were missing."""
    refused = refusal(429, {"x-rate-limit-reset": reset}, b"")
    assert refused is not None
    assert refused.reset is None


def test_deeply_nested_nonsense_is_a_refusal_too() -> None:
    """A body that no parser can follow is shown as text."""
    refused = refusal(500, {}, b'{"errors":[' * 100_000)
    assert refused is not None
    assert refused.detail.startswith('{"errors":[')


def test_seconds_until_a_time_that_has_passed_are_none() -> None:
    """A limit that has ended, or of which X says nothing, is no reason to wait."""
    assert seconds_until(None) == 0.0
    assert seconds_until(clock.now() - timedelta(hours=1)) == 0.0
    assert 3590 < seconds_until(clock.now() + timedelta(hours=1)) <= 3600
