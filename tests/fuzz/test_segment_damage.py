"""A damaged segment: no line is made up, none before the damage is lost, and all of it is kept."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.capture import check
from sfm_stream.capture.salvage import salvage
from sfm_stream.capture.segment import Line, Segment
from sfm_stream.compression.content import Content
from sfm_stream.compression.formats import FORMATS, Format
from sfm_stream.sources.x.envelope import classify
from tests.fuzz.damage import HARM, Harm, first_difference, harmed

PROGRAM = "twitterfilter-storms"
BEGUN = datetime(2026, 11, 24, 20, 15, tzinfo=UTC)
formats = pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
WORDS = ["hail", "rain", "snow", "天气", "🌪", "storm"]


def killed(
    directory: Path, seed: int, batches: list[int], unflushed: int, kind: Format
) -> tuple[Path, list[tuple[int, int]]]:
    """A segment of a killed program: its path, and where each flush ends, with the number of lines by then."""
    chance, number = random.Random(seed), 0
    segment = Segment(directory, PROGRAM, BEGUN, kind)
    flushes = [(0, 0)]
    for size in [*batches, unflushed]:
        lines = []
        for _ in range(size):
            text = " ".join(chance.choices(WORDS, k=chance.randint(1, 30)))
            raw = json.dumps({"data": {"id": str(number), "text": text}}, ensure_ascii=False).encode()
            lines.append(Line(raw, float(number + 1), str(number)))
            number += 1
        if lines:
            segment.write(lines)
        if len(flushes) <= len(batches):
            segment.flush()
            flushes.append((segment.path.stat().st_size, number))
    return segment.path, flushes


def text_of(path: Path) -> list[bytes]:
    content = Content([path.read_bytes()])
    lines = list(content.lines())
    assert (content.ending, content.rest) == ("whole", b"")
    return lines


def written(seed: int, batches: list[int], place: Path, kind: Format) -> list[bytes]:
    """The lines that `killed` wrote, in a segment that came to its end."""
    path, _ = killed(place, seed, [*batches, 1], 0, kind)
    saved = salvage(path, classify)
    assert saved.file is not None
    return text_of(place / saved.file)


@formats
@given(
    st.integers(0, 3),
    st.lists(st.integers(1, 8), min_size=1, max_size=6),
    st.integers(0, 3),
    st.lists(HARM, min_size=1, max_size=3),
)
def test_no_line_is_made_up_and_none_before_the_damage_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    kind: Format,
    seed: int,
    batches: list[int],
    unflushed: int,
    harms: list[Harm],
) -> None:
    """Exactly the lines of whole flushes are kept; whatever else the segment holds is kept aside, or was cut off."""
    place = tmp_path_factory.mktemp("data")
    lines = written(seed, batches, tmp_path_factory.mktemp("whole"), kind)
    path, flushes = killed(place, seed, batches, unflushed, kind)
    whole = raw = path.read_bytes()
    for harm in harms:
        raw = harmed(raw, harm)
    at = first_difference(whole, raw)
    sound = max(count for end, count in flushes if at is None or end <= at)
    path.write_bytes(raw)
    saved = salvage(path, classify)
    kept = text_of(place / saved.file) if saved.file else []
    assert kept == lines[:sound]
    assert saved.posts == sound
    if saved.aside:
        assert (place / saved.aside).read_bytes() == raw
    else:
        after = min((end for end, count in flushes if count > sound), default=len(whole))
        assert len(raw.rstrip(b"\0")) <= after, "what was not kept aside was cut off within a flush"


@formats
@given(st.integers(0, 3), st.lists(st.integers(1, 8), min_size=1, max_size=6), st.lists(HARM, min_size=1, max_size=3))
def test_a_damaged_check_makes_up_nothing_and_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, kind: Format, seed: int, batches: list[int], harms: list[Harm]
) -> None:
    """What it does not vouch for is kept aside."""
    place = tmp_path_factory.mktemp("data")
    lines = written(seed, batches, tmp_path_factory.mktemp("whole"), kind)
    path, _ = killed(place, seed, batches, 0, kind)
    raw, proof = path.read_bytes(), check.path_of(path)
    harmed_proof = proof.read_bytes()
    for harm in harms:
        harmed_proof = harmed(harmed_proof, harm)
    proof.write_bytes(harmed_proof)
    saved = salvage(path, classify)
    kept = text_of(place / saved.file) if saved.file else []
    assert kept == lines[: len(kept)]
    if len(kept) < sum(batches):
        assert saved.aside is not None
        assert (place / saved.aside).read_bytes() == raw
