"""Answers to the request for a bearer token."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.settings.faults import Secret
from sfm_stream.sources.x import api
from sfm_stream.sources.x.client import Dropped, XRefused
from sfm_stream.sources.x.settings import XCredential
from tests.unit.rules_server import App, serving

PAIR = XCredential(consumer_key=Secret("key"), consumer_secret=Secret("secret"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["access_token", "token_type", "errors", "message", "title"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with serving(App()) as running:
        yield running


@given(
    status=st.sampled_from([200, 201, 302, 400, 401, 402, 403, 404, 429, 500, 503]),
    body=st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.text().map(lambda token: json.dumps({"access_token": token}).encode()),
)
def test_an_answer_is_a_token_that_can_be_sent_or_a_documented_error(app: App, status: int, body: bytes) -> None:
    """A token is printable ASCII; all else is `XRefused` or `Dropped`, in few words that do not repeat the secret."""
    app.answers = [(status, body)]
    token, error = "", None
    try:
        token = str.__str__(api.bearer_token(PAIR, app.url))
    except (XRefused, Dropped) as raised:
        error = raised
    if error is None:
        assert status in (200, 201)
        assert re.fullmatch(r"[!-~]+", token)
        assert json.loads(body)["access_token"] == token
    else:
        assert len(str(error)) < 400
