"""The simulated X answers as X's OpenAPI description says, within X's limits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfm_stream.sources.x.fields import parameters
from sfm_stream.sources.x.rules.match import matches
from sfm_stream.sources.x.rules.query import parse
from sfm_stream.sources.x.settings import Fields
from tests.support.contract import check
from tests.support.simulated_x import RULES, SAMPLE, STREAM, SimulatedX, posts_of

EVERYTHING = {name.replace("_fields", ".fields"): value for name, value in parameters(Fields()).items()}


@pytest.fixture(scope="module")
def shared() -> Iterator[SimulatedX]:
    """One simulator for tests that each use an app of their own."""
    with SimulatedX("--rate", "200") as x:
        yield x


@pytest.fixture
def x(shared: SimulatedX, request: pytest.FixtureRequest) -> SimulatedX:
    """The shared simulator, seen by an app that no other test uses."""
    shared.begin(request.node.name.encode("ascii", "replace").decode())
    return shared


# --- Streams ---------------------------------------------------------------------------------------------------------


def test_a_filtered_stream_brings_only_what_matches_and_says_why(x: SimulatedX) -> None:
    """Each post matches the rules it names, and no others of the app."""
    rules = [
        *x.add_rules("storm OR flood", tag="water"),
        *x.add_rules("vote -is:retweet"),
        *x.add_rules("has:media lang:en a"),
    ]
    with x.stream(**EVERYTHING) as lines:
        for post in posts_of(lines, 60):
            named = post.pop("matching_rules")
            expected = [
                {"id": rule["id"], **({"tag": rule["tag"]} if "tag" in rule else {})}
                for rule in rules
                if matches(parse(rule["value"]), post)
            ]
            assert named == expected
            assert named


def test_posts_with_every_field_are_as_x_describes_them(x: SimulatedX) -> None:
    """Of all kinds: replies, reposts, quotes, long ones, with media, polls and places."""
    kinds = set()
    with x.stream(SAMPLE, **EVERYTHING) as lines:
        for post in posts_of(lines, 600):
            check("StreamPostsSampleResponse", post)
            kinds.update(each["type"] for each in post["data"].get("referenced_tweets", ()))
            kinds.update(name for name in ("note_tweet", "geo", "attachments", "entities") if name in post["data"])
            kinds.update(post["includes"])
            for kind, sign in (("hashtags", "#"), ("mentions", "@"), ("cashtags", "$")):
                for each in post["data"].get("entities", {}).get(kind, ()):
                    name = each.get("tag") or each["username"]
                    assert post["data"]["text"][each["start"] : each["end"]] == sign + name
    assert kinds >= {
        "retweeted",
        "replied_to",
        "quoted",
        "note_tweet",
        "geo",
        "users",
        "tweets",
        "media",
        "places",
        "polls",
    }


def test_filtered_posts_are_as_x_describes_them(x: SimulatedX) -> None:
    """With their rules."""
    x.add_rules("the OR storm OR vote", tag="sfm:a:b")
    with x.stream(**EVERYTHING) as lines:
        for post in posts_of(lines, 50):
            check("StreamPostsResponse", post)


def test_only_id_and_text_come_unasked(x: SimulatedX) -> None:
    """And the edit history, as X sends it."""
    with x.stream(SAMPLE) as lines:
        for post in posts_of(lines, 20):
            assert set(post) == {"data"}
            assert set(post["data"]) == {"id", "text", "edit_history_tweet_ids"}


def test_what_was_asked_for_comes_and_nothing_else(x: SimulatedX) -> None:
    """Fields, and expansions with the field that they belong to."""
    asked = {"tweet.fields": "lang", "expansions": "author_id", "user.fields": "verified"}
    with x.stream(SAMPLE, **asked) as lines:
        for post in posts_of(lines, 20):
            assert set(post["data"]) == {"id", "text", "edit_history_tweet_ids", "lang", "author_id"}
            (user,) = post["includes"]["users"]
            assert set(user) == {"id", "name", "username", "verified"}
            assert user["id"] == post["data"]["author_id"]


def test_ids_rise_and_tell_the_time(x: SimulatedX) -> None:
    """They are snowflakes."""
    with x.stream(SAMPLE, **{"tweet.fields": "created_at"}) as lines:
        posts = posts_of(lines, 50)
    ids = [int(post["data"]["id"]) for post in posts]
    assert ids == sorted(set(ids))
    assert all(1288834974657 + (each >> 22) > 1_700_000_000_000 for each in ids)


def test_a_field_that_x_does_not_have_is_refused(x: SimulatedX) -> None:
    """Naming it and those there are."""
    answer = x.open(SAMPLE, **{"tweet.fields": "id,txet"})
    assert answer.status_code == 400
    check("Problem", answer.json())
    assert "[txet] is not one of [" in answer.text


def test_the_stream_needs_rules(x: SimulatedX) -> None:
    """409 without any."""
    answer = x.open()
    assert answer.status_code == 409
    assert answer.json()["connection_issue"] == "RuleConfigurationIssue"


def test_rules_take_effect_without_reconnecting(x: SimulatedX) -> None:
    """Added ones bring posts, deleted ones end them."""
    old = x.add_rules("a OR the OR storm", tag="old")
    with x.stream() as lines:
        posts_of(lines, 3)
        x.add_rules("vote", tag="new")
        x.call("POST", RULES, json={"delete": {"ids": [old[0]["id"]]}})
        tags = [rule["tag"] for post in posts_of(lines, 40) for rule in post["matching_rules"]]
    assert tags[-1] == "new"
    assert "old" not in tags[tags.index("new") + 5 :]


def test_a_second_connection_is_refused_until_the_first_is_ended(x: SimulatedX) -> None:
    """Ending it through the API frees the slot at once."""
    x.add_rules("storm")
    with x.stream() as lines:
        refused = x.open()
        assert refused.status_code == 429
        assert refused.json()["connection_issue"] == "TooManyConnections"
        with x.stream(SAMPLE):
            pass
        (link,) = x.call("GET", "/2/connections").json()["data"]
        ended = x.call("DELETE", "/2/connections", json={"uuids": [link["id"]]})
        check("DeleteConnectionsByUuidsResponse", ended.json())
        assert ended.json()["data"]["successful_kills"] == 1
        with x.stream() as others:
            posts_of(others, 1)
        list(lines)


def test_a_second_connection_may_end_the_first_instead() -> None:
    """As one of X's pages has it."""
    with SimulatedX("--replace") as x, x.stream(SAMPLE) as lines:
        posts_of(lines, 1)
        with x.stream(SAMPLE) as others:
            list(lines)
            posts_of(others, 1)
        x.wait_for("close", reason="ended for the client")


