"""Every fault of a Bluesky filter has one line that says where, what, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from sfm_stream.sources.bluesky.settings import HOSTS, BlueskyStream, faults, handle, is_did
from tests.support.bluesky_events import DID

HANDLE_OR_DID = "a handle (name.bsky.social) or a DID (did:plc:...) is needed"
ADDRESS = "an address like wss://jetstream.us-east.bsky.network is needed"
NSID = "an NSID is needed, such as app.bsky.feed.post, or app.bsky.feed.*"
CODE = "a language's code is needed, such as en or pt-BR"


def said(**settings: Any) -> list[str]:
    return [str(fault) for fault in faults(BlueskyStream(**{"name": "test", **settings}), "filter 'test'")]


@pytest.mark.parametrize(
    "settings",
    [
        {"track": ["storm", "polling station,vote", "#flood", "選挙", "🌊"]},
        {"follow": ["ada.example", "@Ada.bsky.social", DID, "did:web:example.org", "xn--bcher-kva.example"]},
        {"tags": ["vote"]},
        {"langs": ["en", "pt-BR", "zh-Hant", "fil"]},
        {"query": '(storm OR "storm surge") -lang:de has:images from:ada.example'},
        {"query": f"from:{DID} OR to:did:web:example.org OR @ada.example"},
        {"everything": True},
        {"everything": True, "collections": ["app.bsky.feed.*", "app.bsky.graph.block"], "langs": ["en"]},
        {"track": ["storm"], "hosts": ["ws://127.0.0.1:8971", "ws://localhost", "ws://[::1]:9", HOSTS[0]]},
        {"track": ["storm"], "collections": [f"app.example.c{number}" for number in range(100)]},
    ],
)
def test_what_can_be_done_has_no_fault(settings: dict[str, Any]) -> None:
    assert said(**settings) == []


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {},
            (
                ": it says nothing to match; give track, tags, follow, query or langs; "
                "or everything: true for the whole stream"
            ),
        ),
        (
            {"everything": True, "track": ["storm"]},
            ": it asks for everything, and for a part of it; take everything away, or what is matched",
        ),
        (
            {"track": ["storm", "storm,..."]},
            ': track[1]: found "storm,..."; a letter, digit or emoji is needed on each side of a comma',
        ),
        ({"track": [""]}, ': track[0]: found ""; a letter, digit or emoji is needed on each side of a comma'),
        ({"query": ""}, ': query: found ""; it is empty: give a word, a phrase or an operator'),
        ({"query": "(storm"}, ': query: found "(storm"; a closing ) is missing'),
        ({"query": "storm from:ada"}, f': query: found the account "ada"; {HANDLE_OR_DID}'),
        ({"query": "-@did:plc:short"}, f': query: found the account "did:plc:short"; {HANDLE_OR_DID}'),
        ({"follow": ["ada"]}, f': follow[0]: found "ada"; {HANDLE_OR_DID}'),
        ({"follow": [DID, "did:plc:UPPER"]}, f': follow[1]: found "did:plc:UPPER"; {HANDLE_OR_DID}'),
        ({"follow": ["-ada.example"]}, f': follow[0]: found "-ada.example"; {HANDLE_OR_DID}'),
        ({"follow": ["192.0.2.1"]}, f': follow[0]: found "192.0.2.1"; {HANDLE_OR_DID}'),
        ({"follow": ["ada.example\n"]}, f': follow[0]: found "ada.example\\n"; {HANDLE_OR_DID}'),
        ({"langs": ["english"]}, f': langs[0]: found "english"; {CODE}'),
        ({"langs": ["en", "pt_BR"]}, f': langs[1]: found "pt_BR"; {CODE}'),
        ({"tags": ["vote"], "collections": ["posts"]}, f': collections[0]: found "posts"; {NSID}'),
        ({"tags": ["vote"], "collections": ["*"]}, f': collections[0]: found "*"; {NSID}'),
        (
            {"tags": ["vote"], "collections": [f"app.example.c{number}" for number in range(101)]},
            (
                ": collections: found 101 of them; a host takes at most 100; "
                "a prefix such as app.bsky.feed.* stands for many"
            ),
        ),
        ({"tags": ["vote"], "hosts": []}, ": hosts: it is empty; at least one host is needed"),
        (
            {"tags": ["vote"], "hosts": ["https://jetstream.example"]},
            f': hosts[0]: found "https://jetstream.example"; {ADDRESS}',
        ),
        (
            {"tags": ["vote"], "hosts": [HOSTS[0], "wss://jetstream.example/subscribe"]},
            f': hosts[1]: found "wss://jetstream.example/subscribe"; {ADDRESS}',
        ),
        (
            {"tags": ["vote"], "hosts": ["ws://jetstream.example"]},
            ': hosts[0]: found "ws://jetstream.example"; ws:// is for a host on this machine alone; write wss://',
        ),
        (
            {"tags": ["vote"], "hosts": ["ws://127.0.0.1.example"]},
            ': hosts[0]: found "ws://127.0.0.1.example"; ws:// is for a host on this machine alone; write wss://',
        ),
        ({"tags": ["#"]}, ': tags[0]: found "#"; a hashtag is needed, with or without its #, and without blanks'),
        (
            {"tags": ["two words"]},
            ': tags[0]: found "two words"; a hashtag is needed, with or without its #, and without blanks',
        ),
        (
            {"track": ["#"]},
            ': track[0]: found "#"; a letter, digit or emoji is needed on each side of a comma',
        ),
    ],
)
def test_a_fault_has_its_own_line(settings: dict[str, Any], line: str) -> None:
    assert said(**settings) == [f"filter 'test'{line}"]


def test_all_faults_are_told_at_once() -> None:
    found = said(track=["..."], query="OR", follow=["ada"], langs=["?"], collections=["x"], hosts=["h"])
    assert [line.split(": ")[1].partition("[")[0] for line in found] == [
        "track",
        "query",
        "follow",
        "collections",
        "langs",
        "hosts",
    ]


def test_where_parts_were_left_out_having_nothing_to_match_is_no_fault_of_its_own() -> None:
    assert list(faults(BlueskyStream(name="test"), "filter 'test'", whole=False)) == []


@pytest.mark.parametrize("name", ["", "two words", "a/b", "-a", "x" * 65])
def test_a_name_that_can_be_no_file_is_a_fault(name: str) -> None:
    assert said(name=name, track=["storm"])


def test_a_handle_is_looked_up_in_small_letters_without_its_sign() -> None:
    assert handle("@Ada.Example") == handle("ada.example") == "ada.example"
    assert not is_did("ada.example")
    assert is_did(DID)


@pytest.mark.parametrize(
    ("settings", "alone"),
    [
        ({"follow": [DID]}, True),
        ({"follow": [DID], "langs": ["en"]}, True),
        ({"follow": [DID], "track": ["storm"]}, False),
        ({"follow": [DID], "query": "storm"}, False),
        ({"follow": [DID], "tags": ["vote"]}, False),
        ({"track": ["storm"]}, False),
        ({"everything": True}, False),
    ],
)
def test_a_host_can_select_by_account_only_where_nothing_else_is_asked_for(
    settings: dict[str, Any], alone: bool
) -> None:
    assert BlueskyStream(name="test", **settings).follows_alone is alone


def test_the_program_of_a_filter_is_named_for_its_source() -> None:
    assert BlueskyStream(name="storms").program == "bluesky-storms"
