"""From where a Bluesky stream goes on, at which host, and what it keeps of what is replayed."""

from __future__ import annotations

import http
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from sfm_stream.errors import ConfigError
from sfm_stream.sources.bluesky.events import TIME_CURSOR, microseconds
from sfm_stream.sources.bluesky.feed import ATTEMPTS, MARGIN, OVERLAP, BlueskyFeed
from sfm_stream.sources.bluesky.held_posts import HeldPosts
from sfm_stream.sources.bluesky.settings import BlueskyStream
from sfm_stream.sources.feed import Context, Dropped, Handlers, Position, Refused, Replay
from sfm_stream.sources.lines import Disposition, LineKind
from tests.support.bluesky_events import DID, OTHER, POSTS, commit, line, post

HERE, THERE = "wss://one.example", "wss://two.example"
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
IGNORED = Handlers(lambda _: None, lambda _: None)


def feed(tmp_path: Any = None, **settings: Any) -> BlueskyFeed:

    stream = BlueskyStream(**{"name": "test", "track": ("storm",), "hosts": (HERE, THERE), **settings})
    return BlueskyFeed(stream, Context(tmp_path, None, None, lambda _: None))  # type: ignore[arg-type]


def cursor(of: BlueskyFeed, position: Position | None) -> str | None:
    return of.session(IGNORED, None, position).request.cursor


# --- Positions -------------------------------------------------------------------------------------------------------


def test_a_stream_goes_on_from_the_number_at_the_host_that_gave_it() -> None:
    of = feed()
    assert cursor(of, Position(f"77 {HERE}", NOW)) == "77"
    assert of.replay() is Replay.UNKNOWN, "it may have been set up anew, and number from the start"
    of = feed(track=(), follow=(DID,))
    cursor(of, Position(f"77 {HERE}", NOW))
    assert of.replay() is Replay.ALL, "a few accounts may say nothing for hours"


@pytest.mark.parametrize(
    ("position", "settings"),
    [(Position(f"77 {THERE}", NOW), {}), (Position(f"77 {HERE}", NOW), {"wire": 1}), (Position("1790", NOW), {})],
)
def test_elsewhere_it_goes_on_from_a_time_a_little_earlier(position: Position, settings: dict[str, Any]) -> None:
    """Another host, the older wire, a position of the older wire: the first event tells how far back it goes."""
    of = feed(**settings)
    assert cursor(of, position) == str(microseconds(NOW - OVERLAP))
    assert of.replay() is Replay.UNKNOWN


def test_without_a_position_or_its_time_it_begins_now() -> None:
    assert cursor(feed(), None) is None
    assert cursor(feed(), Position(f"77 {THERE}", None)) is None


def test_a_gap_is_covered_where_the_first_event_follows_the_position() -> None:
    of = feed()
    cursor(of, Position(f"77 {THERE}", NOW))
    assert of.covered_since(Position("", NOW), NOW - OVERLAP) is None
    assert of.covered_since(Position("", NOW), NOW + MARGIN) is None
    later = NOW + MARGIN + timedelta(seconds=1)
    assert of.covered_since(Position("", NOW), later) == later


def test_each_line_is_a_position_at_the_host_that_sent_it() -> None:
    of = feed()
    cursor(of, None)
    assert of.take(post("storm"))[0].position == f"77 {HERE}"


