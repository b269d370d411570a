"""The benchmarks' own sums: posts as large and as compressible as real ones, ratios, exponents, bands."""

from __future__ import annotations

import itertools
import json

import pytest

from benchmarks import subjects
from benchmarks.lib import bands, rounds
from benchmarks.lib.posts import Posts, sizes

REAL_SIZE, REAL_RATIO = 5000, 0.1444
"""Of 202 real posts with all fields: mean bytes, and what gzip -6 makes of them in one file."""


def test_generated_posts_are_as_large_and_as_compressible_as_real_ones():
    lines = list(itertools.islice(Posts().lines(), 202))
    size, ratio = sizes(lines)
    assert size == pytest.approx(REAL_SIZE, rel=0.1)
    assert ratio == pytest.approx(REAL_RATIO, rel=0.1)
    assert len({json.loads(line)["data"]["id"] for line in lines}) == 202


def test_every_other_round_goes_the_other_way():
    order = []
    figures = rounds.interleave(2, {name: lambda name=name: order.append(name) for name in "abc"})
    assert "".join(order) == "abccba"
    assert figures == {"a": [None] * 2, "b": [None] * 2, "c": [None] * 2}


def test_a_ratio_is_made_within_each_round():
    assert rounds.ratio([1, 20, 3], [1, 10, 1]) == 2


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_an_exponent_is_the_slope_on_logarithmic_scales(power):
    assert rounds.exponent({size: 3 * size**power for size in (10, 100, 1000)}) == pytest.approx(power)


def test_a_ratio_outside_its_band_is_named_and_so_is_one_that_was_not_measured():
    accepted = {"a": bands.Band(1, 2), "b": bands.Band(1, 2), "c": bands.Band(1, 2)}
    assert bands.outside({"a": 1.5, "b": 2.5, "d": 1}, accepted) == [
        "d: 1 has no band",
        "b: 2.5 is outside its band, 1 to 2",
        "c: has a band, but was not measured",
    ]


def test_every_band_belongs_to_a_subject():
    for name, accepted in bands.read().items():
        assert name in subjects.names()
        for ratio, band in accepted.items():
            assert band.low <= band.high, ratio
