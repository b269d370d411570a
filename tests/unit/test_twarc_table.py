"""`sfm-stream export --twarc`: what twarc-csv makes of the same posts.

tests/data/twarc-csv/posts.csv is what twarc-csv 0.7.2 made of posts.jsonl beside it, one post at a time, so that
pandas had no missing numbers to turn whole ones into fractions for. Each post is of another kind: with everything in
its text, a reply, a repost, a quote, with a poll, with a place, withheld, and a repost of what was not delivered.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sfm_stream.cli import cli
from sfm_stream.sources import registry

THEIRS = Path(__file__).parents[1] / "data" / "twarc-csv"


def export(here: Path, lines: list[bytes], name: str, *options: str, source: str = "x") -> Result:
    (here / "in.jsonl.gz").write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))
    command = ["export", "--source", source, "--twarc", *options, str(here / "in.jsonl.gz"), "-o", str(here / name)]
    return CliRunner().invoke(cli, command)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_columns_and_values_are_those_of_twarc_csv(tmp_path: Path) -> None:
    """But for truth, which pandas writes as Python does, and reads either way."""
    done = export(tmp_path, (THEIRS / "posts.jsonl").read_bytes().splitlines(), "out.csv")
    assert done.exit_code == 0, done.output
    theirs = [
        {name: {"True": "true", "False": "false"}.get(value, value) for name, value in row.items()}
        for row in rows(THEIRS / "posts.csv")
    ]
    ours = rows(tmp_path / "out.csv")
    assert list(ours[0]) == list(theirs[0])
    assert ours == theirs


def test_a_long_text_is_whole(tmp_path: Path) -> None:
    """twarc-csv leaves out the whole batch where a post has one."""
    post = {
        "id": "1",
        "text": "cut off",
        "note_tweet": {"text": "all of it", "entities": {"hashtags": [{"tag": "end"}]}},
    }
    export(tmp_path, [json.dumps({"data": post}).encode()], "out.csv")
    (row,) = rows(tmp_path / "out.csv")
    assert (row["text"], row["entities.hashtags"]) == ("all of it", '["#end"]')


def test_numbers_count_by_either_of_their_names(tmp_path: Path) -> None:
    """X has new names for reposts and posts, and sends both for now."""
    user = {"id": "2", "username": "a", "public_metrics": {"post_count": 9}}
    line = {"data": {"id": "1", "author_id": "2", "public_metrics": {"repost_count": 7}}, "includes": {"users": [user]}}
    export(tmp_path, [json.dumps(line).encode()], "out.csv")
    (row,) = rows(tmp_path / "out.csv")
    assert (row["public_metrics.retweet_count"], row["author.public_metrics.tweet_count"]) == ("7", "9")
    own = registry.source("x").rows()
    assert own.row(("reposts", "account_posts"))(own.read(json.dumps(line).encode())) == (7, 9)


def places(inside: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Where the parts of a JSON value are."""
    if path:
        yield path
    for key in inside if isinstance(inside, dict) else range(len(inside)) if isinstance(inside, list) else ():
        yield from places(inside[key], *path, key)


@pytest.mark.parametrize("value", [None, 3, "x", [], {}, [3], [None], {"id": 3}, [[]]])
def test_no_part_of_another_type_makes_it_fail(value: Any) -> None:
    """It costs its own cells."""
    table = registry.source("x").twarc_rows()
    assert table is not None
    for line in (THEIRS / "posts.jsonl").read_bytes().splitlines():
        for *path, last in places(json.loads(line)):
            inner = whole = json.loads(line)
            for key in path:
                inner = inner[key]
            inner[last] = value
            flat = table.read(json.dumps(whole).encode())
            if flat is not None:
                for column in table.columns:
                    column.value(flat)
                table.standing(flat)


def test_it_is_for_posts_of_x_and_for_tables(tmp_path: Path) -> None:
    """Each refusal says what to leave out."""
    line = [b'{"data":{"id":"1"}}']
    (key := tmp_path / "key").write_bytes(b"k" * 32)
    key.chmod(0o600)
    refusals = {
        str(export(tmp_path, line, "out.csv", source="bluesky").exception),
        str(export(tmp_path, line, "out.txt", "--format", "ids").exception),
        str(export(tmp_path, line, "out.csv", "--pseudonymise", str(key)).exception),
        str(export(tmp_path, line, "out.csv", "--columns", "lnag").exception),
    }
    assert refusals == {
        "--twarc: twarc-csv has no columns for posts of Bluesky; leave it out",
        "--format ids has one column, and takes no --twarc",
        "--twarc: its columns hold what pseudonyms replace; leave --twarc or --pseudonymise",
        "--columns: there is no column 'lnag'; did you mean 'lang'?",
    }
