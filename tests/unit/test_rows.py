"""Tables: a post of any source is a row, whatever its parts are like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sfm_stream.sources import registry
from sfm_stream.sources.lenient import loads
from sfm_stream.sources.lines import LineKind
from sfm_stream.sources.rows import NEUTRAL, Rows, Value, ValueType, utc_text

TYPES: dict[ValueType, type | tuple[type, ...]] = {
    ValueType.TEXT: str,
    ValueType.TIME: str,
    ValueType.INTEGER: int,
    ValueType.NUMBER: float,
    ValueType.BOOLEAN: bool,
    ValueType.JSON: str,
}
X_POST: dict[str, Any] = {
    "data": {
        "id": "1440716797032816645",
        "author_id": "12",
        "created_at": "2021-09-22T16:37:06.000Z",
        "text": "RT @ann: the first li…",
        "lang": "en",
        "conversation_id": "1440716797032816645",
        "referenced_tweets": [{"type": "retweeted", "id": "77"}],
        "public_metrics": {"like_count": 3},
        "edit_history_tweet_ids": ["1440716797032816644", "1440716797032816645"],
        "geo": {"coordinates": {"type": "Point", "coordinates": [4.5, 52.0]}, "place_id": "p1"},
        "context_annotations": [{"domain": {"id": "10"}}],
    },
    "includes": {
        "users": [
            {"id": "12", "username": "bob", "name": "Bob", "public_metrics": {"followers_count": 5}},
            {"id": "13", "username": "ann", "name": "Ann"},
        ],
        "tweets": [
            {
                "id": "77",
                "author_id": "13",
                "text": "the first line …",
                "note_tweet": {
                    "text": "the first line\nand the second #Vote",
                    "entities": {
                        "hashtags": [{"tag": "Vote"}, {"tag": "Vote"}],
                        "urls": [{"url": "https://t.co/1", "expanded_url": "https://example.org/a"}],
                    },
                },
                "attachments": {"media_keys": ["3_1", "3_2"]},
            }
        ],
        "media": [{"media_key": "3_1", "type": "photo", "url": "https://img.example/1", "alt_text": "a field"}],
        "places": [{"id": "p1", "full_name": "Delft", "country_code": "NL"}],
    },
    "matching_rules": [{"id": "1", "tag": "votes"}],
}
BLUESKY_POST: dict[str, Any] = {
    "did": "did:plc:a",
    "time_us": 1783175888085434,
    "kind": "commit",
    "commit": {
        "rev": "3mpt",
        "operation": "create",
        "collection": "app.bsky.feed.post",
        "rkey": "3mp1",
        "cid": "bafy",
        "record": {
            "$type": "app.bsky.feed.post",
            "createdAt": "2026-07-04T16:38:08+02:00",
            "text": "Corn #harvest",
            "langs": ["en-GB", "de"],
            "tags": ["field"],
            "facets": [{"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "harvest"}]}],
            "reply": {"root": {"uri": "at://r"}, "parent": {"uri": "at://p"}},
            "embed": {
                "$type": "app.bsky.embed.recordWithMedia",
                "record": {"record": {"uri": "at://q"}},
                "media": {
                    "$type": "app.bsky.embed.images",
                    "images": [{"alt": "corn", "image": {"ref": {"$link": "bafkimage"}}}],
                },
            },
        },
    },
}
WIKIMEDIA_EDIT: dict[str, Any] = {
    "meta": {"id": "e1", "uri": "https://en.wikipedia.org/wiki/Corn", "dt": "2026-11-24T20:13:00.5Z", "domain": "en"},
    "type": "edit",
    "wiki": "enwiki",
    "title": "Corn",
    "namespace": 0,
    "user": "Ann",
    "bot": False,
    "comment": "typo",
    "length": {"old": 10, "new": 12},
    "revision": {"old": 1, "new": 2},
}
POSTS = {"x": X_POST, "bluesky": BLUESKY_POST, "wikimedia": WIKIMEDIA_EDIT}


def values(rows: Rows, post: object) -> dict[str, Value]:
    line = post if isinstance(post, bytes) else json.dumps(post).encode()
    read = rows.read(line)
    assert read is not None
    names = [column.name for column in rows.columns]
    return dict(zip(names, rows.row(names)(read), strict=True))


@pytest.fixture(params=registry.names())
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_table_begins_with_the_neutral_columns(source: str) -> None:
    columns = registry.source(source).rows().columns
    names = [column.name for column in columns]
    assert names[: len(NEUTRAL)] == list(NEUTRAL)
    assert len(set(names)) == len(names)
    assert all(column.what for column in columns)


def test_every_value_is_of_its_columns_kind(source: str) -> None:
    rows = registry.source(source).rows()
    found = values(rows, POSTS[source])
    for column in rows.columns:
        value = found[column.name]
        assert value is None or isinstance(value, TYPES[column.kind]), column.name
        if column.kind is ValueType.JSON and isinstance(value, str):
            json.loads(value)
    assert found["source"] == source
    assert found["id"]
    assert rows.standing(rows.read(json.dumps(POSTS[source]).encode())).kind is LineKind.POST


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, child in inner for each in _paths(child, (*path, key)))][1 if not path else 0 :]


def test_a_part_of_any_other_type_costs_itself_alone(source: str) -> None:
    """Each part of a post in turn is a number, a text, a list, an object and nothing: it is a row all the same."""
    rows = registry.source(source).rows()
    names = [column.name for column in rows.columns]
    for path in _paths(POSTS[source]):
        for odd in (7, "odd", [None, 7, "odd"], {"odd": [7]}, None, -1.5, True):
            post = json.loads(json.dumps(POSTS[source]))
            holder = post
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = odd
            line = json.dumps(post).encode()
            read = rows.read(line)
            if read is None:
                assert registry.source(source).classify(line).kind is LineKind.OTHER
                continue
            rows.standing(read)
            for column, value in zip(rows.columns, rows.row(names)(read), strict=True):
                assert value is None or isinstance(value, TYPES[column.kind]), (path, odd, column.name, value)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"7", b'"text"', b"null", b"\xff", b"[" * 100_000, b'{"data":' * 9999]
)
def test_what_is_no_post_is_none_and_no_exception(source: str, line: bytes) -> None:
    rows = registry.source(source).rows()
    read = rows.read(line)
    assert read is None or rows.standing(read).kind is not LineKind.POST


def test_a_repost_of_x_shows_the_whole_content_of_the_original() -> None:
    found = values(registry.source("x").rows(), X_POST)
    assert (
        found
        | {
            "kind": "repost",
            "account": "bob",
            "text": "RT @ann: the first li…",
            "repost_of": "77",
            "repost_text": "the first line\nand the second #Vote",
            "tags": '["Vote"]',
            "links": '["https://example.org/a"]',
            "media": '[{"type":"photo","url":"https://img.example/1","alt":"a field","key":"3_1"},{"key":"3_2"}]',
            "link": "https://x.com/bob/status/1440716797032816645",
            "place": "Delft",
            "longitude": 4.5,
            "likes": 3,
            "account_followers": 5,
            "rules": '["votes"]',
        }
        == found
    )


def test_an_edited_post_of_x_replaces_its_earlier_versions() -> None:
    rows = registry.source("x").rows()
    line = json.dumps(X_POST).encode()
    assert rows.tells.search(line)
    assert rows.standing(rows.read(line)).replaces == ("1440716797032816644",)
    first = json.dumps({"data": {"id": "1", "edit_history_tweet_ids": ["1"]}}).encode()
    assert not rows.tells.search(first)


def test_a_post_of_bluesky_shows_what_it_answers_quotes_and_holds() -> None:
    found = values(registry.source("bluesky").rows(), BLUESKY_POST)
    assert (
        found
        | {
            "kind": "reply",
            "id": "at://did:plc:a/app.bsky.feed.post/3mp1",
            "time": "2026-07-04T14:38:08Z",
            "sent": "2026-07-04T14:38:08.085434Z",
            "reply_to": "at://p",
            "thread": "at://r",
            "quote_of": "at://q",
            "lang": "en-GB",
            "langs": '["en-GB","de"]',
            "tags": '["harvest","field"]',
            "media": '[{"type":"image","alt":"corn","key":"bafkimage"}]',
        }
        == found
    )


@pytest.mark.parametrize(
    ("event", "ends", "restores"),
    [
        ({"kind": "commit", "commit": {"operation": "delete", "collection": "c", "rkey": "r"}}, ("at://d/c/r",), ()),
        ({"kind": "commit", "commit": {"operation": "update", "collection": "c", "rkey": "r"}}, ("at://d/c/r",), ()),
        ({"kind": "account", "account": {"active": False, "status": "deleted"}}, ("at://d",), ()),
        ({"kind": "account", "account": {"active": False, "status": "deactivated"}}, (), ()),
        ({"kind": "account", "account": {"active": True}}, (), ("at://d",)),
    ],
)
def test_bluesky_tells_what_is_gone_changed_or_back(event: dict[str, Any], ends: object, restores: object) -> None:
    rows = registry.source("bluesky").rows()
    line = json.dumps({"did": "d", "time_us": 1, **event}).encode()
    standing = rows.standing(rows.read(line))
    assert rows.tells.search(line)
    assert (standing.ends, standing.restores) == (ends, restores)


OLD_DELETE = {"meta": {"id": "e2", "stream": "mediawiki.page-delete"}, "database": "enwiki", "page_title": "A_b"}
NEW_DELETE = {"meta": {"id": "e2"}, "page_change_kind": "delete", "wiki_id": "enwiki", "page": {"page_title": "A_b"}}
LOGGED = {"meta": {"id": "e2"}, "log_type": "delete", "log_action": "delete", "wiki": "enwiki", "title": "A b"}
HIDDEN = {"meta": {"id": "e2"}, "page_change_kind": "visibility_change", "wiki_id": "w", "revision": {"rev_id": 5}}


@pytest.mark.parametrize(
    ("event", "ends"),
    [
        (OLD_DELETE, "page enwiki A b"),
        (NEW_DELETE, "page enwiki A b"),
        (LOGGED, "page enwiki A b"),
        (HIDDEN, "revision w 5"),
    ],
)
def test_wikimedia_tells_which_page_or_revision_is_gone(event: dict[str, Any], ends: str) -> None:
    rows = registry.source("wikimedia").rows()
    line = json.dumps(event).encode()
    assert rows.tells.search(line)
    assert rows.standing(rows.read(line)).ends == (ends,)


def test_a_part_without_a_column_is_named(source: str) -> None:
    rows = registry.source(source).rows()
    post = json.loads(json.dumps(POSTS[source]))
    assert rows.unnamed(json.dumps(post).encode()) == frozenset()
    place = {"x": lambda: post["data"], "bluesky": lambda: post["commit"]["record"], "wikimedia": lambda: post}[source]
    place()["brand_new"] = 1
    assert [each.rpartition(".")[2] for each in rows.unnamed(json.dumps(post).encode())] == ["brand_new"]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        (b'{"a":"\\ud83d"}', {"a": "�"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a":"x\\u0000y"}', {"a": "x�y"}),
        (b'{"a\\u0000":NaN,"b":[1e999,-Infinity]}', {"a�": None, "b": [None, None]}),
        (b'\xef\xbb\xbf{"a":"\xff\x01"}', {"a": "�\x01"}),
        (b'{"a":' + b"9" * 301 + b"}", {"a": "9" * 301}),
    ],
)
def test_odd_json_becomes_what_every_reader_takes(line: bytes, meant: object) -> None:
    assert loads(line) == meant


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("2021-09-22T16:37:06.000Z", "2021-09-22T16:37:06.000Z"),
        ("2021-09-22T16:37:06+02:00", "2021-09-22T14:37:06Z"),
        ("0001-01-01T00:00:00+02:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_utc_or_nothing(given: str | None, text: str | None) -> None:
    assert utc_text(given) == text
