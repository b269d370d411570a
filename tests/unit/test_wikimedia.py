"""What Wikimedia's events mean, which are kept, and what is wrong with a filter."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sfm_stream.sources.feed import Position
from sfm_stream.sources.lines import LineKind
from sfm_stream.sources.wikimedia.events import classify, read
from sfm_stream.sources.wikimedia.feed import WikimediaFeed
from sfm_stream.sources.wikimedia.selection import Selection
from sfm_stream.sources.wikimedia.session import Request
from sfm_stream.sources.wikimedia.settings import WikimediaStream, faults
from sfm_stream.sources.wikimedia.simulator.events import Wikis


def stream(**settings: Any) -> WikimediaStream:
    return WikimediaStream(**{"name": "news", "contact": "archive@example.org", **settings})


def line(domain: str = "en.wikipedia.org", **keys: Any) -> bytes:
    meta = {"id": "67a266c6", "domain": domain, "dt": "2026-11-24T16:01:24Z", "stream": "mediawiki.recentchange"}
    event = {"meta": meta, "type": "edit", "wiki": "enwiki", "namespace": 0, "title": "Mid-term election", **keys}
    return json.dumps(event, ensure_ascii=False).encode()


def keeps(settings: WikimediaStream, event: bytes) -> bool:
    found = read(event)
    assert found is not None
    return Selection(settings).matches(found)


def test_an_edit_is_a_post_with_the_identity_and_the_time_of_its_event() -> None:
    found = classify(line())
    assert (found.kind, found.id, found.key) == (LineKind.POST, "67a266c6", "67a266c6")
    assert found.time is not None
    assert found.time.isoformat() == "2026-11-24T16:01:24+00:00"


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (line(domain="canary"), LineKind.NOTICE),
        (line(page_change_kind="delete"), LineKind.DELETE),
        (line(page_change_kind="visibility_change"), LineKind.DELETE),
        (b"no JSON", LineKind.OTHER),
        (b'{"type":"edit"}', LineKind.OTHER),
        (line(title={"odd": 1}, namespace="0"), LineKind.POST),
    ],
)
def test_each_line_is_told_for_what_it_is(event: bytes, kind: LineKind) -> None:
    assert classify(event).kind is kind


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"wikis": ["enwiki"]}, True),
        ({"wikis": ["dewiki"]}, False),
        ({"namespaces": [1]}, False),
        ({"titles": ["Mid-term_election"]}, True),
        ({"titles": ["Election"]}, False),
        ({"track": ["election"]}, True),
        ({"track": ["flood, mid-term election"]}, True),
        ({"track": ["flood"], "wikis": ["enwiki"]}, False),
        ({"users": ["Someone"]}, False),
        ({"everything": True}, True),
        ({"everything": True, "bots": True}, False),
        ({"everything": True, "bots": False}, True),
    ],
)
def test_an_event_is_kept_that_is_in_every_list_given(settings: dict[str, Any], kept: bool) -> None:
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    assert keeps(stream(**settings), line()) is kept


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({}, "f: it says nothing to match; give wikis"),
        ({"everything": True, "wikis": ("enwiki",)}, "f: it asks for everything, and for a part of it"),
        ({"wikis": ("en.wikipedia.org",)}, 'f: wikis[0]: found "en.wikipedia.org"; a wiki\'s database name is needed'),
        ({"track": ("!",)}, 'f: track[0]: found "!"; a letter, digit or emoji is needed'),
        ({"everything": True, "contact": ""}, "sfm_contact: f needs it, and it is empty"),
        ({"everything": True, "contact": "Zoë"}, 'sfm_contact: found "Zoë"; plain ASCII is needed'),
        ({"everything": True, "url": "http://example.org"}, "f: url: found"),
        ({"everything": True, "streams": ()}, "f: streams: it is empty"),
        ({"everything": True, "min_free": "much"}, 'f: min_free: found "much"; a size like "500M"'),
        ({"everything": True, "state_dir": "state"}, 'f: state_dir: found "state"; an absolute path is needed'),
    ],
)
def test_each_fault_is_one_line(settings: dict[str, Any], fault: str) -> None:
    (found,) = map(str, faults(stream(**settings), "f"))
    assert found.startswith(fault)


def test_the_service_is_told_who_asks_and_from_where_to_go_on() -> None:
    request = Request(url="https://stream.example/", streams=("a", "b"), contact="me@example.org", position="[1]")
    assert request.address == "https://stream.example/v2/stream/a,b"
    assert request.headers["Last-Event-ID"] == "[1]"
    assert "(me@example.org)" in request.headers["User-Agent"]


def test_a_position_that_the_service_has_forgotten_is_seen_by_the_first_event() -> None:
    feed = WikimediaFeed(stream(everything=True))
    then = datetime(2026, 11, 24, 10, tzinfo=UTC)
    soon, late = then + timedelta(seconds=30), then + timedelta(hours=1)
    assert feed.covered_since(Position("[]", then), soon) is None
    assert feed.covered_since(Position("[]", then), late) == late


def test_what_the_simulator_writes_reads_like_edits() -> None:
    """A place is named, not shown with all that is known of it."""
    wikis = Wikis(seed=1, rate=30, start=1_700_000_000)
    for number in range(200):
        event = json.loads(wikis.event(number))
        assert not re.search(r"[(){}]", event["title"] + event["comment"]), event
