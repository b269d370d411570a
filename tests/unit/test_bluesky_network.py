"""The simulated network: the same event for the same number, and posts whose parts are where they are said to be."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sfm_stream.simulator.vocabulary import LANGUAGES
from sfm_stream.sources.bluesky.simulator.events import Happening, Network
from sfm_stream.sources.bluesky.simulator.wires import encode

START = 1_790_000_000.0
numbers = st.integers(0, 10**7)
seeds = st.integers(0, 10**6)


def _network(seed: int, rate: float = 50.0) -> Network:
    return Network(seed, rate, START)


def _is_post(event: Happening) -> bool:
    return event.body.get("collection") == "app.bsky.feed.post" and event.body["operation"] == "create"


@given(seeds, numbers, st.floats(0.1, 5_000))
def test_an_event_is_the_same_whenever_it_is_asked_for(seed: int, number: int, rate: float) -> None:
    """On both wires, byte for byte; and its time leads back to it."""
    network, other = _network(seed, rate), _network(seed, rate)
    other.event(number + 1)
    for wire in (1, 2):
        assert encode(network.event(number), wire, number) == encode(other.event(number), wire, number)
    assert network.time(network.next_after(network.time(number))) == network.time(number)


@given(seeds, st.integers(0, 10**6))
def test_facets_count_utf8_bytes_in_every_language(seed: int, start: int) -> None:
    """The bytes that a facet covers are the tag with its #, the link, or the handle with its @."""
    network = _network(seed)
    for event in map(network.event, range(start, start + 60)):
        record = event.body.get("record", {})
        for facet in record.get("facets", ()):
            covered = record["text"].encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode()
            (feature,) = facet["features"]
            match feature["$type"].partition("#")[2]:
                case "tag":
                    assert covered == f"#{feature['tag']}"
                case "link":
                    assert covered == feature["uri"]
                case _:
                    assert covered == f"@{feature['did'][-6:]}.example"


def test_posts_are_in_all_languages_and_some_of_each_hold_a_facet() -> None:
    """Also of those that are written without blanks, or from right to left."""
    network = _network(1)
    posts = [event.body["record"] for event in map(network.event, range(20_000)) if _is_post(event)]
    codes = {language.code for language in LANGUAGES}
    assert {post["langs"][0] for post in posts} == codes
    assert {post["langs"][0] for post in posts if "facets" in post} == codes
    assert not [post for post in posts if "('" in post["text"]], "a place is given by its name"
    assert any("reply" in post for post in posts)


@settings(max_examples=15)
@given(seeds)
def test_a_deletion_takes_a_post_of_the_same_account_that_was_made_before(seed: int) -> None:
    network = _network(seed)
    made = set()
    for event in map(network.event, range(2_000)):
        if _is_post(event):
            made.add((event.did, event.body["rkey"]))
        elif event.body.get("operation") == "delete":
            assert (event.did, event.body["rkey"]) in made


@given(seeds, numbers)
def test_a_line_is_one_line(seed: int, number: int) -> None:
    for wire in (1, 2):
        line = encode(_network(seed).event(number), wire, number)
        assert b"\n" not in line
        assert msgspec.json.decode(line)
