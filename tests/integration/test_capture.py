"""The real program, the real tweepy and a simulated X that speaks HTTP: from settings to files."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from sfm_stream.cli import cli
from sfm_stream.record.history import versions
from sfm_stream.sources.x.rules.compiler import compile_rule
from sfm_stream.sources.x.rules.match import matches
from sfm_stream.sources.x.rules.query import parse
from sfm_stream.sources.x.settings import Rule
from tests.support.files import whole_lines
from tests.support.program import Program
from tests.support.simulator import Simulator
from tests.support.waiting import until


def test_every_post_that_was_sent_is_in_a_file_once_and_in_order(x: Simulator, program: Program) -> None:
    """Stopped by SIGTERM in the middle of the stream, with files rotated every few moments."""
    program.write_settings(save_interval=0.5)
    program.start()
    until(lambda: len(program.files()) >= 3)
    assert program.stop() == 0
    assert program.ids() == x.sent()
    assert program.segments() == []
    for path, entry in zip(program.files(), program.journal("rotate"), strict=True):
        assert entry["file"] == path.name
        assert entry["posts"] == len(whole_lines(path))


def test_recorded_posts_are_captured_byte_for_byte_when_they_match(tmp_path: Path) -> None:
    """Track, follow and a query of X's own; what twarc makes of the files is the same number of posts."""
    recorded = record(tmp_path / "posts.jsonl")
    rules = [
        {"name": "words", "track": ["storm", "climate change", "#election"]},
        {"name": "people", "follow": ["user_3", "user_5"]},
        {"name": "raw", "query": "(flood OR vote) -is:retweet lang:en"},
    ]
    queries = [
        parse(value)
        for rule in rules
        for value in compile_rule(
            Rule(**{key: tuple(each) if isinstance(each, list) else each for key, each in rule.items()}), 1024
        )
    ]
    expected = [line for line in recorded if any(matches(query, json.loads(line)) for query in queries)]
    assert 0 < len(expected) < len(recorded)
    with Simulator(tmp_path, "--posts", str(tmp_path / "posts.jsonl"), "--rate", "250") as x:
        program = Program(tmp_path / "host", x.url, rules=rules)
        program.start()
        until(lambda: program.status().get("posts_today") == len(expected))
        assert program.stop() == 0
    assert program.lines() == expected
    flat = subprocess.run(
        [Path(sys.executable).parent / "twarc2", "flatten", "-", "-"],
        env={**os.environ, "BEARER_TOKEN": "x", "HOME": str(tmp_path)},
        input=b"".join(line + b"\n" for line in program.lines()),
        capture_output=True,
        check=True,
        cwd=tmp_path,
    ).stdout
    assert len(flat.splitlines()) == len(expected)


def test_an_account_that_lost_its_name_is_followed_and_reported(tmp_path: Path) -> None:
    """Two accounts swap their names: the posts of the followed one arrive all the same, and a person is told."""
    authors = [("77", "NWS"), ("88", "Gale"), ("77", "Gale"), ("88", "NWS")]
    lines = [
        {
            "data": {"id": str(10**18 + number), "text": "a storm" if number == 3 else "hello", "author_id": author},
            "includes": {"users": [{"id": author, "username": name, "name": name}]},
        }
        for number, (author, name) in enumerate(authors)
    ]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Simulator(tmp_path, "--posts", str(tmp_path / "posts.jsonl"), "--rate", "250") as x:
        rules = [{"name": "people", "follow": ["NWS"]}, {"name": "words", "track": ["storm"]}]
        program = Program(tmp_path / "host", x.url, rules=rules, accounts={"nws": "77"})
        (program.folder / "host.json").write_text('{"supervisor_config": ""}')  # none runs here
        program.start()
        until(lambda: program.status().get("posts_today") == 3)
        until(lambda: "belongs to account 88" in program.status()["account"])
        shown = CliRunner().invoke(cli, ["status", "--config-dir", str(program.folder)], terminal_width=400)
        assert "the name NWS belongs to account 88 now" in shown.output
        assert shown.exit_code == 0, "X holds the rules of the settings, which are made with the id"
        program.write_settings(rules=[{"name": "people", "follow": ["Gale"]}], accounts={"gale": "88"})
        assert program.process is not None
        program.process.send_signal(signal.SIGHUP)
        until(lambda: program.journal("rules")[-1]["removed"])
        assert "taken up at the next start" not in program.said(), "rules and ids need no other start"
        assert program.stop() == 0
    kept = versions(program.folder / "state", program.name)
    assert [version.settings["accounts"] for version in kept] == [{"nws": "77"}, {"gale": "88"}]
    assert kept[0].settings["rules"][0]["follow"] == ["NWS"], "both name and id are in the history"
    assert [json.loads(line)["data"]["author_id"] for line in program.lines()] == ["77", "77", "88"]
    told = [(entry["name"], entry["id"], entry["followed_id"]) for entry in program.journal("account")]
    assert told == [("Gale", "77", "77"), ("NWS", "88", "77")]