def test_nothing_is_lost_at_the_very_rate_that_is_allowed() -> None:
    """250 posts a second pass the cap of 250."""
    with SimulatedX("--rate", "250", "--cap", "250") as x:
        with x.stream(SAMPLE) as lines:
            posts_of(lines, 600)
        x.wait_for("close")
        assert not x.ledger("lost", reason="cap")


def test_each_post_counts_as_usage(x: SimulatedX) -> None:
    """In both shapes of the count: the total and the days."""
    with x.stream(SAMPLE) as lines:
        posts_of(lines, 30)
    x.wait_for("close")
    fields = {
        "usage.fields": "cap_reset_day,daily_client_app_usage,daily_project_usage,project_cap,project_id,project_usage"
    }
    usage = x.call("GET", "/2/usage/tweets", params=fields)
    check("GetUsageResponse", usage.json())
    sent = len(x.ledger("post"))
    assert int(usage.json()["data"]["project_usage"]) == sent >= 30


def test_accounts_are_found_by_name(x: SimulatedX) -> None:
    """In capitals or not; who is not there is named as X names it."""
    answer = x.call("GET", "/2/users/by", params={"usernames": "nws,NHC_Atlantic,Nobody_Here"}).json()
    check("GetUsersByUsernamesResponse", answer)
    assert [user["username"] for user in answer["data"]] == ["NWS", "NHC_Atlantic"]
    assert [error["value"] for error in answer["errors"]] == ["Nobody_Here"]
    assert x.call("GET", "/2/users/by", params={"usernames": "no-name"}).status_code == 400
    assert x.call("GET", "/2/users/by", params={"usernames": ",".join(["a"] * 101)}).status_code == 400


# --- Rules -----------------------------------------------------------------------------------------------------------


