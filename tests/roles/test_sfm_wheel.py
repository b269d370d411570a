"""The digest that names a release, and the cache of built wheels."""

from __future__ import annotations

import importlib.util
import os
import tarfile
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "roles/sfm_base/library/sfm_wheel.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sfm_wheel", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sfm_wheel = _load()


PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "harvester"
version = "1"
readme = "README.md"
dependencies = ["{requirement}"]
"""


def write(checkout: Path, *, readme: str = "An introduction.\n", requirement: str = "click>=8", code: str = "") -> Path:
    """A small project, whole, as a checkout holds one."""
    (checkout / "harvester").mkdir(parents=True, exist_ok=True)
    (checkout / "harvester" / "__init__.py").write_text(code)
    (checkout / "pyproject.toml").write_text(PROJECT.format(requirement=requirement))
    (checkout / "README.md").write_text(readme)
    return checkout


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty cache."""
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def test_the_release_changes_with_the_code_and_the_requirements_alone(tmp_path: Path, cache: Path) -> None:
    """The same source gives the same release, an edited README too; a line of code or a requirement does not."""
    checkout = tmp_path / "checkout"

    def release(**content: str) -> str:
        return str(sfm_wheel.digest(sfm_wheel.build(write(checkout, **content), cache)))

    first = release()
    assert release() == first
    assert release(readme="Another introduction.\n\nName: looks like a header\n") == first
    assert len({first, release(requirement="click>=8.1"), release(code="# changed\n")}) == 3
    assert len(list(cache.iterdir())) == 3


def test_a_checkout_that_does_not_build_is_named(cache: Path, tmp_path: Path) -> None:
    """What the build said is in the message."""
    (tmp_path / "nothing").mkdir()
    with pytest.raises(RuntimeError, match=r"hatchling build .* in .*nothing"):
        sfm_wheel.build(tmp_path / "nothing", cache)


def test_a_wheelhouse_is_packed_once(cache: Path, tmp_path: Path) -> None:
    """The same wheels give the same file, another wheel another; nothing but wheels goes in."""
    house = tmp_path / "house"
    house.mkdir()
    with pytest.raises(RuntimeError, match="holds no wheels"):
        sfm_wheel.pack(house, cache)
    (house / "a-1-py3-none-any.whl").write_bytes(b"a")
    (house / "notes.txt").write_bytes(b"not a wheel")
    packed = sfm_wheel.pack(house, cache)
    assert sfm_wheel.pack(house, cache) == packed
    with tarfile.open(packed) as archive:
        assert archive.getnames() == ["wheelhouse/a-1-py3-none-any.whl"]
    (house / "b-1-py3-none-any.whl").write_bytes(b"b")
    assert sfm_wheel.pack(house, cache) != packed


def test_the_cache_forgets_what_nothing_asked_for(cache: Path) -> None:
    """What is older than a week goes, the rest stays."""
    for name in ("old", "new"):
        (cache / name).mkdir()
        (cache / name / "a.whl").write_bytes(b"a")
    weeks_ago = time.time() - 2 * sfm_wheel.KEEP_SECONDS
    os.utime(cache / "old", (weeks_ago, weeks_ago))
    sfm_wheel.tidy(cache)
    assert [each.name for each in cache.iterdir()] == ["new"]