def record(path: Path) -> list[bytes]:
    """Posts with spacing and escapes that a parser would not give back, and words that the rules look for."""
    random_ = random.Random(7)
    words = ["storm", "climate", "change", "climate change", "flood", "vote", "#election", "tea", "naïve", "選挙", "🌪"]
    lines = []
    for number in range(300):
        text = " ".join(random_.choices(words, k=4))
        author = f"user_{number % 9}"
        data = {
            "id": str(10**18 + number),
            "text": text,
            "author_id": str(number % 9),
            "lang": random_.choice(["en", "fr"]),
            "edit_history_tweet_ids": [str(10**18 + number)],
        }
        if "#election" in text:
            data["entities"] = {"hashtags": [{"start": 0, "end": 9, "tag": "election"}]}
        if number % 5 == 0:
            data["referenced_tweets"] = [{"type": "retweeted", "id": "1"}]
        envelope = {"data": data, "includes": {"users": [{"id": str(number % 9), "username": author, "name": "A"}]}}
        lines.append(json.dumps(envelope, ensure_ascii=number % 2 == 0, separators=(" ,", ":  ")).encode())
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return lines


def test_the_sample_stream_is_captured_the_same_way(tmp_path: Path, x: Simulator) -> None:
    """It has no rules, and a program of its own."""
    program = Program(tmp_path / "host", x.url, kind="streamsample")
    program.start()
    until(lambda: program.status().get("posts_today", 0) > 50)
    assert program.stop() == 0
    assert program.ids() == x.sent()


def test_without_save_lines_are_printed_and_head_ends_it_quietly(x: Simulator, program: Program) -> None:
    """SFM's own behaviour; nothing is written."""
    command = " ".join(program.command())
    run = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} 2>{program.log} | head -n 3"], capture_output=True, timeout=30
    )
    assert run.returncode == 0, program.said()
    assert [json.loads(line)["data"]["id"] for line in run.stdout.splitlines()] == x.sent()[:3]
    assert "Traceback" not in program.said()
    assert [*(program.folder / "data").iterdir(), *(program.folder / "state").iterdir()] == []


def test_a_wrong_token_ends_with_one_clear_line(tmp_path: Path) -> None:
    """And with an exit code that tells supervisor not to try again."""
    with Simulator(tmp_path, "--app", "lab=RIGHT") as x:
        program = Program(tmp_path / "host", x.url, token="WRONG-SECRET")
        program.start()
        assert program.wait() == 65
    errors = [line for line in program.said().splitlines() if line.startswith("sfm-stream:")]
    assert len(errors) == 1
    assert "X refused the credential 'lab' (HTTP 401" in errors[0]
    assert "WRONG-SECRET" not in program.said()
    assert program.journal("stop")[-1]["planned"] is False


def test_a_consumer_key_and_secret_fetch_a_token(tmp_path: Path) -> None:
    """X gives apps either; the token that it gives is used like any other."""
    with Simulator(tmp_path, "--rate", "100", "--app", "lab=TOKEN,KEY,SECRET") as x:
        program = Program(tmp_path / "host", x.url)
        program.write_credential({"consumer_key": "KEY", "consumer_secret": "SECRET"})
        program.start()
        program.wait_for_state("connected")
        assert program.stop() == 0
        program.write_credential({"consumer_key": "KEY", "consumer_secret": "WRONG"})
        program.start()
        assert program.wait() == 65


