"""What a filter will bring and cost, by X's counts, asked of a simulated X by the real command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfm_stream.sources.x.counts import Counted, report
from tests.support.program import Program
from tests.support.simulator import Simulator


@pytest.fixture
def x(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(tmp_path / "x", "--rate", "10") as running:
        yield running


def estimate(program: Program, *options: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sfm_stream", "estimate", program.settings["name"], *options]
    return subprocess.run(
        [*command, "--config-dir", str(program.folder)], input=text, capture_output=True, text=True, timeout=60
    )


def test_x_is_asked_for_each_rule_and_the_cost_is_said(x: Simulator, tmp_path: Path) -> None:
    """Nothing is streamed for it, and no rule is left behind."""
    rules = [{"name": "weather", "track": ["storm"]}, {"name": "all", "track": ["storm", "election", "vote", "the"]}]
    asked = estimate(Program(tmp_path, x.url, rules=rules), "--days", "14")
    assert asked.returncode == 0, asked.stderr
    rows = {line.split()[0]: line.split() for line in asked.stdout.splitlines() if line.startswith("sfm:")}
    few, many = (int(rows[f"sfm:storms:{name}"][1].replace(",", "")) for name in ("weather", "all"))
    assert 0 < few < many <= 10 * 7 * 86400
    together = re.search(
        r"^Together ([\d,]+) to ([\d,]+) posts in 14 days, at \$0\.005 each: \$", asked.stdout, re.MULTILINE
    )
    assert together is not None, asked.stdout
    assert [int(each.replace(",", "")) for each in together.groups()] == [many * 2, (few + many) * 2]
    assert "lower bound" in asked.stdout
    assert x.ask("/2/tweets/search/stream/rules").get("data", []) == []


def test_an_account_without_counts_is_told_what_to_do(x: Simulator, tmp_path: Path) -> None:
    x.plan({"on": "post_counts", "do": "refuse", "status": 403, "problem": "client-forbidden"})
    asked = estimate(Program(tmp_path, x.url))
    assert asked.returncode != 0
    assert asked.stderr.startswith(
        "sfm-stream: X does not count for this account (go by recorded posts, with --posts):"
    )
    assert len(asked.stderr.splitlines()) == 1


def test_recorded_posts_are_enough_and_nobody_is_asked(tmp_path: Path) -> None:
    """The address leads nowhere."""
    program = Program(tmp_path, "http://127.0.0.1:1")
    posts = [{"data": {"id": str(number), "text": "a storm"}} for number in range(5)]
    asked = estimate(program, "--posts", "-", text="\n".join(map(json.dumps, posts)))
    assert asked.returncode == 0, asked.stderr
    assert "5 posts" in asked.stdout


def test_recorded_posts_have_a_time_of_their_own(tmp_path: Path) -> None:
    """Another one that is asked for would not be what is told."""
    asked = estimate(Program(tmp_path, "http://127.0.0.1:1"), "--posts", "-", "--days", "14")
    assert asked.returncode == 2
    assert "leave --days out" in asked.stderr


def test_a_source_that_charges_nothing_counts_nothing(tmp_path: Path) -> None:
    """It says so, and how to learn how much would be kept."""
    (tmp_path / "streams").mkdir()
    stream = {"source": "bluesky", "name": "votes", "track": ["vote"], "data_dir": "/d", "state_dir": "/s"}
    (tmp_path / "streams" / "bluesky-votes.json").write_text(json.dumps(stream))
    command = [sys.executable, "-m", "sfm_stream", "estimate", "votes", "--config-dir", str(tmp_path)]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert asked.returncode == 2
    assert "Bluesky counts no posts, and charges for none: give recorded ones with --posts" in asked.stderr


def test_a_rule_that_x_does_not_count_is_named_and_the_others_count() -> None:
    """What a stream matches, a search may not."""
    text = report([Counted("a", 700), Counted("b", None, "invalid request: no such operator")], 30, 0.005)
    assert "X does not count the rule b: invalid request: no such operator" in text
    assert "Together 3,000 posts in 30 days, at $0.005 each: $15.00." in text
