"""Files are moved into the date tree; whatever happens on the way, none is lost and none doubled."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfm_stream import names
from sfm_stream.archive import manifest, marker
from sfm_stream.archive.audit import Audit
from sfm_stream.archive.audit_outcome import AuditOutcome
from sfm_stream.archive.filesystem import Filesystem
from sfm_stream.archive.organize import Organizer
from sfm_stream.archive.outcome import OrganizeOutcome
from sfm_stream.archive.tree import lock
from sfm_stream.errors import LockedError, StorageError

OWN = "twitterfilter-storms-2026-11-24T20-15-00Z.jsonl.gz"
DAY = "twitterfilter-storms/2026/11/24"


class Crash(BaseException):
    """The process is gone."""


class Fragile(Filesystem):
    """Ends the process at the n-th effect, before it or half-way through; can keep data and archive on two disks."""

    def __init__(self, effects: int, *, two_disks: bool = False, links: bool = False) -> None:
        self.effects = effects
        self.two_disks = two_disks
        self.links = links

    def _last(self) -> bool:
        self.effects -= 1
        return self.effects == 0

    def make_directory(self, path: str) -> None:
        if self._last():
            raise Crash
        super().make_directory(path)

    def append(self, path: str, text: str) -> None:
        if self._last():
            super().append(path, text[: len(text) * 2 // 3])
            raise Crash
        super().append(path, text)

    def truncate(self, path: str, length: int) -> None:
        if self._last():
            raise Crash
        super().truncate(path, length)

    def create(self, path: str, text: str) -> None:
        if self._last():
            raise Crash
        super().create(path, text)

    def rename(self, source: str, target: str) -> None:
        temporary = source.endswith(".unfinished")
        if self.two_disks and not temporary:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        if self._last():
            if self.links and not temporary:
                os.link(source, target)
            raise Crash
        super().rename(source, target)

    def copy(self, source: str, target: str) -> str:
        if self._last():
            directory, _, name = target.rpartition("/")
            Path(directory, f".{name}.unfinished").write_bytes(Path(source).read_bytes()[:1])
            raise Crash
        return super().copy(source, target)

    def remove(self, path: str) -> None:
        if self._last():
            raise Crash
        super().remove(path)

    def sync(self, paths: Any) -> None:
        if self._last():
            raise Crash
        assert all(Path(path).exists() for path in paths)


class Host(msgspec.Struct):
    """A host's directories."""

    data: Path
    tree: Path
    state: Path

    def organize(self, filesystem: Filesystem | None = None, **options: Any) -> OrganizeOutcome:
        return Organizer(self.data, self.tree, self.state, filesystem=filesystem, **options).run()

    def audit(self) -> AuditOutcome:
        return Audit(self.data, self.tree, self.state).run()

    def files(self) -> Iterator[Path]:
        """All capture files and strangers, loose and sorted; not the manifests nor what a crash left half-written."""
        for top in {self.data, self.tree}:
            for path in top.rglob("*"):
                if path.is_file() and not path.name.endswith((manifest.NAME, marker.NAME, ".unfinished")):
                    yield path

    def contents(self) -> Counter[tuple[Any, bytes]]:
        """Content by program, time and kind of file: what a new name leaves as it is."""
        found: Counter[tuple[Any, bytes]] = Counter()
        for path in self.files():
            name = names.parse(path.name)
            family = (name.program, name.time, name.suffix) if name else (str(path), None, None)
            found[family, path.read_bytes()] += 1
        return found


@contextmanager
def host(*, two_directories: bool = False) -> Iterator[Host]:
    with tempfile.TemporaryDirectory() as top:
        data, state = Path(top, "data"), Path(top, "state")
        tree = Path(top, "archive") if two_directories else data
        for path in {data, tree, state / "journal"}:
            path.mkdir(parents=True)
        yield Host(data, tree, state)


def journal(state: Path, program: str, *lines: dict[str, object]) -> None:
    with (state / "journal" / f"{program}.jsonl").open("a") as file:
        file.writelines(
            json.dumps({"time": "2026-11-24T21:00:00.000Z", "event": "rotate"} | line) + "\n" for line in lines
        )


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