def test_rules_are_added_listed_counted_and_deleted(x: SimulatedX) -> None:
    """Each answer as X describes it."""
    check("GetRulesResponse", x.call("GET", RULES).json())
    added = x.call("POST", RULES, json={"add": [{"value": "storm", "tag": "a"}, {"value": "vote"}]})
    assert added.status_code == 201
    check("UpdateRulesResponse", added.json())
    assert added.json()["meta"]["summary"] == {"created": 2, "not_created": 0, "valid": 2, "invalid": 0}
    listed = x.call("GET", RULES)
    check("GetRulesResponse", listed.json())
    assert listed.json()["data"] == added.json()["data"]
    counts = x.call("GET", f"{RULES}/counts").json()
    check("GetRuleCountsResponse", counts)
    assert counts["data"]["client_app_rules_count"]["rule_count"] == 2
    first = listed.json()["data"][0]["id"]
    assert x.call("GET", RULES, params={"ids": first}).json()["data"] == listed.json()["data"][:1]
    deleted = x.call("POST", RULES, json={"delete": {"ids": [first], "values": ["vote", "nothing"]}})
    check("UpdateRulesResponse", deleted.json())
    assert deleted.json()["meta"]["summary"] == {"deleted": 2, "not_deleted": 1}
    assert "data" not in x.call("GET", RULES).json()


def test_good_rules_are_kept_where_others_are_refused(x: SimulatedX) -> None:
    """A duplicate with the id that exists, a fault with its cure."""
    (kept,) = x.add_rules("storm")
    answer = x.call("POST", RULES, json={"add": [{"value": "storm"}, {"value": "(vote"}, {"value": "flood"}]})
    check("UpdateRulesResponse", answer.json())
    assert [rule["value"] for rule in answer.json()["data"]] == ["flood"]
    duplicate, invalid = answer.json()["errors"]
    assert (duplicate["title"], duplicate["id"]) == ("DuplicateRule", kept["id"])
    assert (invalid["value"], invalid["details"]) == ("(vote", ["a closing ) is missing"])
    assert answer.json()["meta"]["summary"] == {"created": 1, "not_created": 2, "valid": 1, "invalid": 2}


def test_a_dry_run_changes_nothing(x: SimulatedX) -> None:
    """It tells what would be."""
    answer = x.call("POST", RULES, params={"dry_run": "true"}, json={"add": [{"value": "storm"}]})
    assert answer.json()["meta"]["summary"]["created"] == 1
    assert x.call("GET", RULES).json()["meta"]["result_count"] == 0
    x.add_rules("storm")
    x.call("POST", RULES, params={"dry_run": "true", "delete_all": "true"}, json={})
    assert x.call("GET", RULES).json()["meta"]["result_count"] == 1


def test_all_rules_go_at_once(x: SimulatedX) -> None:
    """With delete_all."""
    x.add_rules("storm", "vote")
    answer = x.call("POST", RULES, params={"delete_all": "true"}, json={})
    assert answer.json()["meta"]["summary"] == {"deleted": 2, "not_deleted": 0}


def test_rules_come_in_pages(x: SimulatedX) -> None:
    """The token of one leads to the next."""
    x.add_rules(*(f"word{number}" for number in range(5)))
    values, token = [], {}
    while True:
        page = x.call("GET", RULES, params={"max_results": "2", **token}).json()
        check("GetRulesResponse", page)
        values += [rule["value"] for rule in page["data"]]
        if "next_token" not in page["meta"]:
            break
        token = {"pagination_token": page["meta"]["next_token"]}
    assert values == [f"word{number}" for number in range(5)]
    assert x.call("GET", RULES, params={"pagination_token": "nonsense"}).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"add":[]}',
        b'{"add":[{"tag":"a"}]}',
        b'{"add":[{"value":"a"}],"delete":{"ids":["1"]}}',
        b'{"delete":{}}',
    ],
)
def test_a_change_of_rules_that_says_nothing_clear_is_refused(x: SimulatedX, body: bytes) -> None:
    """Exactly one of add and delete, and something in it."""
    answer = x.call("POST", RULES, data=body)
    assert answer.status_code == 400
    check("Problem", answer.json())


def test_a_rule_is_as_long_as_x_allows_and_no_longer(x: SimulatedX) -> None:
    """1,024 characters for a self-serve app."""
    x.add_rules("a" * 1024)
    answer = x.call("POST", RULES, json={"add": [{"value": "b" * 1025}]})
    assert answer.status_code == 400
    assert "no longer than 1024" in answer.text


# --- Connections -----------------------------------------------------------------------------------------------------


