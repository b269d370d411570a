"""What summaries count of a line, for every source."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.sources import registry
from sfm_stream.sources.bluesky.features import features as bluesky
from sfm_stream.sources.lines import Features, LineKind
from sfm_stream.sources.wikimedia.features import features as wikimedia
from sfm_stream.sources.x.features import features as x
from sfm_stream.sources.x.simulator.generator import Generator

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def post(**more: object) -> dict[str, object]:
    return {"id": "1990000000000000000", "author_id": "7", "created_at": "2026-11-24T12:00:00.000Z", **more}


def line(data: dict[str, object], **includes: object) -> bytes:
    return json.dumps({"data": data, "includes": includes}).encode()


def test_a_post_of_x_has_its_time_author_language_tags_and_links() -> None:
    """A tag counts once however it is written, a link as where it leads, and media are no links."""
    entities = {
        "hashtags": [{"tag": "Hail"}, {"tag": "hail"}, {"tag": "Söder"}],
        "urls": [
            {"expanded_url": "https://t.example/1", "unwound_url": "https://www.example.org/hail"},
            {"expanded_url": "https://twitter.com/a/status/1/photo/1", "media_key": "3_1"},
            {"expanded_url": "https://x.com/a/status/1/video/1"},
        ],
    }
    found = x(line(post(lang="de", entities=entities), users=[{"id": "7", "username": "Maria"}]))
    assert found == Features(
        LineKind.POST, NOON, "7", "Maria", ("de",), ("hail", "söder"), ("https://www.example.org/hail",)
    )


def test_a_repost_counts_what_it_repeats_and_a_quote_does_not() -> None:
    """The text of a repost is the other's, cut; what is quoted is not the author's own."""
    other = {"id": "5", "entities": {"hashtags": [{"tag": "flood"}]}}
    for kind, tags in (("retweeted", ("flood",)), ("quoted", ())):
        found = x(line(post(referenced_tweets=[{"type": kind, "id": "5"}]), tweets=[other]))
        assert found.tags == tags


def test_a_long_post_counts_the_tags_of_all_of_it() -> None:
    """Each once, whether its beginning has it or not."""
    note = {"entities": {"hashtags": [{"tag": "one"}, {"tag": "two"}]}}
    assert x(line(post(entities={"hashtags": [{"tag": "one"}]}, note_tweet=note))).tags == ("one", "two")


def test_without_a_time_the_id_of_x_tells_it() -> None:
    """A stream may be narrowed to few fields; ids are made of the time."""
    number = (int(NOON.timestamp() * 1000) - 1288834974657) << 22
    assert x(json.dumps({"data": {"id": str(number)}}).encode()).time == NOON


@pytest.mark.parametrize("lang", ["und", "zxx", "qme", ""])
def test_a_post_in_which_x_found_no_language_has_none(lang: str) -> None:
    """X has codes for posts of nothing but mentions, tags or media."""
    assert x(line(post(lang=lang))).langs == ()


def test_a_post_with_odd_parts_is_a_post_and_said_to_be_partial() -> None:
    """It is counted as a post; what could not be read of it is not passed off as nothing."""
    found = x(line(post(entities={"hashtags": "many"})))
    assert (found.kind, found.partial, found.tags) == (LineKind.POST, True, ())


def test_a_record_of_bluesky_has_what_matching_sees() -> None:
    """Its account is the DID; the time is when the host sent it, since the author's clock may say anything."""
    record = {
        "text": "#hail", "langs": ["en-GB"], "tags": ["Hail"], "createdAt": "1999-01-01T00:00:00Z",
        "embed": {"$type": "app.bsky.embed.external", "external": {"uri": "https://example.org/"}},
    }  # fmt: skip
    commit = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "1", "record": record}
    event = {"did": "did:plc:a", "time_us": int(NOON.timestamp()) * 10**6, "kind": "commit", "commit": commit}
    assert bluesky(json.dumps(event).encode()) == Features(
        LineKind.POST, NOON, "did:plc:a", langs=("en-gb",), tags=("hail",), links=("https://example.org/",)
    )


@pytest.mark.parametrize(
    ("domain", "langs"),
    [
        ("de.wikipedia.org", ("de",)),
        ("commons.wikimedia.org", ()),
        ("www.wikidata.org", ()),
        ("fr.wiktionary.org", ("fr",)),
    ],
)
def test_an_edit_has_the_language_of_its_wiki(domain: str, langs: tuple[str, ...]) -> None:
    """Where its project has one wiki for each; its page counts as a link."""
    meta = {"id": "1", "domain": domain, "dt": "2026-11-24T12:00:00Z", "uri": f"https://{domain}/wiki/Hail"}
    found = wikimedia(json.dumps({"meta": meta, "user": "Maria", "type": "edit"}).encode())
    assert found == Features(LineKind.POST, NOON, "Maria", langs=langs, links=(f"https://{domain}/wiki/Hail",))


@pytest.mark.parametrize("name", registry.names())
@given(raw=st.binary(max_size=200) | st.sampled_from([b"null", b"[]", b'{"data":1}', b'{"meta":[]}', b"[" * 5000]))
def test_no_bytes_make_it_fail_and_the_kind_is_that_of_classify(name: str, raw: bytes) -> None:
    """A file may hold anything."""
    source = registry.source(name)
    assert source.features(raw).kind is source.classify(raw).kind


@pytest.mark.parametrize("name", registry.names())
def test_an_altered_line_keeps_the_kind_of_classify(name: str) -> None:
    """Lines with parts of other types, one part after the other."""
    source, dice = registry.source(name), random.Random(5)
    wholes = [
        post(lang="en", entities={"urls": [{"expanded_url": "https://example.org"}]}),
        {"did": "did:plc:a", "kind": "commit", "commit": {"operation": "create", "record": {"text": "a"}}},
        {"meta": {"id": "1", "domain": "de.wikipedia.org", "dt": "2026-11-24T12:00:00Z"}, "user": "a"},
    ]
    for whole in [{"data": wholes[0]}, *wholes[1:]]:
        for _ in range(200):
            altered = json.loads(json.dumps(whole))
            inner = altered
            while isinstance(inner, dict) and inner:
                key = dice.choice(list(inner))
                if not isinstance(inner[key], dict) or dice.random() < 0.3:
                    inner[key] = dice.choice([None, 5, "x", [], {}, [None], -1.5, True])
                    break
                inner = inner[key]
            raw = json.dumps(altered).encode()
            assert source.features(raw).kind is source.classify(raw).kind, raw


def test_the_quick_reading_of_x_sees_what_its_rules_see() -> None:
    """Tags of posts that the simulator makes, reposts included, beside those of the view that rules use."""
    generator = Generator(7)
    compared = 0
    for _ in range(400):
        draft = generator.next()
        if "quoted" in draft.post.references or draft.post.quoted:
            continue
        compared += bool(draft.post.hashtags)
        assert set(x(json.dumps(draft.envelope).encode()).tags) == draft.post.hashtags
    assert compared > 50
