"""Settings and secrets of a host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sfm_stream.errors import ConfigError
from sfm_stream.settings.config import (
    credential_path,
    find_filter,
    list_streams,
    read_credential,
    read_stream,
    stream_path,
    validate_file,
)
from sfm_stream.settings.faults import Fault
from sfm_stream.sources import registry
from sfm_stream.sources.x.settings import XCredential


def read_x_credential(path: Path) -> XCredential:
    """A file as one of X's."""
    credential = read_credential(path, registry.source("x"))
    assert isinstance(credential, XCredential)
    return credential


STREAM = {"kind": "filterstream", "name": "storms", "credential": "lab", "rules": [{"name": "main", "track": ["hail"]}]}
TOKEN = "AAAAsecretAAAA"


def put(path: Path, content: object, mode: int = 0o640) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else msgspec.json.encode(content))
    path.chmod(mode)
    return path


def fault(path: Path, read: Any = read_stream) -> str:
    with pytest.raises(ConfigError) as caught:
        read(path)
    return str(caught.value)


def test_settings_lie_under_the_name_of_their_program(tmp_path: Path) -> None:
    """As the deployment writes them."""
    assert find_filter(tmp_path, "storms") == tmp_path / "streams/twitterfilter-storms.json"
    assert stream_path(tmp_path, "streamsample") == tmp_path / "streams/streamsample.json"
    assert credential_path(tmp_path, "lab") == tmp_path / "credentials/lab.json"


def test_settings_are_read_with_their_defaults(tmp_path: Path) -> None:
    """What is not given is as the design says."""
    stream = read_stream(put(tmp_path / "s.json", STREAM))
    assert (stream.program, stream.save_interval, stream.active) == ("twitterfilter-storms", 900.0, True)


def test_every_fault_is_told_at_once_with_file_key_value_and_cure(tmp_path: Path) -> None:
    """A person who corrects a file wants them all; `validate` is strict."""
    wrong = STREAM | {"save_interval": 0, "actve": True, "min_free": "lots", "credential": "no/slash", "rules": []}
    path = put(tmp_path / "s.json", wrong)
    lines = fault(path, validate_file).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    assert any("actve" in line and "did you mean 'active'?" in line for line in lines)
    assert any("save_interval: found 0" in line for line in lines)
    lines = fault(put(path, wrong | {"save_interval": 1, "actve": True}), validate_file).splitlines()
    del wrong["actve"]
    lines = fault(put(path, wrong | {"save_interval": 1})).splitlines()
    assert {key for key in ("min_free", "credential", "nothing to match") for line in lines if key in line} == {
        *("min_free", "credential", "nothing to match")
    }


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"kind": "filterstream",}'])
def test_what_is_no_json_is_said_so(tmp_path: Path, content: bytes) -> None:
    """With the file's name."""
    path = put(tmp_path / "s.json", content)
    assert fault(path).startswith(f"{path}: is not JSON: ")


@pytest.mark.parametrize("content", [[], 5, "text", None])
def test_json_that_holds_no_settings_is_said_so(tmp_path: Path, content: object) -> None:
    """A mapping is needed."""
    path = put(tmp_path / "s.json", content)
    assert "a mapping of keys to values is needed" in fault(path)
    assert "a mapping of keys to values is needed" in fault(path, validate_file)


def test_a_file_that_is_missing_or_a_directory_is_said_so(tmp_path: Path) -> None:
    """In the system's words."""
    assert "cannot be read: No such file" in fault(tmp_path / "gone.json")
    assert "cannot be read: Is a directory" in fault(tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o642, 0o641, 0o777])
def test_a_secret_that_everyone_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The mode and the cure are named."""
    path = put(tmp_path / "c.json", {"bearer_token": TOKEN}, mode)
    message = fault(path, read_x_credential)
    assert f"mode {mode:04o}" in message
    assert message.endswith(f"chmod 0640 {path}")
    assert fault(path, validate_file) == message


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o440])
def test_a_secret_of_its_owner_and_group_is_read(tmp_path: Path, mode: int) -> None:
    """Its repr shows nothing of it."""
    credential = read_x_credential(put(tmp_path / "c.json", {"bearer_token": TOKEN}, mode))
    assert credential.bearer_token == TOKEN
    assert TOKEN not in repr(credential)


@pytest.mark.parametrize(
    "content",
    [
        {"bearer_token": [TOKEN]},
        {"bearer_token": TOKEN, "consumer_key": TOKEN, "consumer_secret": TOKEN},
        {"consumer_key": TOKEN},
        {"bearer_token": f" {TOKEN}"},
        {"bearer_tokn": TOKEN},
        {"bearer_token": {"value": TOKEN}},
        {},
    ],
)
def test_no_fault_of_a_credential_shows_the_secret(tmp_path: Path, content: object) -> None:
    """Messages end up in logs."""
    assert TOKEN not in fault(put(tmp_path / "c.json", content), read_x_credential)


def test_streams_are_listed_by_program_name(tmp_path: Path) -> None:
    """Active and inactive; a host without any has none."""
    assert list(list_streams(tmp_path)) == []
    for name in ("b", "a"):
        put(stream_path(tmp_path, f"twitterfilter-{name}"), STREAM | {"name": name, "active": name == "b"})
    put(tmp_path / "streams" / "notes.txt", b"no settings")
    assert [(stream.name, stream.active) for stream in list_streams(tmp_path)] == [("a", False), ("b", True)]


def test_validate_tells_settings_and_credentials_apart(tmp_path: Path) -> None:
    """By their keys, whatever the file is called."""
    validate_file(put(tmp_path / "x", STREAM, 0o644))
    validate_file(put(tmp_path / "y", {"bearer_token": TOKEN}))
    assert "the key 'kind' is missing" in fault(put(tmp_path / "z", {"name": "x"}), validate_file)


NEWER = STREAM | {"deletions": "keep", "rules": [{"name": "main", "track": ["hail"], "langs": ["en"]}]}


def test_a_program_uses_settings_of_a_newer_release_without_what_it_does_not_know(tmp_path: Path) -> None:
    """A rollback leaves such settings on a host, for a while; each unknown key is told, and what is wrong stays so."""
    path = put(tmp_path / "streams/twitterfilter-storms.json", NEWER)
    unknown: list[Fault] = []
    assert read_stream(path, unknown=unknown) == read_stream(put(tmp_path / "known.json", STREAM))
    assert sorted(f"{each.where}: {each.problem}" for each in unknown) == [
        f"{path}: rules[0]: unknown key 'langs'",
        f"{path}: unknown key 'deletions'",
    ]
    assert "save_interval: found 0" in fault(put(path, NEWER | {"save_interval": 0}))


def test_a_deployment_writes_no_settings_with_unknown_keys(tmp_path: Path) -> None:
    """What `validate` lets pass is what the program will do."""
    path = put(tmp_path / "streams/twitterfilter-storms.json", NEWER)
    assert fault(path, validate_file).count("unknown key") == 2


def test_a_capture_warns_once_of_keys_that_it_does_not_know(tmp_path: Path) -> None:
    """In its log, before anything else; here it then stops, for want of a credential."""
    put(tmp_path / "streams/twitterfilter-storms.json", NEWER)
    command = [sys.executable, "-m", "sfm_stream", "filterstream", "storms", "--config-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    warning, error = done.stderr.splitlines()
    assert warning.startswith("sfm-stream: warning: ")
    assert "unknown key 'langs'" in warning
    assert "unknown key 'deletions'" in warning
    assert "credentials/lab.json" in error