def test_connections_are_listed_live_and_ended(x: SimulatedX) -> None:
    """With the reason of their end."""
    with x.stream(SAMPLE) as lines:
        posts_of(lines, 1)
        live = x.call("GET", "/2/connections").json()
        check("GetConnectionHistoryResponse", live)
        assert live["data"][0]["endpoint_name"] == "sample_stream"
        assert x.call("GET", "/2/connections", params={"endpoints": "filtered_stream"}).json()["data"] == []
        ended = x.call("DELETE", "/2/connections/sample_stream")
        check("DeleteConnectionsByEndpointResponse", ended.json())
        assert [each["uuid"] for each in ended.json()["data"]["results"]] == [live["data"][0]["id"]]
        list(lines)
    assert x.call("GET", "/2/connections").json()["data"] == []
    past = x.call("GET", "/2/connections", params={"status": "inactive"}).json()
    check("GetConnectionHistoryResponse", past)
    assert past["data"][0]["disconnect_reason"]


def test_all_connections_are_ended_at_once(x: SimulatedX) -> None:
    """Of every endpoint; ids that are not live are told apart."""
    x.add_rules("storm")
    with x.stream(SAMPLE), x.stream():
        check("DeleteAllConnectionsResponse", (ended := x.call("DELETE", "/2/connections/all")).json())
        assert ended.json()["data"]["successful_kills"] == 2
    again = x.call("DELETE", "/2/connections", json={"uuids": ["nobody"]}).json()
    assert again["data"]["failed_kills"] == 1
    assert x.call("DELETE", "/2/connections/nonsense").status_code == 400


# --- Who may ask, and how often --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [STREAM, SAMPLE, RULES, f"{RULES}/counts", "/2/connections", "/2/usage/tweets"])
def test_nothing_is_answered_without_a_token(x: SimulatedX, path: str) -> None:
    """401, in X's shape."""
    answer = x.call("GET", path, headers={})
    assert answer.status_code == 401
    check("Problem", answer.json())


def test_a_consumer_key_and_secret_give_a_token(x: SimulatedX) -> None:
    """The same for the same pair; a missing grant type or pair is refused."""
    tokens = [
        x.call("POST", "/oauth2/token", headers={}, auth=("key", "secret"), data={"grant_type": "client_credentials"})
        for _ in "12"
    ]
    assert tokens[0].json() == tokens[1].json()
    assert tokens[0].json()["token_type"] == "bearer"
    headers = {"Authorization": f"Bearer {tokens[0].json()['access_token']}"}
    assert x.call("GET", RULES, headers=headers).status_code == 200
    assert x.call("POST", "/oauth2/token", headers={}, auth=("key", "secret")).status_code == 403
    assert x.call("POST", "/oauth2/token", headers={}, data={"grant_type": "client_credentials"}).status_code == 403


def test_named_apps_are_the_only_ones() -> None:
    """Any other token or pair is refused, and each app has rules of its own."""
    with SimulatedX("--app", "library=one,key,secret", "--app", "lab=two") as x:
        one, two = ({"Authorization": f"Bearer {token}"} for token in ("one", "two"))
        x.call("POST", RULES, headers=one, json={"add": [{"value": "storm"}]})
        assert x.call("GET", RULES, headers=one).json()["meta"]["result_count"] == 1
        assert x.call("GET", RULES, headers=two).json()["meta"]["result_count"] == 0
        assert x.call("GET", RULES).status_code == 401
        form = {"grant_type": "client_credentials"}
        good = x.call("POST", "/oauth2/token", headers={}, auth=("key", "secret"), data=form)
        assert good.json()["access_token"] == "one"
        assert x.call("POST", "/oauth2/token", headers={}, auth=("key", "wrong"), data=form).status_code == 403
        assert {entry["app"] for entry in x.ledger("answer", status=200)} == {"library", "lab", ""}


def test_limits_are_told_in_headers_and_held() -> None:
    """Connects in a window, and the wait until the next; rules at a time."""
    with SimulatedX("--connects", "2", "--rule-count", "2") as x:
        x.add_rules("storm")
        left = []
        for _ in range(2):
            with x.open() as answer:
                left.append(answer.headers["x-rate-limit-remaining"])
            x.wait_for("close", count=len(left))
        refused = x.open()
        assert (left, refused.status_code) == (["1", "0"], 429)
        assert refused.json()["title"] == "Too Many Requests"
        assert int(refused.headers["x-rate-limit-reset"]) > 0
        full = x.call("POST", RULES, json={"add": [{"value": "vote"}, {"value": "flood"}]})
        assert full.json()["type"].endswith("/rule-cap")
        assert x.call("GET", RULES).json()["meta"]["result_count"] == 1


