"""The digest that names a release, and the cache of built wheels."""

from __future__ import annotations

import importlib.util
import os
import shutil
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


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the package is built from."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / "sfm_stream", copy / "sfm_stream", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty cache."""
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def test_the_release_changes_with_the_code_and_the_requirements_alone(checkout: Path, cache: Path) -> None:
    """The same source gives the same release, an edited README too; a line of code or a requirement does not."""
    first = sfm_wheel.digest(sfm_wheel.build(checkout, cache))
    os.utime(checkout / "sfm_stream/cli.py")
    (checkout / "README.md").write_text("Another introduction.\n\nName: looks like a header\n")
    assert sfm_wheel.digest(sfm_wheel.build(checkout, cache)) == first

    project = (checkout / "pyproject.toml").read_text()
    (checkout / "pyproject.toml").write_text(project.replace('"msgspec>=0.19"', '"msgspec>=0.20"'))
    second = sfm_wheel.digest(sfm_wheel.build(checkout, cache))
    with (checkout / "sfm_stream/cli.py").open("a") as file:
        file.write("# changed\n")
    third = sfm_wheel.digest(sfm_wheel.build(checkout, cache))
    assert len({first, second, third}) == 3
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
