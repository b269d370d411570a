"""The simulated X fails on demand, each fault as it looks on the wire."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from sfm_stream.sources.x.fields import parameters
from sfm_stream.sources.x.settings import Fields
from tests.support.contract import check
from tests.support.simulated_x import RULES, SAMPLE, SimulatedX, lines_of, posts_of


@pytest.fixture(scope="module")
def shared() -> Iterator[SimulatedX]:
    """One simulator, quick to fall silent, for tests that each use an app of their own."""
    with SimulatedX("--rate", "200", "--keep-alive", "1") as simulator:
        yield simulator


@pytest.fixture
def x(shared: SimulatedX, request: pytest.FixtureRequest) -> SimulatedX:
    """The shared simulator, as good as new."""
    shared.begin(request.node.name.encode("ascii", "replace").decode())
    return shared


def collect(x: SimulatedX, **parameters: str) -> tuple[list[bytes], str]:
    """The lines of a sample stream until its end, and how it ended: ``clean``, ``reset`` or ``broken``.

    Keep-alives are left out; the last line, if torn, is marked so.
    """
    lines: list[bytes] = []
    rest = b""
    ending = "clean"
    with x.open(SAMPLE, **parameters) as answer:
        try:
            for piece in answer.iter_content(chunk_size=None):
                *whole, rest = (rest + piece).split(b"\r\n")
                lines += filter(None, whole)
        except requests.exceptions.RequestException as error:
            ending = "reset" if "reset" in str(error).lower() else "broken"
    return [*lines, *([b"TORN " + rest] if rest else [])], ending


def sent(x: SimulatedX) -> list[str]:
    """Ids that the ledger calls sent, once the connection is closed."""
    x.wait_for("close")
    return [entry["id"] for entry in x.ledger("post")]


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "status", "title"),
    [
        ({"status": 401}, 401, "Unauthorized"),
        ({"status": 403}, 403, "Client Forbidden"),
        ({"status": 409}, 409, "ConnectionException"),
        ({"status": 420}, 420, "Enhance Your Calm"),
        ({"status": 429}, 429, "Too Many Requests"),
        ({"problem": "too-many-connections"}, 429, "ConnectionException"),
        ({"problem": "usage-capped"}, 429, "UsageCapExceeded"),
        ({"status": 500}, 500, "Internal Error"),
        ({"status": 503}, 503, "Service Unavailable"),
        ({"status": 502}, 502, "Error"),
        ({"status": 503, "problem": "rate-limit"}, 503, "Too Many Requests"),
    ],
)  # fmt: skip
def test_any_refusal_comes_in_x_s_shape_and_once(x: SimulatedX, step: dict[str, Any], status: int, title: str) -> None:
    """The next request is answered as usual."""
    x.plan({"do": "refuse", **step})
    answer = x.open(SAMPLE)
    assert (answer.status_code, answer.json()["title"]) == (status, title)
    check("Problem", answer.json())
    with x.stream(SAMPLE) as lines:
        posts_of(lines, 1)
    assert x.ledger("answer")[0]["fault"] == "refuse"


def test_a_refusal_says_until_when_and_whatever_else_it_should(x: SimulatedX) -> None:
    """With x-rate-limit-reset, other headers, or another body."""
    x.plan(
        {"do": "refuse", "status": 429, "reset": 60, "headers": {"retry-after": "7"}},
        {"do": "refuse", "status": 500, "body": {"any": ["thing"]}},
    )
    answer = x.open(SAMPLE)
    assert 55 <= int(answer.headers["x-rate-limit-reset"]) - time.time() <= 61
    assert (answer.headers["x-rate-limit-remaining"], answer.headers["retry-after"]) == ("0", "7")
    assert x.open(SAMPLE).json() == {"any": ["thing"]}


def test_steps_go_to_the_requests_they_are_for(x: SimulatedX) -> None:
    """By endpoint, method, app and number of times; the others wait."""
    x.plan(
        {"on": "rules", "method": "POST", "do": "refuse", "problem": "rule-cap"},
        {"on": "filtered_stream", "do": "refuse", "status": 500},
        {"on": "sample_stream", "app": "someone else", "do": "refuse", "status": 500},
        {"on": "sample_stream", "do": "pass"},
        {"on": "sample_stream", "do": "refuse", "status": 503, "times": 2},
        {"on": "token", "do": "refuse", "status": 503},
        {"on": "usage", "times": 0, "do": "refuse", "status": 503},
    )
    assert x.call("GET", RULES).status_code == 200
    assert x.call("POST", RULES, json={"add": [{"value": "a"}]}).json()["type"].endswith("rule-cap")
    assert [x.open(SAMPLE).status_code for _ in range(2)] == [200, 503]
    x.wait_for("close")
    assert [x.open(SAMPLE).status_code for _ in range(2)] == [503, 200]
    assert x.open().status_code == 500
    assert x.call("POST", "/oauth2/token").status_code == 503
    assert [x.call("GET", "/2/usage/tweets").status_code for _ in range(3)] == [503] * 3
    assert x.call("GET", "/_simulator/plan").json() == {"steps": 2}


def test_a_redirect_points_elsewhere(x: SimulatedX) -> None:
    """Where a portal would."""
    x.plan({"do": "redirect", "location": "https://portal.example/", "status": 307})
    answer = x.open(SAMPLE)
    assert (answer.status_code, answer.headers["location"]) == (307, "https://portal.example/")


def test_headers_come_late(x: SimulatedX) -> None:
    """Later than the client waits."""
    x.plan({"do": "slow_headers", "seconds": 30})
    with pytest.raises(requests.exceptions.ReadTimeout):
        x.call("GET", SAMPLE, stream=True, timeout=0.3)


def test_a_connection_is_dropped_without_an_answer(x: SimulatedX) -> None:
    """The client sees a reset."""
    x.plan({"do": "drop"})
    with pytest.raises(requests.exceptions.ConnectionError):
        x.open(SAMPLE)


def test_a_page_comes_in_place_of_the_stream(x: SimulatedX) -> None:
    """With status 200 and its own type."""
    x.plan({"do": "content_type"})
    answer = x.open(SAMPLE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert b"Sign in" in answer.content


# --- Ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "ending"),
    [({"do": "close"}, "clean"), ({"do": "close", "finish": False}, "broken"), ({"do": "reset"}, "reset")],
)
def test_a_stream_ends_after_so_many_posts(x: SimulatedX, action: dict[str, Any], ending: str) -> None:
    """All that the ledger calls sent has arrived, whatever the end."""
    x.plan({**action, "after": 20})
    lines, ended = collect(x)
    assert ended == ending
    assert [json.loads(line)["data"]["id"] for line in lines] == sent(x)
    assert len(lines) == 20
    assert x.ledger("close")[0]["reason"] == f"plan: {action['do']}"


def test_a_stream_ends_in_the_middle_of_a_line(x: SimulatedX) -> None:
    """The torn post is no sent one."""
    x.plan({"do": "close_mid_line", "after": 3})
    lines, ended = collect(x)
    assert ended == "broken"
    assert lines[-1].startswith(b'TORN {"data"')
    assert [json.loads(line)["data"]["id"] for line in lines[:-1]] == sent(x)
    torn = x.ledger("message", kind="torn")[0]["id"]
    assert torn.encode() in lines[-1]
    assert torn not in sent(x)


@pytest.mark.parametrize("kind", ["OperationalDisconnect", "UpstreamOperationalDisconnect"])
def test_a_disconnect_is_announced_under_either_name(x: SimulatedX, kind: str) -> None:
    """As errors alone, then the end."""
    x.plan({"do": "disconnect_message", "kind": kind, "after": 2})
    lines, ended = collect(x)
    (error,) = json.loads(lines[-1])["errors"]
    assert (error["title"], error["disconnect_type"], ended) == ("operational-disconnect", kind, "clean")
    check("StreamPostsSampleResponse", json.loads(lines[-1]))


def test_a_connection_outlives_its_client(x: SimulatedX) -> None:
    """It holds the slot until it is ended through the API."""
    x.plan({"do": "linger"})
    with x.stream(SAMPLE) as lines:
        posts_of(lines, 1)
    x.wait_for("close", reason="client closed")
    assert x.open(SAMPLE).json()["connection_issue"] == "TooManyConnections"
    assert x.call("DELETE", "/2/connections/all").json()["data"]["successful_kills"] == 1
    with x.stream(SAMPLE) as lines:
        posts_of(lines, 1)


def test_a_reader_that_is_too_slow_is_cut_off() -> None:
    """Unannounced; what waited is noted as lost."""
    with SimulatedX("--rate", "2000", "--cap", "2000", "--buffer", "1000") as x:
        host = urlsplit(x.url)
        wanted = urlencode({name.replace("_fields", ".fields"): value for name, value in parameters(Fields()).items()})
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with client:
            client.connect((host.hostname, host.port))
            request = f"GET {SAMPLE}?{wanted} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer slow\r\n\r\n"
            client.sendall(request.encode())
            x.wait_for("close", reason="slow reader")
        lost = x.ledger("lost", reason="ended")
        assert lost[0]["posts"] >= 1000


def test_a_client_that_half_closes_gets_all_that_was_sent(x: SimulatedX) -> None:
    """The ledger's posts and the bytes up to the end are the same."""
    host = urlsplit(x.url)
    with socket.create_connection((host.hostname, host.port)) as client, client.makefile("rb") as reader:
        token = x.headers["Authorization"]
        client.sendall(f"GET {SAMPLE} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
        start = b"".join(reader.readline() for _ in range(20))
        client.shutdown(socket.SHUT_WR)
        received = start + reader.read()
    ids = [json.loads(line)["data"]["id"] for line in received.splitlines() if line.startswith(b'{"data"')]
    assert ids == sent(x)


# --- Silence ---------------------------------------------------------------------------------------------------------


def test_a_stream_stalls(x: SimulatedX) -> None:
    """Not even keep-alives come."""
    x.plan({"do": "stall", "after": 2})
    with x.call("GET", SAMPLE, stream=True, timeout=2.5) as answer:
        lines = lines_of(answer)
        posts_of(lines, 2)
        with pytest.raises(requests.exceptions.ConnectionError, match="timed out"):
            next(lines)
    assert len(sent(x)) == 2


def test_a_stall_ends(x: SimulatedX) -> None:
    """And the posts of its time are lost, and noted so."""
    x.plan({"do": "stall", "after": 2, "seconds": 0.5})
    with x.stream(SAMPLE) as lines:
        posts_of(lines, 4)
    x.wait_for("close")
    assert x.ledger("lost", reason="silent")[0]["posts"] > 20


def test_only_keep_alives_come(x: SimulatedX) -> None:
    """Life without posts."""
    x.plan({"do": "keep_alives_only", "after": 2})
    with x.stream(SAMPLE) as lines:
        posts_of(lines, 2)
        assert [next(lines), next(lines)] == [b"", b""]


def test_a_post_dribbles_in(x: SimulatedX) -> None:
    """One byte at a time; and may stop half way."""
    x.plan({"do": "dribble", "after": 1, "every": 0.001}, {"do": "dribble", "every": 0.001, "bytes": 5})
    with x.open(SAMPLE) as answer:
        pieces = answer.iter_content(chunk_size=None)
        first = next(pieces)
        single = [next(pieces) for _ in range(20)]
        assert first.endswith(b"\r\n")
        assert [len(piece) for piece in single] == [1] * 20
    x.wait_for("close")
    with x.call("GET", SAMPLE, stream=True, timeout=1.5) as answer:
        pieces = answer.iter_content(chunk_size=None)
        assert b"".join(next(pieces) for _ in range(5)) == b'{"dat'
        with pytest.raises(requests.exceptions.ConnectionError):
            next(pieces)


# --- Odd lines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["unknown", "errors", "not-json", "raw", "invalid-utf8", "errors-beside-data"])
def test_an_odd_line_comes_between_posts(x: SimulatedX, what: str) -> None:
    """And the stream goes on."""
    x.plan({"actions": [{"do": "inject", "what": what, "text": "anything", "after": 1}, {"do": "close", "after": 4}]})
    lines, ended = collect(x)
    odd = lines[1]
    match what:
        case "unknown":
            assert set(json.loads(odd)) == {"system_notice"}
        case "errors":
            assert set(json.loads(odd)) == {"errors"}
            check("StreamPostsSampleResponse", json.loads(odd))
        case "not-json":
            assert odd.startswith(b"<")
        case "raw":
            assert odd == b"anything"
        case "invalid-utf8":
            with pytest.raises(UnicodeDecodeError):
                odd.decode()
        case _:
            assert set(json.loads(odd)) == {"data", "errors"}
            check("StreamPostsSampleResponse", json.loads(odd))
    whole = [line for line in lines if line is not odd or what == "errors-beside-data"]
    assert ([json.loads(line)["data"]["id"] for line in whole], ended) == (sent(x), "clean")


def test_a_line_of_ten_megabytes_comes_whole(x: SimulatedX) -> None:
    """It is a post like any other."""
    x.plan({"actions": [{"do": "inject", "what": "long", "size": 10_000_000}, {"do": "close", "after": 2}]})
    lines, _ = collect(x)
    assert len(lines[0]) > 10_000_000
    assert [json.loads(line)["data"]["id"] for line in lines] == sent(x)


def test_posts_come_twice(x: SimulatedX) -> None:
    """As many as ordered, and both are in the ledger."""
    x.plan({"actions": [{"do": "duplicate", "posts": 3}, {"do": "close", "after": 10}]})
    lines, _ = collect(x)
    ids = [json.loads(line)["data"]["id"] for line in lines]
    assert ids[0:6:2] == ids[1:6:2]
    assert len(set(ids)) == len(ids) - 3
    assert ids == sent(x)


def test_posts_come_in_the_wrong_order(x: SimulatedX) -> None:
    """As many as ordered, in reverse."""
    x.plan({"actions": [{"do": "shuffle", "posts": 5}, {"do": "close", "after": 8}]})
    lines, _ = collect(x)
    ids = [int(json.loads(line)["data"]["id"]) for line in lines]
    assert ids[:5] == sorted(ids[:5], reverse=True)
    assert sorted(ids)[-3:] == ids[5:]


def test_a_stream_is_compressed(x: SimulatedX) -> None:
    """Each line can be read as soon as it is sent."""
    x.plan({"actions": [{"do": "gzip"}, {"do": "close", "after": 5}]})
    with x.open(SAMPLE) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert [json.loads(line)["data"]["id"] for line in lines_of(answer)] == sent(x)


# --- Rules -----------------------------------------------------------------------------------------------------------


def test_rules_vanish_behind_the_client_s_back(x: SimulatedX) -> None:
    """The connection stays, silent."""
    x.add_rules("the OR a OR storm OR vote")
    x.plan({"do": "delete_rules", "after": 3})
    with x.stream() as lines:
        posts_of(lines, 3)
        x.wait_for("rules", by="plan")
        assert b"" in lines
    assert x.call("GET", RULES).json()["meta"]["result_count"] == 0


def test_a_foreign_rule_appears(x: SimulatedX) -> None:
    """And brings posts."""
    x.add_rules("nothingmatchesthis")
    x.plan({"do": "foreign_rule", "value": "the OR a OR storm", "tag": "theirs"})
    with x.stream() as lines:
        assert posts_of(lines, 1)[0]["matching_rules"][0]["tag"] == "theirs"


# --- Plans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("{", "is not JSON"),
        ("{}", '{"steps": [...]} is needed'),
        ('{"steps": [{"do": "clse"}]}', "plan: steps[0]: do: found \"clse\"; did you mean 'close'?"),
        ('{"steps": [{"do": "close", "aftr": 2}]}', "unknown key 'aftr'; did you mean 'after'?"),
        ('{"steps": [{"do": "refuse"}]}', "give status or problem"),
        ('{"steps": [{"do": "refuse", "problem": "usage-cap"}]}', "did you mean 'usage-capped'?"),
        ('{"steps": [{"do": "slow_headers"}]}', "the key 'seconds' is missing"),
        ('{"steps": [{"do": "close", "after": "2"}]}', "a whole number is needed"),
        ('{"steps": [{"on": "steam", "do": "close"}]}', 'on: found "steam"'),
        ('{"steps": [{"actions": [{"do": "close"}], "after": 2}]}', "stands alone"),
    ],
)
def test_a_wrong_plan_is_refused_with_its_place_and_cure(x: SimulatedX, plan: str, message: str) -> None:
    """And the old one stays."""
    x.plan({"do": "pass"})
    answer = x.call("POST", "/_simulator/plan", data=plan)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert x.call("GET", "/_simulator/state").json()["steps"] == 1


def test_a_plan_comes_from_a_file_as_well(tmp_path: Path) -> None:
    """And may be added to."""
    file = tmp_path / "plan.json"
    file.write_text('{"steps": [{"do": "refuse", "status": 503}]}')
    with SimulatedX("--plan", str(file)) as x:
        x.plan({"do": "refuse", "status": 401}, append=True)
        assert [x.open(SAMPLE).status_code for _ in range(3)] == [503, 401, 200]
        assert b'"event":"start"' in x.call("GET", "/_simulator/ledger").content