def test_the_month_s_posts_end() -> None:
    """The stream ends, and a new one is refused as capped."""
    with SimulatedX("--rate", "100", "--month", "20") as x:
        with x.stream(SAMPLE) as lines:
            assert len([line for line in lines if line]) >= 20
        x.wait_for("close", reason="usage cap exceeded")
        refused = x.open(SAMPLE)
        assert refused.status_code == 429
        assert refused.json()["title"] == "UsageCapExceeded"


def test_silence_is_filled_with_keep_alives() -> None:
    """An empty line within the time."""
    with SimulatedX("--keep-alive", "0.3") as x:
        x.add_rules("nothingmatchesthis")
        with x.stream() as lines:
            assert [next(lines) for _ in range(3)] == [b"", b"", b""]


def test_lost_minutes_are_filled_where_the_account_has_backfill() -> None:
    """Posts of before the connection come first; others are told that they have none."""
    with SimulatedX("--rate", "100", "--backfill") as x:
        with x.stream(SAMPLE) as lines:
            before = [post["data"]["id"] for post in posts_of(lines, 20)]
        with x.stream(SAMPLE, backfill_minutes="1") as lines:
            again = [post["data"]["id"] for post in posts_of(lines, 20)]
        assert set(again) & set(before)
    with SimulatedX() as x:
        assert x.open(SAMPLE, backfill_minutes="1").status_code == 400


def test_the_same_seed_makes_the_same_posts() -> None:
    """But for ids and times."""
    runs = []
    for seed in ("7", "7", "8"):
        with SimulatedX("--rate", "250", "--seed", seed) as x, x.stream(SAMPLE) as lines:
            runs.append([post["data"]["text"] for post in posts_of(lines, 30)])
    assert runs[0] == runs[1] != runs[2]


# --- Replay ----------------------------------------------------------------------------------------------------------


def test_recorded_posts_come_byte_for_byte_and_once(tmp_path: Path) -> None:
    """Odd spacing, escapes and unknown keys stay as they were; only what matches comes; a reconnect goes on."""
    recorded = [
        b'{"data": {"text":"storm \\u00e9\\u2028", "id":"%d"},  "odd":[1, 2.50] }' % number for number in range(1, 7)
    ]
    recorded.insert(3, b'{"data":{"id":"9","text":"nothing"}}')
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b"\n".join(recorded) + b"\n\n")
    with SimulatedX("--posts", str(file), "--rate", "50", "--keep-alive", "0.5") as x:
        x.add_rules("storm")
        x.plan({"do": "close", "after": 2})
        with x.stream() as lines:
            first = [line for line in lines if line]
        assert first == recorded[:2]
        x.wait_for("close")
        lost = sum(entry["posts"] for entry in x.ledger("lost"))
        with x.stream() as lines:
            rest = []
            while len(rest) < 4 - lost:
                if line := next(lines):
                    rest.append(line)
            assert next(lines) == b""
        assert rest == [line for line in recorded if b"storm" in line][2 + lost :]


# --- The program -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "only a loopback address"),
        (["--rate", "251"], "raise --cap as well"),
        (["--app", "library"], "NAME=TOKEN"),
        (["--plan", "missing.json"], "missing.json: No such file"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line_that_says_what_to_do(options: list[str], message: str) -> None:
    """And nothing is served."""
    run = subprocess.run(
        [sys.executable, "-m", "sfm_stream", "simulate", "--port", "0", *options],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert run.returncode in {2, 64}
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_without_aiohttp_it_says_what_to_install() -> None:
    """In one line."""
    code = (
        "import sys; sys.modules['aiohttp'] = None; sys.argv = ['x', 'simulate']; import sfm_stream.cli as c; c.main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert run.returncode == 1
    assert run.stderr == "sfm-stream: the simulator needs aiohttp: pip install 'sfm-stream[simulator]'\n"


def test_everything_in_the_ledger_reached_the_client_when_it_stops() -> None:
    """SIGTERM ends streams in order: what was sent has arrived, and the ledger ends with stop."""
    x = SimulatedX("--rate", "250")
    with x:
        with x.stream(SAMPLE) as lines:
            received = [json.loads(next(lines))["data"]["id"] for _ in range(50)]
            x.process.terminate()
            received += [json.loads(line)["data"]["id"] for line in lines if line]
        x.process.wait(20)
        assert [entry["id"] for entry in x.ledger("post")] == received
        assert x.ledger("close")[0]["reason"] == "server shutdown"
        assert x.ledger()[-1]["event"] == "stop"
