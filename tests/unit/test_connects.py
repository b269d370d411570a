"""The tries to connect, remembered over restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfm_stream import clock
from sfm_stream.errors import StorageError
from sfm_stream.record import connects
from sfm_stream.record.connects import REMEMBERED, Connects

PROGRAM = "twitterfilter-storms"


def test_tries_are_remembered_by_the_next_run(tmp_path: Path) -> None:
    """Each before it is made; the last fifty."""
    assert connects.read(tmp_path, PROGRAM) is None
    first = clock.now()
    Connects(tmp_path, PROGRAM).note()
    for _ in range(REMEMBERED + 5):
        Connects(tmp_path, PROGRAM).note()
    tries = connects.read(tmp_path, PROGRAM)
    assert tries is not None
    assert len(tries) == REMEMBERED
    assert first <= tries[0] <= tries[-1] <= clock.now()


@pytest.mark.parametrize("damage", [b"", b"\0\0\0", b"{}", b"[1]", b'["soon"]', b"\xff", b"[" * 100_000])
def test_a_damaged_record_is_none(tmp_path: Path, damage: bytes) -> None:
    """It bars no start, and is replaced by the next try."""
    path = tmp_path / "connects" / f"{PROGRAM}.json"
    path.parent.mkdir()
    path.write_bytes(damage)
    assert connects.read(tmp_path, PROGRAM) is None
    Connects(tmp_path, PROGRAM).note()
    assert len(connects.read(tmp_path, PROGRAM) or ()) == 1


def test_a_try_that_cannot_be_put_down_is_not_made(tmp_path: Path) -> None:
    """The state directory is at fault, in one line."""
    (tmp_path / "connects").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        Connects(tmp_path, PROGRAM).note()
