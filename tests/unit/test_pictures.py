"""The pictures of the README: small, of simulated data, and as things look now."""

from __future__ import annotations

from pathlib import Path

from tests.support.pictures import status, terminal

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


def test_the_picture_of_the_status_is_what_status_prints() -> None:
    """After a change of the table: script/pictures."""
    assert (PICTURES / "status.svg").read_text(encoding="utf-8") == terminal("sfm-stream status", status())


def test_pictures_are_small() -> None:
    """A clone carries each version of them for ever."""
    assert {path.name for path in PICTURES.iterdir()} == {"status.svg", "report.png"}
    assert all(path.stat().st_size < 200_000 for path in PICTURES.iterdir())
