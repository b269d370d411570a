"""Accounts followed by name are followed by id once X has told it, and a name that changes hands is seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from sfm_stream.cli import cli
from sfm_stream.errors import ConfigError
from sfm_stream.settings.config import read_stream
from sfm_stream.sources.x.accounts import MOST, AccountWatch, find_ids
from sfm_stream.sources.x.client import Dropped, XRefused
from sfm_stream.sources.x.rules.accounts import by_id, names
from sfm_stream.sources.x.rules.compiler import compile_rules
from sfm_stream.sources.x.settings import Rule, XStream
from tests.unit.rules_server import App, serving


def stream(*followed: str, **more: Any) -> XStream:
    return XStream(kind="filterstream", name="f", credential="c", rules=(Rule(name="main", follow=followed),), **more)


def test_names_are_those_that_are_no_numbers() -> None:
    """Each once, however it is written."""
    assert names(stream("NWS", "@nws", "12345", "@Someone").rules) == ["nws", "someone"]


def test_rules_are_made_with_the_ids_that_are_known() -> None:
    """And with the names of the others."""
    (rule,) = compile_rules(by_id(stream("@NWS", "Other", accounts={"nws": "77"})))
    assert rule.value == ("from:77 OR to:77 OR retweets_of:77 OR from:Other OR to:Other OR retweets_of:Other")


def test_settings_with_ids_are_read_as_such(tmp_path: Path) -> None:
    """By everything that reads them; an id that is none is a fault."""
    path = tmp_path / "twitterfilter-f.json"
    path.write_bytes(msgspec.json.encode(stream("NWS", accounts={"nws": "77"})))
    assert read_stream(path).rules[0].follow == ("77",)
    path.write_bytes(msgspec.json.encode(stream("NWS", accounts={"nws": "x OR y"})))
    with pytest.raises(ConfigError, match=r"accounts: nws: found .*numeric id"):
        read_stream(path)


class Users(App):
    """An X that knows some accounts."""

    def __init__(self, **users: str) -> None:
        super().__init__()
        self.users = users
        self.requests: list[list[str]] = []

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if self.answers or path != "/2/users/by":
            return super().answer(method, path, query, body)
        asked = query["usernames"][0].split(",")
        self.requests.append(asked)
        found = [{"id": self.users[name], "username": name.upper()} for name in asked if name in self.users]
        errors = [{"value": name, "detail": f"Could not find {name}."} for name in asked if name not in self.users]
        return 200, {"data": found, "errors": errors}


def test_x_is_asked_for_a_hundred_names_at_a_time() -> None:
    """The ids come by the names that were asked for, and a name that X would refuse spoils nothing."""
    many = {f"user{number}": str(number + 1) for number in range(150)}
    with serving(Users(**many)) as app:
        assert isinstance(app, Users)
        found, missing = find_ids(app.client(), [*many, "nobody", "much_too_long_a_name"])
        assert [len(each) for each in app.requests] == [100, 51]
    assert found == many
    assert missing == {"nobody": "Could not find nobody.", "much_too_long_a_name": "X has no such names"}


@pytest.mark.parametrize("answer", [(200, b"<html>"), (200, {"data": [{"id": 5}]}), (403, {"title": "Forbidden"})])
def test_an_odd_answer_is_no_traceback(answer: tuple[int, Any]) -> None:
    """Whatever comes, it is one of the two errors that every request may have."""
    with serving(Users()) as app:
        app.answers = [answer]
        with pytest.raises((Dropped, XRefused)):
            find_ids(app.client(), ["nws"])


def test_an_id_that_is_none_is_not_taken() -> None:
    """It would stand in a rule."""
    with serving(Users(nws="1 OR from:everybody")) as app:
        assert find_ids(app.client(), ["nws"]) == ({}, {"nws": "X did not answer for it"})


def post(author: str, username: str) -> bytes:
    return json.dumps(
        {"data": {"id": "1", "author_id": author}, "includes": {"users": [{"id": author, "username": username}]}}
    ).encode()


def test_a_name_that_belongs_to_another_account_is_seen_once() -> None:
    """And so is a new name of an account that is followed; all is well with the others."""
    watch = AccountWatch({"nws": "77", "other": "88"})
    assert list(watch.look(post("77", "NWS"))) == list(watch.look(post("5", "Somebody"))) == []
    (taken,) = watch.look(post("99", "NWS"))
    assert str(taken) == "the name NWS belongs to account 99 now; followed is 77, which had it"
    (renamed,) = watch.look(post("88", "Another"))
    assert str(renamed) == "account 88, followed as other, is named Another now; it is followed all the same"
    assert list(watch.look(post("99", "NWS"))) == list(watch.look(post("88", "Another"))) == []
    # The two have swapped their names.
    assert [each.followed_id for each in watch.look(post("77", "Other"))] == ["88"]


def test_names_without_end_are_told_no_further_than_a_number() -> None:
    """No account changes its name a thousand times; a server may make them up."""
    watch = AccountWatch({"nws": "77"})
    assert sum(len(list(watch.look(post("77", f"Name{number}")))) for number in range(1000)) == MOST


@pytest.mark.parametrize("line", [b"", b"[]", b'{"data":', b'{"data":{"author_id":5}}', b"\xff", b"[" * 5000])
def test_a_post_that_cannot_be_read_says_nothing(line: bytes) -> None:
    assert list(AccountWatch({"nws": "77"}).look(line)) == []


# --- The command ---------------------------------------------------------------------------------------------------


def resolved(config: Path, *streams: XStream, options: tuple[str, ...] = ()) -> dict[str, Any]:
    """What ``rules resolve`` prints."""
    done = CliRunner().invoke(
        cli, ["rules", "resolve", "--config-dir", str(config), *options], input=msgspec.json.encode(streams)
    )
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration directory with a credential."""
    for name in ("streams", "credentials"):
        (tmp_path / name).mkdir()
    credential = tmp_path / "credentials" / "c.json"
    credential.write_text('{"bearer_token": "token"}')
    credential.chmod(0o600)
    return tmp_path