capture_files = st.builds(
    "{}-{}{}{}".format,
    st.sampled_from(["twitterfilter-a", "twitterfilter-a-b", "streamsample"]),
    st.sampled_from(["2014-04-11T04-34-28Z", "2014-04-11T04:34:28Z", "2014-04-11T23-59-59Z", "2024-02-29T00-00-00Z"]),
    st.sampled_from(["", "_2", "_3"]),
    st.sampled_from([".gz", ".xml.gz", ".jsonl.gz"]),
)
strangers = st.sampled_from(
    ["README", "x.gz", "streamsample-2014-13-11T04-34-28Z.gz", f"{OWN}.part", "wörter 天.gz", ".hidden"]
)
contents = st.sampled_from([b"", b"one", b"two", b"three"])


class Scene(msgspec.Struct):
    """What lies on a host before the first run."""

    loose: dict[str, bytes]
    sorted: dict[str, bytes]
    listed: bool
    recorded: set[str]


scenes = st.builds(
    Scene,
    loose=st.dictionaries(capture_files | strangers, contents, max_size=8),
    sorted=st.dictionaries(capture_files, contents, max_size=5),
    listed=st.booleans(),
    recorded=st.sets(capture_files, max_size=4),
)


def set_up(place: Host, scene: Scene) -> None:
    if scene.listed:  # brought in by an earlier run; else laid out by SFM
        for name, content in scene.sorted.items():
            (place.data / name).write_bytes(content)
        place.organize()
    else:
        for name, content in scene.sorted.items():
            target = place.tree / names.parse(name).folder
            target.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)
    for name, content in scene.loose.items():
        (place.data / name).write_bytes(content)
        if name in scene.recorded and name not in scene.sorted:
            line = {"file": name, "bytes": len(content), "sha256": digest(content)}
            journal(place.state, names.parse(name).program, line)


def judge(place: Host, scene: Scene, before: Counter[tuple[Any, bytes]]) -> None:
    """All is in its place, nothing is lost, nothing double, and the audit agrees."""
    after = place.contents()
    assert set(after) == set(before), "no content is lost, none made up"
    assert all(after[key] <= before[key] for key in after), "nothing is double"
    if set(before.values()) <= {1}:
        assert after == before, "where there were no copies, the multiset is the same"
    for name, content in scene.sorted.items():
        assert (place.tree / names.parse(name).folder / name).read_bytes() == content, "what was there stays"
    left = {path.name for path in place.data.iterdir() if path.is_file()}
    assert left == {name for name in scene.loose if names.parse(name) is None}, "what is no capture file stays"
    found = place.audit()
    assert [fault.kind for fault in found.findings] == ([] if found.days else ["empty"])
    assert found.verified == sum(names.parse(path.name) is not None for path in place.files())


@settings(max_examples=60, deadline=None)
@given(scenes, st.booleans())
def test_any_tree_is_sorted_whole(scene: Scene, two: bool) -> None:
    """Whatever names and contents meet, and a second run has nothing to do."""
    with host(two_directories=two) as place:
        set_up(place, scene)
        before = place.contents()
        place.organize()
        judge(place, scene, before)
        again = place.organize()
        assert (again.moved, again.known, again.adopted) == (0, 0, 0)


@settings(max_examples=120, deadline=None)
@given(scenes, st.lists(st.integers(1, 40), min_size=1, max_size=3), st.booleans(), st.booleans())
def test_a_crash_at_any_point_loses_and_doubles_nothing(
    scene: Scene, crashes: list[int], two_disks: bool, links: bool
) -> None:
    """Killed at the n-th effect, also several times over, a later run ends as one that was never disturbed."""
    with host(two_directories=two_disks) as place:
        set_up(place, scene)
        before = place.contents()
        for effects in crashes:
            try:
                place.organize(Fragile(effects, two_disks=two_disks, links=links))
            except Crash:
                assert set(place.contents()) == set(before), "at the moment of the crash all content is there"
                assert {fault.kind for fault in place.audit().findings} <= {"manifest", "unexpected", "empty"}
        place.organize(Fragile(0, two_disks=two_disks))
        judge(place, scene, before)


