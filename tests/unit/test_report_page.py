"""The pages of a report."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

from tests.support.collected import Collecting, Host, three_streams


def made(host: Host, *options: str) -> dict[str, str]:
    """The pages of a report, by name."""
    out = host.config.parent / "out"
    command = [sys.executable, "-m", "sfm_stream", "report", *host.options, "-o", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return {path.name: path.read_text() for path in out.glob("*.html")}


def asked(page: str) -> str:
    """The text of a page's part on what was asked for."""
    part = page.partition('<h2 id="asked">')[2].partition("<h2")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())


def test_pages_tell_what_was_asked_and_what_is_missing_and_need_nothing_else(tmp_path: Path) -> None:
    """All streams and each one, without a script or anything from elsewhere."""
    host = three_streams(tmp_path, date(2026, 11, 1), 3, per_day=100)
    pages = made(host, "--to", "2026-11-03")
    assert len(pages) == 4
    assert "Autumn storms 2026" in pages["index.html"]
    storms = pages["stream-twitterfilter-storms.html"]
    for words in ("flash flood", "no answer: Connection timed out", "How to cite", "k-lost", "k-recovered"):
        assert words in storms
    for text in pages.values():
        assert "<script" not in text
        assert not re.search(r'(src|<link[^>]*href)="(?!data:)', text)


def test_readers_see_what_was_asked_for_and_nothing_of_how_it_is_told_to_the_program(tmp_path: Path) -> None:
    """Neither keys that only programs know, nor what is at its default; a filter's only rule needs no name."""
    host = Host(tmp_path, date(2026, 11, 1), 1)
    internal = {"kind": "filterstream", "credential": "weather", "api_url": "http://x", "backfill_minutes": 5}
    first = {"rules": [{"name": "main", "track": ["hail"], "follow": []}]}
    later = {"rules": [{"name": "main", "track": ["hail", "snow"], "follow": []}]}
    host.collect(Collecting("x", "storms", 20, {0.0: internal | first, 0.5: {**internal, "kind": "other"} | later}))
    whole = {"everything": False, "collections": ["app.bsky.feed.post"], "hosts": ["ws://127.0.0.1:1"], "langs": ["en"]}
    host.collect(Collecting("bluesky", "harbour", 20, {0.0: {**whole, "track": []}}))
    host.collect(Collecting("wikimedia", "all", 20, {0.0: {"everything": False, "wikis": []}}))
    pages = made(host, "--to", "2026-11-01")
    storms = asked(pages["stream-twitterfilter-storms.html"])
    assert "track hail" in storms
    assert "track + snow" in storms
    for word in ("main", "follow", "filterstream", "api_url", "weather", "backfill"):
        assert word not in storms, word
    assert "How it runs changed as well: kind" in storms
    harbour = asked(pages["stream-bluesky-harbour.html"])
    assert "langs en" in harbour
    for word in ("everything", "collections", "hosts", "track"):
        assert word not in harbour, word
    assert "Nothing narrows it: all that Wikimedia sends" in asked(pages["stream-wikimedia-all.html"])


def test_posts_that_no_list_covers_are_told_where_the_lists_stand(tmp_path: Path) -> None:
    """A count of hashtags would else seem to be of all posts."""
    host = Host(tmp_path, date(2026, 11, 1), 1)
    host.collect(Collecting("x", "storms", 200))
    pages = made(host, "--to", "2026-11-01")
    assert "none of these lists" not in pages["stream-twitterfilter-storms.html"]
    path = min(host.data.rglob("*.jsonl.gz"))
    lines = gzip.decompress(path.read_bytes()).splitlines()
    odd = json.dumps({"data": {"id": "1859999999999999999", "text": "hail", "entities": "none"}}).encode()
    path.write_bytes(gzip.compress(b"\n".join([*lines, odd, b""])))
    pages = made(host, "--to", "2026-11-01")
    lists = (
        pages["stream-twitterfilter-storms.html"].partition('<h2 id="content-of-posts">')[2].partition("<section")[0]
    )
    assert "1 post is in none of these lists" in lists