def test_a_name_costs_once_and_keeps_the_id_that_it_was_found_with(config: Path) -> None:
    """An account that takes the name later is not followed, and X is asked for new names alone."""
    with serving(Users(nws="77", other="88")) as app:
        assert isinstance(app, Users)
        first = resolved(config, stream("NWS", api_url=app.url))
        assert first == {"accounts": {"twitterfilter-f.json": {"nws": "77"}}, "asked": 1, "unresolved": []}
        held = stream("NWS", accounts=first["accounts"]["twitterfilter-f.json"])
        (config / "streams" / "twitterfilter-f.json").write_bytes(msgspec.json.encode(held))
        app.users["nws"] = "99"
        again = resolved(config, stream("@nws", "Other", api_url=app.url))
        assert again["accounts"] == {"twitterfilter-f.json": {"nws": "77", "other": "88"}}
        assert app.requests == [["nws"], ["other"]]
        assert resolved(config, stream("Other", api_url=app.url), options=("--known-only",))["asked"] == 0
        assert len(app.requests) == 2


def test_who_cannot_be_asked_is_no_failure(config: Path) -> None:
    """The names are followed, and somebody is told; streams that do not run cost nothing."""
    with serving(Users()) as app:
        app.answers = [(403, {"title": "Client Forbidden", "detail": "not enrolled"})]
        told = resolved(config, stream("NWS", "Other", api_url=app.url))
        assert told["accounts"] == {}
        assert "filter 'f': 2 accounts: X was not asked, or did not answer: HTTP 403" in told["unresolved"][0]
        lacking = resolved(config, stream("NWS", api_url=app.url))
        assert lacking["unresolved"] == ["filter 'f': @nws: Could not find nws."]
        asked = len(app.asked)
        unlike = XStream(kind="streamsample", name="streamsample", credential="c", api_url=app.url)
        assert resolved(config, unlike) == {"accounts": {}, "asked": 0, "unresolved": []}
        assert resolved(config, stream("NWS", api_url=app.url, active=False))["asked"] == 0
        assert len(app.asked) == asked
    missing = msgspec.structs.replace(stream("NWS"), credential="none")
    assert "credentials/none.json: cannot be read" in resolved(config, missing)["unresolved"][0]
    refused = CliRunner().invoke(cli, ["rules", "resolve", "--config-dir", str(config)], input=b"{}")
    assert isinstance(refused.exception, ConfigError)
