"""Where things lie on a host if nobody says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sfm_stream.places import DATA_DIR, STATE_DIR, find_state_dir
from sfm_stream.settings import model


def test_a_given_state_directory_is_taken(tmp_path: Path) -> None:
    """Whatever the settings say."""
    assert find_state_dir(tmp_path / "given", tmp_path) == tmp_path / "given"


def test_the_state_directory_is_the_one_that_the_streams_name(tmp_path: Path) -> None:
    """Commands need no option on a host that is not as usual."""
    (tmp_path / "streams").mkdir()
    (tmp_path / "streams" / "a.json").write_text(json.dumps({"state_dir": "/srv/state"}))
    assert find_state_dir(None, tmp_path) == Path("/srv/state")


@pytest.mark.parametrize("content", [None, "", "{", "[]", "5", "{}", '{"state_dir": 5}', "\udcff"])
def test_without_one_it_is_the_usual_one(tmp_path: Path, content: str | None) -> None:
    """No streams, or settings that say nothing of it or cannot be read."""
    if content is not None:
        (tmp_path / "streams").mkdir()
        (tmp_path / "streams" / "a.json").write_text(content, errors="surrogateescape")
    assert find_state_dir(None, tmp_path) == STATE_DIR


def test_commands_look_where_the_settings_put_things() -> None:
    """Two names for one default, since most commands import no settings."""
    assert (str(DATA_DIR), str(STATE_DIR)) == (model.DATA_DIR, model.STATE_DIR)
