"""The one look of all commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream import table


def test_columns_stand_below_each_other_and_numbers_to_the_right() -> None:
    """The table is aligned, has no blanks at line ends, and shows None as a dash."""
    text = table.render(["FILE", "POSTS", "CAUSE"], [["a", 5, "x"], ["storms", 1200, None]], right=["POSTS"])
    assert text == "FILE    POSTS  CAUSE\na           5  x\nstorms   1200  -"


def test_wide_characters_keep_the_columns() -> None:
    """A cell of Chinese text takes two columns a character."""
    lines = table.render(["A", "B"], [["天气", "x"], ["abcd", "y"]]).splitlines()
    assert lines[1:] == ["天气  x", "abcd  y"]


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_any_file_name_can_be_printed(name: str) -> None:
    """No name, be it of bytes that are no UTF-8 or of control characters, breaks a line or the output."""
    raw = name.encode("utf-8", "surrogatepass").replace(b"\0", b"")
    text = table.printable(raw.decode("utf-8", "surrogateescape"))
    assert text.isprintable() or not text
    text.encode("utf-8")


def test_sizes_read_as_a_person_says_them() -> None:
    """Three figures at most, in the unit that fits."""
    values = (0, 999, 1000, 1500, 9_960, 999_499, 999_600, 20_000_000_000, 3e18)
    assert [table.size(value) for value in values] == [
        *("0 B", "999 B", "1.0 KB", "1.5 KB", "10 KB", "999 KB", "1.0 MB", "20 GB", "3000 PB")
    ]


def test_durations_read_as_a_person_says_them() -> None:
    """The two largest units, and no zeros."""
    values = (0, 0.41, 42, 185, 7200, 7205, 446_400, 86_399.6)
    assert [table.duration(value) for value in values] == [
        *("0 s", "0.4 s", "42 s", "3 min 5 s", "2 h", "2 h", "5 d 4 h", "1 d")
    ]


def test_times_are_utc() -> None:
    """A moment reads the same, whatever zone it came in."""
    when = datetime.fromisoformat("2026-11-24T22:13:00.123456+02:00")
    assert table.moment(when) == "2026-11-24 20:13:00"
    assert table.moment(when.timestamp()) == table.moment(when.astimezone(UTC))


def test_json_and_csv_hold_the_same_rows() -> None:
    """What a script reads back is what went in."""
    assert json.loads(table.json_text({"a": [1, None]})) == {"a": [1, None]}
    assert table.csv_text(["A", "B"], [["x,y", None], ['"', 1]]) == 'A,B\n"x,y",\n"""",1'


def test_progress_is_silent_off_a_terminal_when_the_work_is_short() -> None:
    """Nothing but results comes out of a job that a timer starts."""

    @click.command()
    def work() -> None:
        with table.progress("Working", lambda: 1 // 0) as advance:
            advance(1)

    result = CliRunner().invoke(work, catch_exceptions=False)
    assert result.output == ""
