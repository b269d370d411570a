"""The audit finds what is not as it should be, and nothing else."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sfm_stream.archive import manifest
from sfm_stream.archive.audit import Audit
from sfm_stream.archive.audit_outcome import AuditOutcome
from sfm_stream.archive.organize import Organizer

NAME = "twitterfilter-storms-2026-11-{day}T20-{minute}-00Z.jsonl.gz"
DAY = "twitterfilter-storms/2026/11/24"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An archive of two days with two files each, and the journal of their program."""
    (tmp_path / "data").mkdir()
    (tmp_path / "state" / "journal").mkdir(parents=True)
    with (tmp_path / "state" / "journal" / "twitterfilter-storms.jsonl").open("w") as journal:
        for day in (24, 25):
            for minute in (15, 30):
                name, content = NAME.format(day=day, minute=minute), f"{day} {minute}".encode()
                (tmp_path / "data" / name).write_bytes(content)
                line = {
                    "time": f"2026-11-{day}T20:{minute}:00Z",
                    "event": "rotate",
                    "file": name,
                    "bytes": len(content),
                }
                journal.write(json.dumps(line | {"sha256": hashlib.sha256(content).hexdigest()}) + "\n")
    Organizer(tmp_path / "data", None, tmp_path / "state").run()
    return tmp_path / "data"


def audit(data: Path, **options: Any) -> AuditOutcome:
    return Audit(data, None, data.parent / "state", **options).run()


def kinds(found: AuditOutcome) -> list[tuple[str, str]]:
    return [(fault.kind, Path(fault.file).name) for fault in found.findings]


def file(data: Path, minute: int = 15) -> Path:
    return data / DAY / "20" / NAME.format(day=24, minute=minute)


def test_an_archive_as_it_should_be_has_no_findings(data: Path) -> None:
    """Every file is read."""
    found = audit(data)
    assert (found.days, found.files, found.verified, found.faults) == (2, 4, 4, 0)


def test_one_flipped_bit_is_found(data: Path) -> None:
    """The file is named, with what it should be."""
    raw = bytearray(file(data).read_bytes())
    raw[0] ^= 1
    file(data).write_bytes(raw)
    assert kinds(audit(data)) == [("changed", file(data).name)]


def test_a_missing_file_is_found_even_where_none_is_read(data: Path) -> None:
    """A sample of nothing still counts what is there."""
    file(data).unlink()
    found = audit(data, sample=0)
    assert kinds(found) == [("missing", file(data).name)]
    assert found.verified == 0


def test_strangers_are_found_on_every_level(data: Path) -> None:
    """In an hour, a day, a month, a year and beside the years; a capture file as well as any other."""
    (data / DAY / "20" / NAME.format(day=24, minute=45)).touch()
    (data / DAY / "20" / "directory").mkdir()
    (data / DAY / "note.txt").touch()
    (data / DAY).with_name("note2.txt").touch()
    (data / DAY).parent.with_name("note3.txt").touch()
    (data / DAY).parent.parent.with_name("note4.txt").touch()
    assert sorted(kinds(audit(data))) == [
        ("unexpected", "directory"),
        ("unexpected", "note.txt"),
        ("unexpected", "note2.txt"),
        ("unexpected", "note3.txt"),
        ("unexpected", "note4.txt"),
        ("unexpected", NAME.format(day=24, minute=45)),
    ]


def test_a_link_in_the_place_of_a_file_is_not_followed(data: Path) -> None:
    """A symbolic link may lead to the right content today; it is no archived file."""
    file(data).rename(data.parent / "elsewhere")
    file(data).symlink_to(data.parent / "elsewhere")
    assert kinds(audit(data)) == [("irregular", file(data).name)]