def test_every_single_effect_can_be_the_last() -> None:
    """Without chance: the same scene, killed at the first effect, the second, and so on to the end."""
    scene = Scene(
        loose={
            OWN: b"one",
            OWN.replace("15-00Z", "15-00Z_2"): b"two",
            "streamsample-2014-04-11T04-34-28Z.gz": b"three",
            "streamsample-2015-04-11T04-34-28Z.gz": b"four",
        },
        sorted={OWN: b"other", "streamsample-2014-04-11T04-34-28Z.gz": b"three"},
        listed=True,
        recorded={OWN},
    )
    for two_disks in (False, True):
        crashed, effects = True, 0
        while crashed:
            effects += 1
            with host(two_directories=two_disks) as place:
                set_up(place, scene)
                before = place.contents()
                crashed = False
                try:
                    place.organize(Fragile(effects, two_disks=two_disks))
                except Crash:
                    crashed = True
                place.organize()
                judge(place, scene, before)
        assert effects > 10


def test_a_dry_run_tells_what_a_run_does_and_does_nothing() -> None:
    """The same files are named; not a byte is different after it."""
    scene = Scene(
        loose={OWN: b"one", "README": b"", "streamsample-2014-04-11T04-34-28Z.gz": b"three"},
        sorted={OWN: b"other", "streamsample-2014-04-11T04-34-28Z.gz": b"three", OWN.replace("20-15", "20-30"): b"x"},
        listed=False,
        recorded=set(),
    )
    with host() as place:
        set_up(place, scene)
        before = {path: path.read_bytes() for path in place.data.rglob("*") if path.is_file()}
        dry_lines: list[str] = []
        dry = place.organize(dry_run=True, tell=lambda line, _: dry_lines.append(line))
        assert {path: path.read_bytes() for path in place.data.rglob("*") if path.is_file()} == before
        lines: list[str] = []
        real = place.organize(tell=lambda line, _: lines.append(line))
        assert dry == real
        assert sorted(dry_lines) == sorted(lines)
        assert (real.moved, real.renamed, real.known, real.adopted, real.unknown) == (1, 1, 1, 3, 1)


@pytest.mark.parametrize("name", [OWN, "twitterfilter-2-2014-04-11T04-34-28Z.gz"])
def test_a_file_that_is_being_written_stays_until_it_is_closed(name: str) -> None:
    """However long nothing was written to it: a quiet stream's file is no finished file."""
    with host() as place:
        path = place.data / name
        with path.open("ab") as writer:
            os.utime(path, (0, 0))
            assert place.organize().waiting == 1
            assert path.exists()
            writer.write(b"late")
        assert place.organize().moved == 1
        [moved] = place.files()
        assert moved.read_bytes() == b"late"


def test_a_day_laid_out_by_sfm_waits_while_a_file_of_it_is_written() -> None:
    """SFM moved files that were open; they get their entry when they are closed."""
    with host() as place:
        path = place.data / names.parse(OWN).folder / OWN
        path.parent.mkdir(parents=True)
        (place.data / OWN.replace("15-00Z", "15-01Z")).write_bytes(b"loose")
        with path.open("ab"):
            assert place.organize().waiting == 2
        outcome = place.organize()
        assert (outcome.adopted, outcome.moved, outcome.waiting) == (1, 1, 0)
        assert place.audit().faults == 0


def test_what_the_journal_says_is_listed_without_reading_the_file() -> None:
    """The sha256 of the moment the file was finished travels with it; the audit finds a later change."""
    with host() as place:
        (place.data / OWN).write_bytes(b"rotten")
        line = {"file": OWN, "bytes": 6, "sha256": digest(b"finest")}
        journal(place.state, "twitterfilter-storms", {"event": "start"}, line)
        assert place.organize().moved == 1
        listed = manifest.read(f"{place.tree}/{DAY}/{manifest.NAME}")
        assert listed.entries == {f"20/{OWN}": digest(b"finest")}
        assert [fault.kind for fault in place.audit().findings] == ["changed"]


