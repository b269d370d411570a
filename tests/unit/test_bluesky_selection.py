"""Which posts a Bluesky filter keeps: tags by facet, languages as claimed, what is quoted, linked or described."""

from __future__ import annotations

from typing import Any

import pytest

from sfm_stream.sources import registry
from sfm_stream.sources.bluesky.events import read
from sfm_stream.sources.bluesky.posts import view
from sfm_stream.sources.bluesky.selection import Selection, dids
from sfm_stream.sources.bluesky.settings import BlueskyStream
from tests.support.bluesky_events import DID, OTHER, POSTS, commit, facet, line, post

WIRES = pytest.mark.parametrize("wire", [1, 2])


def keeps(text: bytes, **settings: Any) -> bool:
    event = read(text)
    assert event is not None
    selection = Selection(BlueskyStream(name="test", **settings))
    return selection.has_collection(event) and selection.matches(event)


# --- The parts of a post ---------------------------------------------------------------------------------------------


@WIRES
@pytest.mark.parametrize(
    "text", ["Go #vote", "चलो #vote करें", "ไป #vote กัน", "行こう #vote よ", "اذهب #vote الآن", "🗳️👍🏽 #vote"]
)
def test_a_hashtag_is_what_the_author_marked_as_one(wire: int, text: str) -> None:
    marked = post(text, wire=wire, facets=[facet(text, "#vote", "tag", tag="Vote")])
    for settings in ({"tags": ["vote"]}, {"tags": ["#VOTE"]}, {"track": ["#vote"]}, {"query": "#vote"}):
        assert keeps(marked, **settings)
        assert not keeps(post(text, wire=wire), **settings), "a # in the text is none"


def test_a_hashtag_beside_the_text_is_one_too() -> None:
    assert keeps(post("hello", tags=["Vote"]), tags=["vote"])
    assert keeps(post("hello", tags=["投票"]), query="#投票 has:hashtags")


def test_languages_are_those_that_the_author_claims() -> None:
    claimed = post("olá", langs=["pt-BR", "en"])
    assert keeps(claimed, langs=["pt"])
    assert keeps(claimed, langs=["de", "en"])
    assert not keeps(claimed, langs=["de"])
    assert not keeps(post("olá"), langs=["pt"])


def test_langs_narrow_what_else_is_asked_for() -> None:
    assert keeps(post("storm", langs=["en"]), track=["storm"], langs=["en"])
    assert not keeps(post("storm", langs=["en"]), track=["storm"], langs=["de"])
    assert not keeps(post("calm", langs=["en"]), track=["storm"], langs=["en"])


def test_any_part_of_a_filter_is_enough() -> None:
    settings: dict[str, Any] = {"track": ["storm"], "tags": ["vote"], "follow": [OTHER], "query": "flood surge"}
    assert keeps(post("storm"), **settings)
    assert keeps(post("hello", tags=["vote"]), **settings)
    assert keeps(post("hello", did=OTHER), **settings)
    assert keeps(post("surge of the flood"), **settings)
    assert not keeps(post("flood"), **settings)


ALT = {"alt": "A map of the flood", "image": {"$type": "blob"}}
EXTERNAL = {"uri": "https://news.example/storm-warning", "title": "Storm warning", "description": "Stay inside"}
QUOTE = {"record": {"uri": f"at://{OTHER}/{POSTS}/3k", "cid": "bafy"}}


@pytest.mark.parametrize(
    ("embed", "query"),
    [
        ({"$type": "app.bsky.embed.images", "images": [ALT]}, "flood has:images -has:videos -is:quote"),
        ({"$type": "app.bsky.embed.gallery", "images": [ALT]}, "flood has:images"),
        ({"$type": "app.bsky.embed.video", "alt": "Film of a flood"}, "flood has:videos -has:images"),
        ({"$type": "app.bsky.embed.external", "external": EXTERNAL}, "storm warning has:links -has:media"),
        ({"$type": "app.bsky.embed.external", "external": EXTERNAL}, '"stay inside" url:news.example'),
        ({"$type": "app.bsky.embed.record", **QUOTE}, "is:quote -has:media"),
        (
            {
                "$type": "app.bsky.embed.recordWithMedia",
                "record": {"$type": "app.bsky.embed.record", **QUOTE},
                "media": {"$type": "app.bsky.embed.images", "images": [ALT]},
            },
            "flood is:quote has:images",
        ),
    ],
)
def test_what_a_post_shows_besides_its_text_is_matched_too(embed: dict[str, Any], query: str) -> None:
    assert keeps(post("look", embed=embed), query=query)
    assert not keeps(post("look"), query=query)


