"""A trial tells what a filter would have matched, and what that would have cost."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sfm_stream.cli import cli
from sfm_stream.matching.expression import QueryError
from sfm_stream.sources.x.rules.trial import Trial, report, trial

RULES = (("sfm:w:storm", "storm"), ("sfm:w:both", "flood"), ("sfm:w:both", "hail"))


def post(number: int, text: str, **more: object) -> bytes:
    return json.dumps({"data": {"id": str(number), "text": text, **more}}).encode() + b"\n"


POSTS = [
    post(1, "storm", created_at="2026-11-24T10:00:00.000Z"),
    post(2, "hail and flood", created_at="2026-11-24T11:00:00.000Z"),
    post(3, "storm and hail", created_at="2026-11-24T12:00:00.000Z"),
    post(4, "sunshine", created_at="2026-11-24T22:00:00.000Z"),
]


def test_each_tag_is_counted_and_each_post_once() -> None:
    """However many rules of a tag match it; rules that match nothing are told too."""
    found = trial([*RULES, ("sfm:w:none", "tornado")], POSTS)
    assert found == Trial(
        matched={"sfm:w:storm": 2, "sfm:w:both": 2, "sfm:w:none": 0},
        distinct=3,
        posts=4,
        duplicates=0,
        unreadable=0,
        span=12 * 3600,
    )


def test_what_is_no_post_does_not_stop_it() -> None:
    """Torn lines, other JSON, bad UTF-8 and repeated posts are counted; blank lines and messages are nothing."""
    odd = [b"\r\n", b'{"data":{"id":"9","te', b"\n[1]\n", b'{"data":{"id":"1","text":"\xff"}}\n', b'{"errors":[]}\n']
    odd.append(post(8, "a", geo=7))
    found = trial([*RULES, ("geo", "a has:geo bounding_box:[1 2 3 4]")], [*POSTS, *odd, POSTS[0], b'{"data"'])
    assert (found.posts, found.duplicates, found.unreadable, found.distinct) == (4, 1, 5, 3)


@pytest.mark.parametrize("members", [1, 3])
def test_compressed_posts_are_read_as_they_are(members: int) -> None:
    """Of one gzip member or several, from a file or a pipe."""
    whole = b"".join(gzip.compress(b"".join(POSTS[start::members])) for start in range(members))
    assert trial(RULES, io.BytesIO(whole)).posts == 4
    assert trial(RULES, [whole[:11], whole[11:]]).posts == 4


def test_a_torn_compressed_file_gives_what_is_whole() -> None:
    """And counts as one unreadable line."""
    many = b"".join(post(number, f"storm {number * 7919}") for number in range(2000))
    found = trial(RULES, io.BytesIO(gzip.compress(many)[:-2000]))
    assert 1000 < found.posts < 2000
    assert found.unreadable in {1, 2}
    assert trial(RULES, [gzip.compress(POSTS[0]), b"\x1f\x8bnonsense"]).posts == 1


def test_ids_tell_the_time_where_nothing_else_does() -> None:
    """They are snowflakes; old ones that are not tell nothing."""
    assert trial(RULES, [post(10_000 << 22, "a"), post(70_000 << 22, "a")]).span == pytest.approx(60, abs=0.001)
    assert trial(RULES, [post(5, "a"), post(6, "a")]).span is None


def test_what_x_may_count_otherwise_is_said() -> None:
    """Operators that no recorded post answers, X's own word breaks, and posts quoted but not recorded."""
    quote = post(9, "so true", referenced_tweets=[{"type": "quoted", "id": "8"}])
    rules = [
        ("a", "storm -from_affiliate_of:x new_operator:1"),
        ("b", "選挙 has:audio"),
        ("c", '"100%" sample:10'),
        ("d", '"\U0001f44d\U0001f3fd" OR storm'),
    ]
    found = trial(rules, [*POSTS, quote])
    assert found.quotes_unseen == 1
    told = report(found)
    _, _, doubts = told.partition("X may count otherwise:\n")
    assert [line.split(" ")[1] for line in doubts.splitlines()] == [
        *(
            "from_affiliate_of:",
            "new_operator:",
            "has:audio",
            '"選挙"',
            '"100%"',
            "sample:10",
            '"\U0001f44d\U0001f3fd"',
            "1",
        ),
    ]
    assert "otherwise" not in report(trial(RULES, POSTS))


def test_a_quote_counts_by_what_it_quotes() -> None:
    """As X's stream would deliver, and charge, it."""
    line = {
        "data": {"id": "9", "text": "so true", "referenced_tweets": [{"type": "quoted", "id": "8"}]},
        "includes": {"tweets": [{"id": "8", "text": "a storm"}]},
    }
    assert trial(RULES, [json.dumps(line).encode()]).matched["sfm:w:storm"] == 1


def test_a_rule_that_x_would_refuse_is_refused() -> None:
    """As everywhere."""
    with pytest.raises(QueryError):
        trial([("a", "(storm")], [])


def test_the_report_is_a_table_with_its_basis() -> None:
    """Posts, share, a day, dollars; all rules together at the end."""
    text = report(trial(RULES, POSTS))
    lines = text.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["RULE", "POSTS", "SHARE", "A", "DAY", "COST", "A", "DAY", "COST", "A", "MONTH"],
        ["sfm:w:storm", "2", "50.0", "%", "4", "$0.02", "$0.60"],
        ["sfm:w:both", "2", "50.0", "%", "4", "$0.02", "$0.60"],
        ["all,", "each", "post", "once", "3", "75.0", "%", "6", "$0.03", "$0.90"],
    ]
    assert lines[5] == "4 posts over 12 h."
    assert "At $0.005 a post" in lines[6]


def test_the_report_does_not_guess() -> None:
    """No posts, or no time, no estimate."""
    assert "No estimate" in report(trial(RULES, []))
    assert "1 unreadable lines left out" in report(trial(RULES, [POSTS[0], b"{"]))


def test_the_command_tries_a_deployed_filter(tmp_path: Path) -> None:
    """With its settings, on a file or on standard input."""
    settings = {
        "kind": "filterstream",
        "name": "weather",
        "credential": "library",
        "rules": [{"name": "words", "track": ["storm"]}, {"name": "more", "query": "(hail OR flood) -storm"}],
    }
    (tmp_path / "streams").mkdir()
    (tmp_path / "streams" / "twitterfilter-weather.json").write_text(json.dumps(settings))
    run = CliRunner().invoke(
        cli,
        ["rules", "test", "weather", "--posts", "-", "--config-dir", str(tmp_path)],
        input=gzip.compress(b"".join(POSTS)),
    )
    assert run.exit_code == 0, run.output
    assert [line.split()[:2] for line in run.output.splitlines()[1:3]] == [
        ["sfm:weather:words", "2"],
        ["sfm:weather:more", "1"],
    ]