def test_a_file_of_another_size_than_recorded_is_reported() -> None:
    """It is moved all the same, and listed as it was recorded: what was captured stays on record."""
    with host() as place:
        (place.data / OWN).write_bytes(b"cut")
        journal(place.state, "twitterfilter-storms", {"file": OWN, "bytes": 6, "sha256": digest(b"finest")})
        outcome = place.organize()
        assert [finding.kind for finding in outcome.findings] == ["damaged"]
        assert [fault.kind for fault in place.audit().findings] == ["changed"]


def test_an_unlisted_file_is_taken_up_only_when_told() -> None:
    """An extra file in a day with a manifest did not come by this way; a person decides."""
    with host() as place:
        (place.data / OWN).write_bytes(b"one")
        place.organize()
        extra = OWN.replace("20-15", "20-30")
        (place.tree / DAY / "20" / extra).write_bytes(b"extra")
        assert place.organize().adopted == 0
        assert [fault.kind for fault in place.audit().findings] == ["unexpected"]
        assert place.organize(adopt=True).adopted == 1
        assert place.audit().faults == 0


def test_a_lost_file_is_not_replaced_by_another_of_its_name() -> None:
    """Its entry stays, so that the loss stays visible; the newcomer gets a name of its own."""
    with host() as place:
        (place.data / OWN).write_bytes(b"one")
        place.organize()
        (place.tree / DAY / "20" / OWN).unlink()
        (place.data / OWN).write_bytes(b"two")
        assert place.organize().renamed == 1
        found = place.audit()
        assert [(fault.kind, Path(fault.file).name) for fault in found.findings] == [("missing", OWN)]
        (place.data / OWN).write_bytes(b"one")  # found again in a backup
        assert place.organize().moved == 1
        assert place.audit().faults == 0


def test_a_new_name_is_never_that_of_another_loose_file() -> None:
    """Only the file whose own name is taken gets a new one."""
    with host() as place:
        second = OWN.replace("Z.", "Z_2.")
        for content in (b"one", b"two"):
            (place.data / OWN).write_bytes(content)
            (place.data / second).write_bytes(b"second")
            place.organize()
        kept = {path.name: path.read_bytes() for path in place.files()}
        assert kept == {OWN: b"one", second: b"second", OWN.replace("Z.", "Z_3."): b"two"}


def test_directories_and_links_are_named_not_moved() -> None:
    """A link could lead anywhere; a directory that is no date tree may be anything."""
    with host() as place:
        (place.data / OWN).symlink_to("/etc/hostname")
        (place.data / "streamsample-2014-04-11T04-34-28Z.gz").mkdir()
        (place.data / "backup").mkdir()
        (place.data / "backup" / "x").touch()
        (place.data / "lost+found").mkdir()
        outcome = place.organize()
        assert sorted(Path(finding.file).name for finding in outcome.findings) == [
            *("backup", "streamsample-2014-04-11T04-34-28Z.gz", OWN)
        ]
        assert outcome.moved == 0


def test_a_second_run_at_once_says_so() -> None:
    """It touches nothing, and has its own error."""
    with host(two_directories=True) as place:
        (place.data / OWN).write_bytes(b"one")
        held = lock(str(place.tree))
        with pytest.raises(LockedError, match="another organizedata is at work"):
            place.organize()
        assert place.organize(dry_run=True).moved == 1
        os.close(held)
        assert place.organize().moved == 1


def test_a_missing_directory_is_named() -> None:
    """No directory is made up for a mistyped option."""
    with host() as place, pytest.raises(StorageError, match="nowhere: no such directory"):
        Organizer(place.data / "nowhere", None, place.state).run()


@given(st.dictionaries(capture_files, contents, min_size=1))
@settings(max_examples=25, deadline=None)
def test_links_stand_in_where_the_filesystem_cannot_rename_without_replacing(files: dict[str, bytes]) -> None:
    """As on NFS: the same end, by another way."""

    class Nfs(Filesystem):
        def rename(self, source: str, target: str) -> None:
            os.link(source, target)
            Path(source).unlink()

    with host() as place:
        scene = Scene(loose=files, sorted={}, listed=False, recorded=set())
        set_up(place, scene)
        before = place.contents()
        place.organize(Nfs())
        judge(place, scene, before)
