"""``sfm-stream simulate``: a source by its name, and without one the source that came first."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sfm_stream.cli import cli
from sfm_stream.errors import ConfigError, UsageError
from sfm_stream.sources import registry


def test_every_source_can_be_simulated() -> None:
    listed = CliRunner().invoke(cli, ["simulate", "--help"]).output
    for name in registry.names():
        assert f"\n  {name} " in listed
        assert "first line printed" not in CliRunner().invoke(cli, ["simulate", name, "--help"]).output


def test_options_without_a_source_are_those_of_the_default_one() -> None:
    """As the program files of deployed hosts have them; ``--rule-count`` is an option of that source alone."""
    result = CliRunner().invoke(cli, ["simulate", "--rule-count", "5", "--host", "192.0.2.1"])
    assert isinstance(result.exception, UsageError)
    assert "--host 192.0.2.1: only a loopback address" in str(result.exception)


def test_an_unknown_source_is_named() -> None:
    result = CliRunner().invoke(cli, ["simulate", "usenet"])
    assert result.exit_code == 2
    assert "No such command 'usenet'" in result.output


@pytest.mark.parametrize("name", registry.names())
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_no_simulator_listens_where_others_could_reach_it(name: str, host: str) -> None:
    result = CliRunner().invoke(cli, ["simulate", name, "--host", host])
    assert isinstance(result.exception, UsageError)


@pytest.mark.parametrize("name", registry.names())
def test_a_plan_or_ledger_that_cannot_be_opened_is_named(name: str, tmp_path: Path) -> None:
    for option, path in (("--plan", tmp_path / "none.json"), ("--ledger", tmp_path / "none" / "ledger.jsonl")):
        result = CliRunner().invoke(cli, ["simulate", name, "--port", "0", option, str(path)])
        assert isinstance(result.exception, ConfigError)
        assert str(result.exception) == f"{path}: No such file or directory"