def test_hangup_changes_the_rules_and_keeps_the_connection(x: Simulator, program: Program) -> None:
    """The same process, the same connection, other posts."""
    program.start()
    program.wait_for_state("connected")
    program.write_settings(rules=[{"name": "other", "track": ["music"]}])
    assert program.process is not None
    program.process.send_signal(signal.SIGHUP)
    until(lambda: len(program.journal("rules")) == 2)
    rules = x.ask("/2/tweets/search/stream/rules")["data"]
    assert [(rule["value"], rule["tag"]) for rule in rules] == [("music", "sfm:storms:other")]
    assert len(x.ledger("open")) == 1
    until(lambda: program.status()["settings"] != program.journal("start")[0]["settings"])
    assert program.stop() == 0


def test_hangup_changes_the_format_of_the_next_file_and_keeps_the_connection(x: Simulator, program: Program) -> None:
    """What is being written is finished as it was begun; nothing is lost on the way."""
    program.write_settings(save_interval=3)
    program.start()
    until(program.segments)
    program.write_settings(compression="zstd", compression_level=5)
    assert program.process is not None
    program.process.send_signal(signal.SIGHUP)
    until(lambda: program.status().get("settings") != program.journal("start")[0]["settings"])
    until(lambda: any(path.name.endswith(".zst.part") for path in program.segments()))
    assert program.stop() == 0
    formats = [path.name.partition(".")[2] for path in program.files()]
    assert formats == sorted(formats)
    assert {"jsonl.gz", "jsonl.zst"} == set(formats)
    assert program.ids() == x.sent()
    assert len(x.ledger("open")) == 1
    assert "next start" not in program.said()


def test_foreign_rules_are_reported_and_left_alone(x: Simulator, program: Program) -> None:
    """They may be somebody's; what they match arrives and is paid for, so somebody must know."""
    x.ask("/2/tweets/search/stream/rules", {"add": [{"value": "cat", "tag": "somebody's"}]})
    program.start()
    program.wait_for_state("connected")
    assert program.stop() == 0
    assert "not a rule of this filter, and left: 'cat'" in program.said()
    assert program.journal("foreign")[0]["rules"] == [{"value": "cat", "tag": "somebody's"}]
    tags = {rule["tag"] for rule in x.ask("/2/tweets/search/stream/rules")["data"]}
    assert tags == {"somebody's", "sfm:storms:main"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_wait_for_the_next_try(tmp_path: Path, number: signal.Signals) -> None:
    """A back-off of minutes does not hold up a shutdown."""
    with Simulator(tmp_path) as x:
        x.plan({"on": "stream", "do": "refuse", "status": 503, "times": 0})
        program = Program(tmp_path / "host", x.url)
        program.start()
        program.wait_for_state("waiting")
        assert program.kill(number) == 0
    assert "HTTP 503" in program.said()


def test_a_program_needs_little_memory(x: Simulator, program: Program) -> None:
    """A hundred of them share a small machine."""
    program.start()
    until(lambda: program.status().get("posts_today", 0) > 200)
    assert program.process is not None
    resident = psutil.Process(program.process.pid).memory_info().rss
    assert program.stop() == 0
    assert resident < 45 << 20


def test_a_program_leaves_no_core_dump(program: Program) -> None:
    """Its memory holds the credential: neither its soft nor its hard limit lets a crash write that to a file."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        assert before[1] != 0, "this test proves nothing where core dumps are off already"
        program.start()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    program.wait_for_state("connected")
    assert program.process is not None
    assert psutil.Process(program.process.pid).rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert program.stop() == 0


def test_help_loads_little() -> None:
    """Help, completion and scripts call the command often; what only a capture or the simulator needs stays out."""
    code = "import sys, sfm_stream.cli as c\ntry: c.main()\nexcept SystemExit: print(*sys.modules, file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert not {"tweepy", "requests", "aiohttp", "asyncio"} & set(run.stderr.split())
    assert re.search(r"filterstream +Capture what matches", run.stdout)
