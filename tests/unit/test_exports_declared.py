"""What an inventory may say of scheduled exports."""

from __future__ import annotations

from typing import Any

import pytest

from sfm_stream.export.declared import ScheduledExport, resolve
from sfm_stream.settings.faults import Fault

FILTERS = {"storms": ("x", "twitterfilter-storms"), "birds": ("bluesky", "blueskyfilter-birds")}
GOOD: dict[str, Any] = {"name": "weekly", "filter": "storms"}


def faults(*exports: object, directory: str = "/srv/exports") -> list[str]:
    found: list[Fault] = []
    resolve(list(exports), directory, FILTERS, found)
    return [str(each) for each in found]


def test_an_export_names_the_program_of_its_filter() -> None:
    """What is left out is as the reference says."""
    found: list[Fault] = []
    (export,) = resolve([GOOD | {"columns": ["time", "text"], "match": "hail lang:en"}], "/srv", FILTERS, found)
    assert found == []
    assert isinstance(export, ScheduledExport)
    assert (export.program, export.format, export.span, export.folder) == (
        "twitterfilter-storms",
        "csv",
        "week",
        "weekly",
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"filter": "storm"}, "export 'weekly': unknown filter \"storm\"; did you mean 'storms'?"),
        ({"name": "a/b"}, "export 'a/b': found the name \"a/b\"; up to 64 letters"),
        ({"directory": "../x"}, "export 'weekly': directory: found the name \"../x\"; up to 64"),
        ({"format": "excel"}, "export 'weekly': format: found \"excel\"; allowed are csv, xlsx"),
        ({"span": "year"}, "export 'weekly': span: found \"year\"; allowed are day, week, month, all"),
        ({"schedule": "hourly"}, "export 'weekly': schedule: found \"hourly\"; allowed are daily, weekly, monthly"),
        ({"colums": ["time"]}, "export 'weekly': unknown key 'colums'; did you mean 'columns'?"),
        ({"columns": ["tim"]}, "export 'weekly': columns: there is no column 'tim'; did you mean 'time'?"),
        ({"columns": "time"}, "export 'weekly': columns: found \"time\"; a list is needed"),
        ({"format": "ids", "columns": ["id"]}, "export 'weekly': columns: format ids has one column"),
        ({"format": "xlsx", "columns": ["+raw"]}, "export 'weekly': columns: raw does not fit into cells of XLSX"),
        ({"match": "(hail"}, "export 'weekly': match: no query of X"),
        ({"sample": 0}, "export 'weekly': sample: found 0 (a number)"),
        ({"pseudonymise": "key"}, "export 'weekly': pseudonymise: found \"key\"; the absolute path of a key"),
        (
            {"twarc": True, "filter": "birds"},
            "export 'weekly': columns: twarc: twarc-csv has no columns for posts of",
        ),
        ({"format": "xlsx", "excel": True}, "export 'weekly': excel: it is for csv, and not for xlsx; leave it out"),
    ],
)
def test_each_fault_names_the_export_the_value_and_what_to_do(changes: dict[str, Any], said: str) -> None:
    """One line, before any host is touched."""
    (found,) = faults(GOOD | changes)
    assert found.startswith(said)


def test_all_faults_are_told_at_once() -> None:
    """Of all exports, and what is wrong with them together."""
    *found, last = faults(GOOD | {"span": "year"}, {"filter": "storms"}, GOOD, "weekly", directory="")
    assert last.endswith("nowhere to put them; a directory of their own is needed: sfm_export_dir: /srv/sfm/exports")
    assert found == [
        "export 'weekly': span: found \"year\"; allowed are day, week, month, all",
        "sfm_exports[1]: the key 'name' is missing; it must be given",
        'sfm_exports[3]: found "weekly"; a mapping of keys to values is needed',
        'sfm_exports: two exports are named "weekly"; rename one of them',
    ]


def test_something_else_than_a_list_is_refused() -> None:
    """By the variable's name."""
    found: list[Fault] = []
    assert resolve({"weekly": {}}, "/srv", FILTERS, found) == []
    assert str(found[0]).startswith("sfm_exports: found {")
