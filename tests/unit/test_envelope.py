"""What a line of the stream is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.sources.x.envelope import Envelope, look

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def post(line: bytes) -> str:
    return look(line).data.id


def test_a_post_is_known_by_its_id() -> None:
    """In any order of keys, whatever else the line holds."""
    assert post(b'{"data":{"id":"17","text":"a"},"matching_rules":[{"id":"1","tag":"t"}]}') == "17"
    assert post(b'{"new":[{}],"matching_rules":[],"data":{"text":"a","new":1,"id":"17"}}') == "17"


def test_a_post_with_errors_beside_it_is_a_post() -> None:
    """X names so what it could not expand; that ends nothing."""
    found = look(b'{"data":{"id":"17"},"errors":[{"title":"Not Found Error","type":"https://x/resource-not-found"}]}')
    assert found.data.id == "17"
    assert found.disconnect is None


@pytest.mark.parametrize(
    "problem",
    [
        b'{"title":"operational-disconnect","disconnect_type":"UpstreamOperationalDisconnect","detail":"d"}',
        b'{"title":"x","disconnect_type":"OperationalDisconnect","detail":"d"}',
        b'{"title":"Operational-Disconnect","detail":"d"}',
        b'{"title":"x","type":"https://api.twitter.com/2/problems/operational-disconnect","detail":"d"}',
        b'{"title":null,"disconnect_type":"OperationalDisconnect","detail":"d","status":503}',
    ],
)
def test_an_announced_end_is_known_by_each_of_its_names(problem: bytes) -> None:
    """X's pages give two types and one title."""
    found = look(b'{"errors":[{"title":"other"},' + problem + b"]}")
    assert not found.data.id
    assert found.disconnect is not None
    assert found.disconnect.detail == "d"


def test_an_error_that_ends_nothing_is_no_announcement() -> None:
    """It is a message, and the connection goes on."""
    found = look(b'{"errors":[{"title":"Not Found Error"}]}')
    assert not found.data.id
    assert found.disconnect is None


@pytest.mark.parametrize(
    "line",
    [
        b'{"data":{"id":"17","text":"\xff\xfe"}}',
        b'{"data":{"id":"17","text":"half a pair: \\ud83d"}}',
        b'{"data":{"id":"17","text":"a\ttab"}}',
        b'{"data":{"id":"17"},"odd":NaN}',
        b'{"data":{"id":"17"},"odd":1e999}',
        b'{"data":{"id":17}}',
        b'\xef\xbb\xbf{"data":{"id":"17"}}',
        b'{"n":' + b"7" * 6000 + b',"data":{"id":"17"}}',
        b'{"x":' + b"[" * 2_000 + b"]" * 2_000 + b',"data":{"id":"17"}}',
        b'{"data":{"id":"17","x":' + b'{"id":' * 100_000 + b'"5"' + b"}" * 100_000 + b"}}",
        b'{"x":"]}\\"{","y":' + b"[ " * 2_000 + b" ]" * 2_000 + b',"data" : {"x":{"id":"3"}, "id" : 17 } } ',
        b'{"data":{"id":"17"},"errors":null}',
        b'{"data":{"id":"17"},"errors":[null,{"title":5},{"detail":null}]}',
    ],
    ids=[
        "no UTF-8",
        "half a surrogate pair",
        "control character",
        "NaN",
        "huge number",
        "number",
        "byte order mark",
        "number of 6,000 digits",
        "deep beside",
        "deep within",
        "deep and odd",
        "null",
        "odd errors",
    ],
)
def test_a_post_of_an_odd_shape_is_a_post_all_the_same(line: bytes) -> None:
    """Whatever X or a proxy did to the rest of it, it was paid for and goes to the file."""
    assert post(line) == "17"


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{}", b"[]", b"null", b"17", b'"data"', b"{", b'{"data":null}', b'{"data":[]}', b'{"data":{}}'),
        *(b'{"data":{"id":null}}', b'{"data":{"id":""}}', b'{"data":{"id":"17"}', b"\xff", b"[" * 100_000),
        b'{"data":{"id":"17"},"x":' + b"[" * 100_000 + b"]" * 99_999 + b"}",
        b'{"x":{"data":{"id":"17"}},"y":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        b'[{"data":{"id":"17"}},' + b"[" * 2_000 + b"]" * 2_000 + b"]",
        b'{"data":{"id":true},"x":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        b'{"data":{"id":"17"},"x":' + b"[" * 2_000 + b"]" * 2_000 + b"} more",
        b'{"data":{"id":"17"},"x":' + b"[" * 2_000 + b'"]' + b"]" * 2_000 + b"}",
    ],
)
def test_what_is_neither_post_nor_message_is_nothing(line: bytes) -> None:
    """It raises nothing: one odd line must not end a capture."""
    assert look(line) == Envelope()


@given(plain, st.integers(1001, 3000), st.sampled_from([(b"[", b"]"), (b'{"id":', b"}")]))
def test_the_id_is_found_however_deep_the_rest_is(more: object, depth: int, brackets: tuple[bytes, bytes]) -> None:
    """By a scanner that agrees with the readers."""
    deep = brackets[0] * depth + b"1" + brackets[1] * depth
    start = json.dumps({"more": more, "data": {"more": more, "id": "17", "x": 0}}).encode()
    assert post(start.replace(b'"x": 0', b'"x": ' + deep)) == "17"


@given(st.binary() | plain.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_can_be_looked_at(line: bytes) -> None:
    """No line that arrives, be it random bytes or random JSON, raises."""
    look(line)


@given(plain, plain, plain)
def test_the_id_is_found_whatever_the_rest_is(text: object, errors: object, more: object) -> None:
    """The rest of a post is X's matter; the id is ours."""
    line = json.dumps({"errors": errors, "more": more, "data": {"text": text, "id": "17"}}).encode()
    assert post(line) == "17"
