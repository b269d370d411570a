"""What becomes of odd lines: posts go into the file byte for byte, all else into the journal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.fault.compare import compare, kept_ids, lines_of, nothing_missing
from tests.fault.world import World, in_both_formats
from tests.support.simulator import Simulator
from tests.support.waiting import until

COMMAND = (sys.executable, "-m", "sfm_stream")


def _capture(world: World, *actions: dict[str, object], posts: int = 30) -> None:
    world.order({"actions": list(actions)})
    running = world.start()
    world.connected()
    world.sent_more(posts)
    running.stop()


def test_a_gzip_coded_stream_is_read(world: World) -> None:
    """X may compress the stream in transit: every line arrives all the same, and as soon."""
    _capture(world, {"do": "gzip"})
    nothing_missing(world)


@in_both_formats
def test_invalid_utf8_is_kept_as_it_came(world: World) -> None:
    """A post with bytes that are no UTF-8 is a post: none of its bytes is changed."""
    _capture(world, {"do": "inject", "what": "invalid-utf8", "after": 10})
    compare(world)
    odd = next(event["id"] for event in world.ledger() if event["event"] == "message")
    assert [line for line in lines_of(world) if b"\xff\xfe" in line]
    assert odd in kept_ids(world)


@in_both_formats
def test_a_line_of_ten_megabytes_is_kept(world: World) -> None:
    """No line is too long for the reader, the buffer or the file."""
    _capture(world, {"do": "inject", "what": "long", "after": 10})
    nothing_missing(world)
    assert max(map(len, lines_of(world))) > 10_000_000


@pytest.mark.parametrize(("what", "text"), [("unknown", "maintenance"), ("errors", "Hydration"), ("not-json", "502")])
def test_a_line_that_is_no_post_is_journaled_and_ends_nothing(world: World, what: str, text: str) -> None:
    """Unknown messages stay out of the files, where they would break the readers of posts."""
    _capture(world, {"do": "inject", "what": what, "after": 10})
    nothing_missing(world)
    assert text in world.events("message")[0]["text"]
    assert len(world.events("connect")) == 1
    assert all(line.startswith(b'{"data"') for line in lines_of(world))


def test_errors_beside_a_post_stay_with_it(world: World) -> None:
    """A partial error is part of the line, and the line is kept as it came."""
    _capture(world, {"do": "inject", "what": "errors-beside-data", "after": 10})
    nothing_missing(world)
    assert sum("errors" in json.loads(line) for line in lines_of(world)) == 1
    assert world.events("message") == []


@pytest.mark.parametrize(
    "text",
    ["[1, 2]", "0", '{"data": 7}', '{"data": {"id": 7}}', "[" * 5000, '{"errors": "all of it"}', "{}", '{"data": []}'],
    ids=["list", "number", "data-number", "id-number", "deep", "errors-text", "empty", "data-list"],
)
def test_lines_of_other_shapes_end_nothing(world: World, text: str) -> None:
    """Whatever JSON X invents, the stream goes on."""
    world.order({"actions": [{"do": "inject", "what": "raw", "text": text, "after": 5}]})
    running = world.start()
    world.connected()
    world.sent_more(15)
    running.stop()
    assert len(world.events("connect")) == 1
    assert len(set(kept_ids(world)) & {event["id"] for event in world.sent()}) == len(world.sent())


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff{"data":{"id":"17","text":"a"}}',
        '{"data":{"id":"17","text":"a"},"x":' + "[" * 1500 + "]" * 1500 + "}",
        '{"data":{"id":"17","n":' + "7" * 6000 + "}}",
    ],
    ids=["byte order mark", "deep", "6,000 digits"],
)
def test_a_post_that_a_json_reader_refuses_is_in_the_file(world: World, text: str) -> None:
    """Byte for byte: it was paid for."""
    _capture(world, {"do": "inject", "what": "raw", "text": text, "after": 10})
    assert text.encode(errors="surrogateescape") in lines_of(world)
    assert world.events("message") == []


def test_messages_are_counted_and_shown(world: World) -> None:
    """A limit, a warning, a withheld post, a problem and a line of no kind: status and gaps tell of them."""
    texts = [
        '{"limit":{"track":7}}',
        '{"withheld":{"post_id":"17"}}',
        '{"warning":{"code":"FALLING_BEHIND"}}',
        '{"errors":[{"title":"Field Hydration Failure"}]}',
        "<html>",
    ]
    world.order({"actions": [{"do": "inject", "what": "raw", "text": text, "after": 5} for text in texts]})
    running = world.start()
    world.connected()
    world.sent_more(10)
    until(lambda: world.status().get("messages_today") == 5, "5 messages in", world)
    config = str(world.folder / "config")
    status = subprocess.run([*COMMAND, "status", "--config-dir", config], capture_output=True, text=True)
    assert "5 lines today that are no posts, the last: unreadable" in status.stdout
    running.stop()
    assert [event["kind"] for event in world.events("message")] == ["notice"] * 3 + ["error", "unreadable"]
    gaps = subprocess.run([*COMMAND, "gaps", "--config-dir", config], capture_output=True, text=True)
    assert gaps.returncode == 3
    for words in ("notice: limit", "notice: withheld", "notice: warning", "error: Field Hydration", "unreadable: "):
        assert words in gaps.stdout
    assert "1 lines of the stream could not be read" in gaps.stderr


def test_a_flood_of_messages_does_not_fill_the_journal(world: World) -> None:
    """So many a minute are kept, the others counted; the posts among them arrive as ever."""
    flood = '{"limit":{"track":7}}\r\n' * 20_000
    _capture(world, {"do": "inject", "what": "raw", "text": flood + "[" * 9_000, "after": 10})
    nothing_missing(world)
    kept = world.events("message")
    assert len(kept) < 100
    assert sum(event.get("left_out", 1) for event in kept) == 20_001
    assert (world.state / "journal" / f"{world.program}.jsonl").stat().st_size < 100_000


def test_blank_lines_are_not_kept(world: World) -> None:
    """A keep-alive amid posts leaves no empty line in the file."""
    _capture(world, *({"do": "inject", "what": "blank", "after": after} for after in (0, 5, 5, 9)))
    nothing_missing(world)
    assert all(lines_of(world))


@in_both_formats
def test_duplicates_are_kept_and_counted(world: World) -> None:
    """What X sends twice is in the file twice; the journal says how many there were."""
    _capture(world, {"do": "duplicate", "posts": 7, "after": 5})
    compared = nothing_missing(world)
    assert compared.kept == compared.sent
    assert sum(event.get("duplicates", 0) for event in world.events("rotate")) == 7


def test_posts_out_of_order_are_kept_in_the_order_of_their_arrival(world: World) -> None:
    """The file has the order of the stream, whatever the ids say."""
    _capture(world, {"do": "shuffle", "posts": 10, "after": 5}, posts=40)
    nothing_missing(world)
    assert kept_ids(world) == [event["id"] for event in world.sent()]


@in_both_formats
def test_recorded_posts_are_in_the_files_byte_for_byte(world: World, simulator: Callable[..., Simulator]) -> None:
    """No byte of a line changes on its way: neither escapes nor blanks nor the order of keys."""
    odd = [
        '{"matching_rules": [], "data":{"text":"storm \\u00e9 é \\/ 🎉","id":"1"}}',
        '{ "data" : { "id" : "2", "text" : "storm",\t"new_field":{"deep":[1.50,1e3,null]} } , "more": true }',
        '{"data":{"id":"3","text":"storm"},"includes":{},"errors":[{"title":"x"}]}',
    ]
    path = world.folder / "posts.jsonl"
    path.write_text("".join(f"{line}\n" for line in odd))
    world.simulated = simulator("--posts", str(path), "--rate", "50")
    world.write_settings(api_url=world.simulated.url)
    running = world.start()
    world.connected()
    world.sent_more(3 - len(world.sent()))
    running.stop()
    assert lines_of(world) == [line.encode() for line in odd]
