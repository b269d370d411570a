"""A program that runs for months holds no more after a day than after its first minutes; the days pass quickly here."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from sfm_stream.capture.repeats import REMEMBERED, Repeats
from sfm_stream.capture.segment import Line
from sfm_stream.capture.sink import RECENT, Files
from sfm_stream.compression.formats import FORMATS, Format
from sfm_stream.record.journal import Journal
from sfm_stream.sources.lines import Classified, LineKind
from sfm_stream.sources.x.envelope import classify
from sfm_stream.sources.x.simulator.apps import App, AppLimits
from sfm_stream.sources.x.simulator.generator import Draft, Generator
from sfm_stream.sources.x.simulator.wire import line, read_wanted

SMALL = 200_000
"""Bytes that may come and go: caches of the interpreter, and of what it has imported."""


def grown(work: Callable[[], object], before: int, after: int) -> int:
    """By how many bytes more is held after doing something again and again, once it has been done a few times."""
    tracemalloc.start()
    try:
        for _ in range(before):
            work()
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        for _ in range(after):
            work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - held
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
def test_a_day_of_files_leaves_nothing_in_memory(kind: Format, tmp_path: Path) -> None:
    """96 of them, a quarter of an hour each."""
    journal = Journal(tmp_path / "journal.jsonl")
    files = Files(tmp_path, "streamsample", 900.0, None, kind, journal, classify)
    ids = itertools.count()

    def quarter_of_an_hour() -> None:
        files.write([Line(b'{"data":{"id":"%d"}}' % post, 1000.0, str(post)) for post in itertools.islice(ids, 200)])
        files.close()
        for path in tmp_path.glob("*.jsonl.*"):
            path.unlink()

    assert grown(quarter_of_an_hour, before=RECENT // 200 + 5, after=96) < SMALL


def test_what_is_known_of_repeats_has_a_bound() -> None:
    """However many lines a source replays."""
    repeats, keys = Repeats(), itertools.count()

    def some() -> None:
        for key in itertools.islice(keys, 1000):
            repeats.is_known(Classified(LineKind.POST, key=f"key {key}"))

    assert grown(some, before=3 * REMEMBERED // 1000, after=50) < SMALL


def test_the_simulator_holds_no_post_that_it_will_not_send_again() -> None:
    """Half an hour at 20 a second, and two apps with rules of their own."""
    generator, apps = Generator(1), [App(name, AppLimits()) for name in "ab"]
    for app in apps:
        app.add_rules([("the", "")], commit=True)
        app.apply_rules()
    wanted, _ = read_wanted({"tweet.fields": "created_at", "expansions": "author_id"})
    for number in range(1800 * 20):
        draft = generator.next()
        for app in apps:
            if (matching := app.matching(draft)) is not None:
                line(draft, wanted, (number + 1) << 22, matching)
    del draft
    gc.collect()
    assert sum(isinstance(each, Draft) for each in gc.get_objects()) <= 1024
