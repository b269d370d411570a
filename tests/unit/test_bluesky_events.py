"""What a line of Jetstream is, on either wire, and whatever somebody else's server put into it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.sources.bluesky.events import Event, classify, microseconds, read
from sfm_stream.sources.bluesky.posts import view
from sfm_stream.sources.lines import LineKind
from tests.support.bluesky_events import DID, NAMESPACE, POSTS, TIME, TIME_US, commit, line, post

WIRES = pytest.mark.parametrize("wire", [1, 2])
URI = f"at://{DID}/{POSTS}/3krkey"
MOMENT = datetime(2026, 9, 21, 14, 13, 20, 123456, UTC)


def event_of(text: bytes) -> Event:
    event = read(text)
    assert event is not None
    return event


# --- Both wires ------------------------------------------------------------------------------------------------------


@WIRES
def test_a_post_is_known_by_its_address_and_its_version_by_more(wire: int) -> None:
    found = classify(post("hello", wire=wire))
    assert (found.kind, found.id, found.time) == (LineKind.POST, URI, MOMENT)
    assert found.key == f"{DID} 3krev {POSTS} 3krkey create"
    assert found.position == (str(TIME_US) if wire == 1 else "77")


def test_the_same_event_has_the_same_key_on_both_wires() -> None:
    """So that a repeat is known where one wire, or host, goes on for another."""
    assert classify(post("hello", wire=1)).key == classify(post("hello", wire=2)).key


def test_an_edit_and_a_deletion_are_not_repeats_of_the_post() -> None:
    keys = {classify(commit({}, operation=operation)).key for operation in ("create", "update", "delete")}
    assert len(keys) == 3


@WIRES
def test_a_deletion_names_the_post_that_goes(wire: int) -> None:
    found = classify(commit(wire=wire, operation="delete"))
    assert (found.kind, found.id) == (LineKind.DELETE, URI)


@WIRES
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"active": False, "status": "deleted"}, LineKind.DELETE),
        ({"active": False, "status": "takendown"}, LineKind.DELETE),
        ({"active": False, "status": "suspended"}, LineKind.DELETE),
        ({"active": False, "status": "deactivated"}, LineKind.OTHER),
        ({"active": False, "status": "throttled"}, LineKind.OTHER),
        ({"active": False}, LineKind.OTHER),
        ({"active": True}, LineKind.OTHER),
        ({"active": True, "status": "deleted"}, LineKind.OTHER),
    ],
)
def test_an_account_takes_its_posts_with_it_where_they_must_not_be_shown(
    wire: int, body: dict[str, Any], kind: LineKind
) -> None:
    found = classify(line(wire, "account", body))
    assert (found.kind, found.id) == (kind, f"at://{DID}")


@WIRES
def test_an_identity_is_neither_post_nor_deletion_and_has_a_position(wire: int) -> None:
    found = classify(line(wire, "identity", {"did": DID, "handle": "a.example"}))
    assert found.kind is LineKind.OTHER
    assert found.position


def test_notices_have_no_position() -> None:
    info = {"$type": f"{NAMESPACE}#info", "name": "OutdatedCursor", "message": "moved up"}
    found = classify(json.dumps({"$type": "message", "payload": info}).encode())
    assert (found.kind, found.position) == (LineKind.NOTICE, "")
    last = event_of(b'{"$type":"error","error":"ConsumerTooSlow","message":"too far behind"}')
    assert (last.kind, last.status, last.message) == ("error", "ConsumerTooSlow", "too far behind")


@pytest.mark.parametrize("kind", ["sync", "poll"])
def test_kinds_of_later_versions_have_a_position_all_the_same(kind: str) -> None:
    for wire, position in ((1, str(TIME_US)), (2, "77")):
        found = classify(line(wire, kind, {"anything": [1]}))
        assert (found.kind, found.position) == (LineKind.OTHER, position)


def test_a_v2_host_may_add_a_number_to_the_v1_shape() -> None:
    added = json.loads(post("hello", wire=1)) | {"cursor": 30_340_180_351}
    assert classify(json.dumps(added).encode()) == classify(post("hello", wire=1))


# --- What is not as described ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b"{",
        b"\xff\xfe",
        b'{"kind":""}',
        b'{"payload":{"seq":1}}',
        b"<html>Blocked</html>",
        b'{"a":' * 5_000,
        b"[" * 5_000 + b"]" * 5_000,
    ],
)
def test_what_is_no_event_is_said_to_be_none(text: bytes) -> None:
    assert read(text) is None
    assert classify(text).kind is LineKind.OTHER


ODD: list[Any] = [None, 1, -1, 1.5, True, "", "text", [], {}, [{}], {"$type": 1}, 10**30]


@WIRES
@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("key", ["record", "rev", "cid"])
def test_a_post_with_a_part_of_another_type_is_still_the_post(wire: int, key: str, odd: object) -> None:
    raw = json.loads(post("hello", wire=wire))
    (raw["commit"] if wire == 1 else raw["payload"])[key] = odd
    found = classify(json.dumps(raw).encode())
    assert (found.kind, found.id, found.time) == (LineKind.POST, URI, MOMENT)
    view(event_of(json.dumps(raw).encode()))


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        (TIME, MOMENT),
        ("2026-09-21T16:13:20.123456+02:00", MOMENT),
        ("2026-09-21T14:13:20.123456", MOMENT),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (None, None),
        (17, None),
        ([], None),
    ],
)
def test_a_time_is_utcs_or_none(time: object, moment: datetime | None) -> None:
    raw = json.loads(post("hello"))
    raw["payload"]["time"] = time
    found = classify(json.dumps(raw).encode())
    assert found.position == "77"
    assert found.time == moment


@pytest.mark.parametrize("odd", [10**18, 10**30, -(10**18), "now", None, 0])
def test_a_time_of_v1_that_is_none_leaves_the_post_without_a_position(odd: object) -> None:
    raw = json.loads(post("hello", wire=1)) | {"time_us": odd}
    found = classify(json.dumps(raw).encode())
    assert (found.kind, found.time, found.position) == (LineKind.POST, None, "")


@WIRES
@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (rb"storm \ud800 ahead", "storm ? ahead"),
        (b"storm \xff ahead", "storm \ufffd ahead"),
        (b"storm \x01 ahead", "storm \x01 ahead"),
        ("storm 🌊 ahead".encode(), "storm 🌊 ahead"),
        (rb"storm \ud83c\udf0a ahead", "storm 🌊 ahead"),
    ],
)
def test_a_text_with_damage_is_matched_by_what_is_left_of_it(wire: int, written: bytes, shown: str) -> None:
    event = event_of(post("TEXT", wire=wire).replace(b"TEXT", written))
    assert view(event).texts == (shown,)


@WIRES
@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999", b"1" * 400])
def test_a_number_out_of_range_does_not_hide_the_text(wire: int, number: bytes) -> None:
    event = event_of(post("storm", wire=wire, width="NUMBER").replace(b'"NUMBER"', number))
    assert view(event).texts == ("storm",)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(text: bytes) -> None:
    classify(text)
    classify(b'{"kind":"commit","commit":' + text + b"}")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_KEYS = st.sampled_from(
    ["text", "facets", "langs", "tags", "embed", "reply", "parent", "features", "images", "external", "media", "uri"]
)
_RECORDS = st.recursive(
    _JSON, lambda inner: st.dictionaries(_KEYS, inner | st.lists(inner, max_size=3), max_size=6), max_leaves=20
)


@given(st.sampled_from([1, 2]), _RECORDS)
def test_no_record_makes_its_view_fail(wire: int, record: Any) -> None:
    """Whatever JSON it holds, and whatever of it looks like a post's."""
    event = event_of(commit(record, wire=wire))
    assert all(isinstance(text, str) for text in view(event).texts)


@given(st.integers(1, 10**16))
def test_a_cursor_tells_the_time_to_the_microsecond(cursor: int) -> None:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=cursor)
    assert microseconds(time) == cursor
    raw = json.loads(post("hello", wire=1)) | {"time_us": cursor}
    assert classify(json.dumps(raw).encode()).time == time