@pytest.fixture
def forgetful() -> Iterator[tuple[str, list[str]]]:
    """A host that has forgotten every number by the time that it is asked for it; and what it was asked for."""
    asked: list[str] = []

    def refuse(connection: ServerConnection, request: Request) -> Response | None:
        asked.append(parse_qs(urlsplit(request.path).query)["cursor"][0])
        if int(asked[-1]) >= TIME_CURSOR:
            return None
        body = json.dumps({"error": "CursorTooOld", "message": f"the floor is {int(asked[-1]) + 10}"})
        return connection.respond(http.HTTPStatus.BAD_REQUEST, body)

    def send(connection: ServerConnection) -> None:
        connection.send(post("storm").decode())
        connection.close(1001)

    with serve(send, "127.0.0.1", 0, process_request=refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", asked
        server.shutdown()


def test_a_number_that_is_too_old_makes_way_for_a_time_that_is_never_refused(
    forgetful: tuple[str, list[str]],
) -> None:
    """The oldest number that the host names may be too old a moment later."""
    host, asked = forgetful
    lines: list[bytes] = []
    of = feed(hosts=(host,))
    session = of.session(Handlers(lambda _: None, lines.extend), None, Position(f"5 {host}", NOW))
    with pytest.raises(Dropped):
        session.run()
    assert asked == ["5", str(TIME_CURSOR)]
    assert lines == [post("storm")]
    assert of.replay() is Replay.UNKNOWN, "the first event tells what is lost"


# --- Hosts -----------------------------------------------------------------------------------------------------------


def test_a_host_that_fails_again_and_again_makes_way_for_the_next() -> None:
    of = feed()
    used = []
    for _ in range(2 * ATTEMPTS + 1):
        used.append(of.session(IGNORED, None, None).request.host)
        of.after_drop(Dropped("network error"), held=None)
    assert used == [HERE] * ATTEMPTS + [THERE] * ATTEMPTS + [HERE]


def test_a_host_that_restarts_is_asked_again_at_once() -> None:
    of = feed()
    assert [of.after_drop(Dropped("closed", at_once=True), held=3600.0) for _ in range(3)] == [0, 0, 0]


def test_a_host_that_ends_each_connection_at_once_is_asked_more_and_more_slowly() -> None:
    """Whatever reason it gives."""
    of = feed()
    waits = [of.after_drop(Dropped("closed", at_once=True), held=0.1) for _ in range(5)]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert waits[-1] > 4


def test_a_host_that_asks_to_wait_is_waited_for() -> None:
    of = feed()
    cursor(of, None)
    retry = of.after_refusal(Refused("refused", 503, "starting up", 40.0))
    assert retry.seconds >= 40
    assert "starting up" in retry.reason


def test_a_request_that_is_wrong_ends_the_program_with_the_hosts_words() -> None:
    of = feed()
    cursor(of, None)
    with pytest.raises(ConfigError, match=f"{HERE} does not take the request: unknown parameters"):
        of.after_refusal(Refused("InvalidRequest", 400, "unknown parameters"))


# --- What is kept ----------------------------------------------------------------------------------------------------


def fates(of: BlueskyFeed, *lines: bytes) -> list[Disposition]:
    cursor(of, None)
    return [of.take(each)[1] for each in lines]


def test_what_matches_is_kept_and_the_rest_is_counted(tmp_path: Any) -> None:
    of = feed(tmp_path)
    assert fates(of, post("storm"), post("calm"), post("a storm")) == [
        Disposition.KEEP,
        Disposition.UNMATCHED,
        Disposition.KEEP,
    ]
    assert of.unmatched == 1


@pytest.mark.parametrize("wire", [1, 2])
def test_deletions_edits_and_ends_of_accounts_are_kept_for_what_is_held(tmp_path: Any, wire: int) -> None:
    of = feed(tmp_path)
    gone = {"active": False, "status": "deleted"}
    after = (
        commit(operation="delete", wire=wire),
        commit({"text": "calm now"}, operation="update", wire=wire),
        line(wire, "account", gone),
    )
    others = (
        commit(operation="delete", did=OTHER, wire=wire),
        commit({"text": "calm now"}, operation="update", did=OTHER, wire=wire),
        line(wire, "account", gone, did=OTHER),
    )
    assert fates(of, *after, *others) == [Disposition.UNMATCHED] * 6
    assert fates(of, post("storm", wire=wire, did=DID)) == [Disposition.KEEP]
    assert fates(of, *after, *others) == [Disposition.KEEP] * 3 + [Disposition.UNMATCHED] * 3
    of.tick()
    assert fates(feed(tmp_path), *after) == [Disposition.KEEP] * 3, "after a restart, too"


def test_what_the_host_says_of_the_stream_goes_into_the_journal() -> None:
    of = feed()
    last = b'{"$type":"error","error":"ConsumerTooSlow","message":"too far behind"}'
    assert fates(of, b"<html>", last) == [Disposition.MESSAGE, Disposition.MESSAGE]
    assert of.announced == "ConsumerTooSlow: too far behind"
    assert of.take(last)[0].kind is LineKind.NOTICE
    cursor(of, None)
    assert of.announced is None


def test_everything_is_everything_but_identities() -> None:
    of = feed(track=(), everything=True)
    identity = line(2, "identity", {"did": DID, "handle": "a.example"})
    deactivated = line(2, "account", {"active": False, "status": "deactivated"})
    assert fates(of, post("calm"), commit(operation="delete"), deactivated) == [Disposition.KEEP] * 3
    assert fates(of, identity, commit({}, collection="app.bsky.feed.like")) == [Disposition.UNMATCHED] * 2


@pytest.mark.parametrize("how", ["missing", "damaged", "incomplete", "of a stream that kept everything"])
def test_a_lost_index_of_held_posts_is_made_again_from_the_files(tmp_path: Any, how: str) -> None:
    """No connection is made before it knows again which deletions concern the stream."""
    path = tmp_path / "held" / "bluesky-test.sqlite"
    if how == "damaged":
        path.parent.mkdir()
        path.write_bytes(b"no database" * 1000)
    elif how == "incomplete":
        HeldPosts(path).add(OTHER, f"{POSTS}/3kother")
    elif how == "of a stream that kept everything":
        HeldPosts(path).set_complete(complete=True)
        feed(tmp_path, track=(), everything=True)
    go_on = threading.Event()

    def kept(_report: Any) -> Any:
        go_on.wait(10)
        yield from (post("storm"), b"no event", commit(operation="delete", did=OTHER))

    stream = BlueskyStream(name="test", track=("storm",), hosts=(HERE, THERE))
    of = BlueskyFeed(stream, Context(tmp_path, None, None, pytest.fail, kept))  # type: ignore[arg-type]
    assert of.until_allowed(0.0).seconds > 0
    go_on.set()
    while of.until_allowed(0.0).seconds:
        pass
    assert fates(of, commit(operation="delete"), commit(operation="delete", did=OTHER)) == [
        Disposition.KEEP,
        Disposition.UNMATCHED,
    ]
    assert HeldPosts(path).is_complete


def test_a_file_that_cannot_be_read_again_is_named(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The stream goes on with what could be read."""

    def kept(report: Any) -> Any:
        report("/data/gone.jsonl.gz: cannot be read: Input/output error")
        yield post("storm")

    stream = BlueskyStream(name="test", track=("storm",), hosts=(HERE, THERE))
    of = BlueskyFeed(stream, Context(tmp_path, None, None, pytest.fail, kept))  # type: ignore[arg-type]
    while of.until_allowed(0.0).seconds:
        pass
    assert fates(of, commit(operation="delete")) == [Disposition.KEEP]
    assert "/data/gone.jsonl.gz: cannot be read: Input/output error; deletions" in caplog.text
