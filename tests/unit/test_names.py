"""The names of capture files, and their place in the date tree."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.names import PART, SUFFIXES, CaptureName, parse
from sfm_stream.settings.model import SAFE_NAME

safe_names = st.from_regex(SAFE_NAME, fullmatch=True)
times = st.datetimes(datetime(1970, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda time: time.replace(microsecond=0)
)
names = st.builds(
    CaptureName, program=safe_names, time=times, number=st.integers(1, 10_000), suffix=st.sampled_from(SUFFIXES)
)


@given(names)
def test_a_name_reads_back_as_it_was_written(name: CaptureName) -> None:
    """For every safe name of a filter, every second and every number."""
    assert parse(str(name)) == name
    assert parse(f"{name}{PART}") is None, "a segment is no capture file"


@given(safe_names, times)
def test_a_program_that_is_named_like_a_file_is_read_right(name: str, time: datetime) -> None:
    """A filter may be called like a time; the last time in a name is the file's."""
    odd = f"{name}-{time:%Y-%m-%dT%H-%M-%SZ}"
    capture = CaptureName(program=odd, time=time)
    assert parse(str(capture)) == capture


@given(names, names)
def test_files_of_a_program_sort_as_they_were_made(first: CaptureName, second: CaptureName) -> None:
    """By time and number, up to the ninth of a second; so `ls` shows them."""
    if first.program == second.program or first.number > 9 or second.number > 9:
        return
    second = CaptureName(program=first.program, time=second.time, number=second.number, suffix=second.suffix)
    assert (first < second) == (str(first) < str(second))


def test_the_first_of_a_second_has_no_number_and_sorts_before_the_second() -> None:
    """The names that people see are short, and in the order of their making."""
    time = datetime(2026, 11, 24, 20, 15, tzinfo=UTC)
    made = [str(CaptureName(program="streamsample", time=time, number=number)) for number in (1, 2, 3)]
    assert made[0] == "streamsample-2026-11-24T20-15-00Z.jsonl.gz"
    assert made == sorted(made)


@pytest.mark.parametrize(
    ("name", "program", "time"),
    [
        ("twitterfilter-2-2014-04-11T04-34-28Z.gz", "twitterfilter-2", datetime(2014, 4, 11, 4, 34, 28, tzinfo=UTC)),
        ("twitterfilter-2-2013-01-02T03:04:05Z.gz", "twitterfilter-2", datetime(2013, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("streamsample-2014-04-11T04-34-28Z.xml.gz", "streamsample", datetime(2014, 4, 11, 4, 34, 28, tzinfo=UTC)),
        ("streamsample-2014-04-11T04-34-28Z.json.gz", "streamsample", datetime(2014, 4, 11, 4, 34, 28, tzinfo=UTC)),
    ],
)
def test_names_of_sfm_are_read(name: str, program: str, time: datetime) -> None:
    """Archives of years are organized and audited along."""
    found = parse(name)
    assert found is not None
    assert (found.program, found.time) == (program, time)


@pytest.mark.parametrize(
    "name",
    [
        *("", "x.gz", "-2014-04-11T04-34-28Z.gz", "a-2014-04-11T04-34-28Z", "a-2014-04-11T04-34-28Z.jsonl"),
        *("a-2014-02-30T04-34-28Z.gz", "a-2014-04-11T24-00-00Z.gz", "a-2014-04-11T04-34-28Z.jsonl.gz.part"),
        *("../a-2014-04-11T04-34-28Z.gz", ".a-2014-04-11T04-34-28Z.gz", "a-2014-04-11T04-34-28Z_0.jsonl.gz"),
        *("a-2014-04-11T04-34-28Z.zst", "a-2014-04-11T04-34-28Z.jsonl.zst.part", "a-2014-04-11T04-34-28Z.jsonl.xz"),
        *("a-2014-04-11T04-34-28Z.jsonl.gz\n", "a/b-2014-04-11T04-34-28Z.gz", "a-2014-04-11T04-34-28Z.tar.gz"),
        "a-\N{FULLWIDTH DIGIT TWO}014-04-11T04-34-28Z.gz",
    ],
)
def test_what_is_no_capture_files_name_is_none(name: str) -> None:
    """Nothing outside the data directory, no impossible date, no segment, no digits but the plain ones."""
    assert parse(name) is None


def test_the_place_in_the_date_tree_is_that_of_the_beginning() -> None:
    """Program, year, month, day, hour: SFM's own layout."""
    name = parse("twitterfilter-storms-2026-01-02T03-59-59Z.jsonl.gz")
    assert name is not None
    assert name.folder == PurePath("twitterfilter-storms/2026/01/02/03")