def test_a_manifest_that_was_changed_with_its_file_is_found(data: Path) -> None:
    """The program's journal is the second witness."""
    file(data).write_bytes(b"forged")
    listing = data / DAY / manifest.NAME
    lines = listing.read_text().splitlines()
    forged = [manifest.entry(hashlib.sha256(b"forged").hexdigest(), f"20/{file(data).name}").rstrip(), *lines[1:]]
    listing.write_text("\n".join(forged) + "\n")
    assert kinds(audit(data)) == [("manifest", file(data).name)]


def test_a_file_that_vanished_before_it_was_sorted_is_found(data: Path) -> None:
    """Its program recorded it, and neither manifest nor data directory has it."""
    name = NAME.format(day=24, minute=59)
    with (data.parent / "state" / "journal" / "twitterfilter-storms.jsonl").open("a") as journal:
        line = {"time": "2026-11-24T21:00:00Z", "event": "rotate", "file": name, "bytes": 1, "sha256": "0" * 64}
        journal.write(json.dumps(line) + "\n")
    # After the lines of the next day, as it is where clocks were set; still found.
    assert kinds(audit(data)) == [("missing", name)]
    (data / name).write_bytes(b"x")
    assert audit(data).faults == 0


def test_a_manifest_without_files_without_sense_or_cut_short_is_named(data: Path) -> None:
    """And a day that has none at all."""
    (data / DAY / manifest.NAME).write_text("nonsense\n" + "0" * 30)
    found = kinds(audit(data))
    assert [kind for kind, _ in found].count("manifest") == 2
    assert sorted(name for kind, name in found if kind == "unexpected") == [file(data).name, file(data, 30).name]
    (data / DAY / manifest.NAME).unlink()
    assert kinds(audit(data)) == [("manifest", "24")]


def test_since_leaves_out_the_days_before(data: Path) -> None:
    """By the day in the tree, which is that of the capture."""
    file(data).unlink()
    found = audit(data, since=date(2026, 11, 25))
    assert (found.days, found.faults) == (1, 0)
    assert audit(data, since=date(2026, 11, 24)).faults == 1


def test_what_organizedata_has_listed_but_not_moved_yet_is_no_loss(data: Path) -> None:
    """It still lies in the data directory, under this name or the one before."""
    moved = data / file(data).name
    file(data).rename(moved)
    found = audit(data)
    assert (found.waiting, found.faults) == (1, 0)
    second = file(data).with_name(file(data).name.replace("Z.", "Z_2."))
    with (data / DAY / manifest.NAME).open("a") as listing:
        listing.write(manifest.entry(hashlib.sha256(b"24 15").hexdigest(), f"20/{second.name}"))
    assert audit(data).waiting == 2
    (data / DAY / "20" / f".{moved.name}.unfinished").touch()
    assert audit(data).faults == 0


def test_a_sample_reads_about_so_many(data: Path) -> None:
    """Each file by chance; in many audits none is left out always."""
    verified = [audit(data, sample=50).verified for _ in range(60)]
    assert 60 < sum(verified) < 180
    assert audit(data, sample=100).verified == 4


def test_an_archive_that_was_moved_elsewhere_later_is_looked_at_in_both_places(data: Path) -> None:
    """A day may have been sorted half here, half there."""
    archive = data.parent / "archive"
    archive.mkdir()
    late = NAME.format(day=24, minute=45)
    (data / late).write_bytes(b"late")
    with (data.parent / "state" / "journal" / "twitterfilter-storms.jsonl").open("a") as journal:
        line = {"time": "2026-11-24T21:00:00Z", "event": "rotate", "file": late, "bytes": 4}
        journal.write(json.dumps(line | {"sha256": hashlib.sha256(b"late").hexdigest()}) + "\n")
    Organizer(data, archive, data.parent / "state").run()
    found = Audit(data, archive, data.parent / "state").run()
    assert (found.days, found.files, found.verified, found.faults) == (3, 5, 5, 0)
    file(data).unlink()
    assert kinds(Audit(data, archive, data.parent / "state").run()) == [("missing", file(data).name)]