def test_links_are_whole_where_the_text_shows_them_cut() -> None:
    text = "www.news.example/2026/sto..."
    linked = post(text, facets=[facet(text, text, "link", uri="https://www.news.example/2026/storm-in-may")])
    assert keeps(linked, query="url:storm-in-may")
    assert not keeps(post(text), query="has:links")


def test_a_reply_is_one_to_the_author_of_its_parent() -> None:
    root, parent = f"at://{DID}/{POSTS}/1", f"at://{OTHER}/{POSTS}/2"
    reply = post("yes", reply={"root": {"uri": root, "cid": "a"}, "parent": {"uri": parent, "cid": "b"}})
    assert keeps(reply, query=f"to:{OTHER} is:reply")
    assert not keeps(reply, query=f"to:{DID}")


def test_a_repost_says_nothing_and_is_one() -> None:
    repost = commit({"subject": {"uri": f"at://{OTHER}/{POSTS}/2"}}, collection="app.bsky.feed.repost")
    assert keeps(repost, query="is:repost", collections=["app.bsky.feed.*"])
    assert not keeps(repost, query="is:repost")


def test_parts_of_other_types_are_as_good_as_not_there() -> None:
    odd = post(
        "storm",
        facets=[1, {}, {"features": 2}, {"features": [3, {"$type": "app.bsky.richtext.facet#tag", "tag": 4}]}],
        langs="en",
        tags=[5, "vote"],
        embed={"$type": ["x"], "images": [6, {"alt": 7}], "external": 8, "media": [9]},
        reply={"parent": 10},
    )
    assert keeps(odd, track=["storm"])
    assert keeps(odd, tags=["vote"])
    assert not keeps(odd, langs=["en"])


def test_embeds_within_embeds_come_to_an_end() -> None:
    embed: dict[str, Any] = {"$type": "app.bsky.embed.images", "images": [ALT]}
    for _ in range(100):
        embed = {"$type": "app.bsky.embed.recordWithMedia", "media": embed}
    event = read(post("look", embed=embed))
    assert event is not None
    assert view(event).texts == ("look",)


# --- Accounts and collections ----------------------------------------------------------------------------------------


def test_accounts_are_followed_by_their_ids_whatever_they_are_called() -> None:
    settings: dict[str, Any] = {"follow": ["@Ada.example"], "accounts": {"ada.example": OTHER}}
    assert keeps(post("hello", did=OTHER), **settings)
    assert not keeps(post("hello ada.example"), **settings)


def test_accounts_that_a_query_names_are_those_of_their_ids() -> None:
    accounts = {"ada.example": OTHER}
    text = "hello @ada.example"
    mention = post(text, facets=[facet(text, "@ada.example", "mention", did=OTHER)])
    assert keeps(mention, query="@Ada.example", accounts=accounts)
    assert keeps(post("hello", did=OTHER), query="from:ada.example", accounts=accounts)
    assert keeps(post("hello", did=OTHER), query=f"from:{OTHER}")
    assert not keeps(post(text), query="@ada.example OR from:ada.example", accounts=accounts)


def test_accounts_whose_ids_are_not_known_match_nothing() -> None:
    stream = BlueskyStream(name="test", follow=("ada.example", DID, "@ADA.example"), accounts={})
    assert dids(stream) == (DID,)
    assert not keeps(post("hello"), follow=["ada.example"])
    assert not keeps(post("hello", langs=["en"]), follow=["ada.example"], langs=["en"])


def test_an_account_of_a_website_is_followed_in_any_case() -> None:
    assert keeps(post("hello", did="did:web:Example.org"), follow=["did:web:Example.org"])


@pytest.mark.parametrize(
    ("collections", "kept"),
    [
        ([POSTS], True),
        (["app.bsky.feed.*"], True),
        (["app.bsky.*"], True),
        (["app.bsky.feed.postgate"], False),
        (["app.bsky.graph.*", "app.bsky.feed.like"], False),
    ],
)
def test_collections_are_whole_names_or_begin_alike(collections: list[str], kept: bool) -> None:
    assert keeps(post("storm"), track=["storm"], collections=collections) is kept


@WIRES
def test_events_that_are_no_commits_are_of_no_collection(wire: int) -> None:
    event = read(line(wire, "identity", {"did": DID, "handle": "storm.example"}))
    assert event is not None
    assert not Selection(BlueskyStream(name="test", track=("storm",))).has_collection(event)


def test_all_accounts_that_a_filter_names_are_to_be_resolved_once() -> None:
    query = f"from:ada.example -@Ben.example to:{DID} storm"
    stream = BlueskyStream(name="test", follow=("@Ada.example", OTHER, "cleo.example"), query=query)
    assert registry.source("bluesky").account_names(stream) == ["ada.example", "cleo.example", "ben.example"]
