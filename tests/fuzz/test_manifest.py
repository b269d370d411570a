"""Manifests and the archive's own records, of any bytes: nothing is lost, nothing is called well that is not."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from sfm_stream.archive import manifest, marker
from sfm_stream.archive.audit import Audit
from sfm_stream.archive.audit_outcome import AuditOutcome
from sfm_stream.archive.organize import Organizer
from sfm_stream.errors import StorageError

PROGRAM = "twitterfilter-storms"
NAME = f"{PROGRAM}-2026-11-24T20-15-00Z.jsonl.gz"
LATE = NAME.replace("20-15", "20-30")
DAY = f"{PROGRAM}/2026/11/24"
CONTENTS = {NAME: b"one", LATE: b"two"}
LINE = manifest.entry(hashlib.sha256(b"one").hexdigest(), f"20/{NAME}").encode()

pieces = st.sampled_from(
    [
        *(
            LINE,
            LINE[:40],
            LINE[:-1],
            LINE.replace(b"  ", b" "),
            LINE.replace(b"\n", b"\r\n"),
            LINE.upper(),
            b"\n",
            b"\0" * 64,
        ),
        *(
            b"0" * 64 + b"  20/" + NAME.encode() + b"\n",
            b"0" * 64 + b"  ../../../../etc/passwd\n",
            b"# note\n",
            b"\xff" * 80,
        ),
        *(
            b"0" * 64 + b"  " + b"x" * 300 + b"\n",
            b"0" * 64 + b"  /etc/passwd\n",
            b"0" * 64 + b"  20/a\0b\n",
            b"[" * 3000,
        ),
        *(b'{"', b"{}", b'{"/": {"programs": 5}}', b'{"/a": "b"}', b"\xef\xbb\xbf"),
    ]
)
noise = st.lists(pieces | st.binary(max_size=40), max_size=5).map(b"".join)


@example(b"\r" + b"0" * 64 + b"  20/" + NAME.encode() + b"\n")
@given(noise)
def test_any_bytes_are_read_as_entries_and_the_rest_told(raw: bytes) -> None:
    """Every whole line is an entry, a repetition of one, or a fault; what follows the last is the torn end."""
    found = manifest.parse(raw)
    assert raw[: found.length].count(b"\n") >= len(found.entries) + len(found.faults)
    assert found.torn == (found.length < len(raw))
    assert b"\n" not in raw[found.length :]
    whole = manifest.parse(raw[: found.length])
    assert (whole.entries, whole.faults, whole.torn) == (found.entries, found.faults, False)
    for file, sha256 in found.entries.items():
        assert manifest.entry(sha256, file).rstrip().encode("utf-8", "surrogateescape").split()[0] in raw


@given(noise, noise)
def test_what_is_appended_changes_no_entry_before_it(first: bytes, second: bytes) -> None:
    """Not even by contradicting it."""
    before = manifest.parse(first)
    after = manifest.parse(first[: before.length] + second)
    assert after.entries.items() >= before.entries.items()
    assert after.faults[: len(before.faults)] == before.faults


class Archive:
    """Two files, one sorted and one loose, whose program recorded them; an archive directory of its own."""

    def __init__(self, top: Path) -> None:
        self.data, self.tree, self.state = top / "data", top / "archive", top / "state"
        for path in (self.data, self.tree, self.state / "journal"):
            path.mkdir(parents=True)
        self.finish(NAME)
        self.organize()
        self.finish(LATE)
        self.sums = self.tree / DAY / manifest.NAME

    def finish(self, name: str) -> None:
        """The program finishes a file, and records it."""
        content = CONTENTS[name]
        (self.data / name).write_bytes(content)
        line = {"time": "2026-11-24T21:00:00Z", "event": "rotate", "file": name, "bytes": len(content)}
        line |= {"sha256": hashlib.sha256(content).hexdigest()}
        with (self.state / "journal" / f"{PROGRAM}.jsonl").open("a") as journal:
            journal.write(json.dumps(line) + "\n")

    def organize(self, *, adopt: bool = False) -> Organizer:
        organizer = Organizer(self.data, self.tree, self.state, adopt=adopt)
        organizer.run()
        return organizer

    def refusal(self) -> str:
        """Why a run refuses to sort; empty where it does not."""
        try:
            self.organize()
        except StorageError as error:
            return str(error)
        return ""

    def audit(self) -> AuditOutcome:
        audit = Audit(self.data, self.tree, self.state)
        found = audit.run()
        audit.keep()
        return found

    def kept(self) -> set[bytes]:
        """The content of every capture file, wherever it is."""
        return {path.read_bytes() for top in (self.data, self.tree) for path in top.rglob("*.gz") if path.is_file()}


@contextmanager
def archive() -> Iterator[Archive]:
    with tempfile.TemporaryDirectory() as top:
        yield Archive(Path(top))


@given(noise, st.booleans())
def test_a_manifest_of_any_bytes_loses_no_file_and_is_not_called_well(raw: bytes, adopt: bool) -> None:
    """Sorting goes on beside it, and the audit says what is wrong, before and after."""
    with archive() as place:
        assert place.audit().faults == 0
        said = manifest.parse(raw)
        # An entry that stands there twice is one, and a torn end is cut off as the next entry comes.
        whole = raw.startswith(place.sums.read_bytes()) and len(said.entries) == 1 and not said.faults
        place.sums.write_bytes(raw)
        assert (whole and not said.torn) or place.audit().faults > 0
        place.organize(adopt=adopt)
        assert place.kept() == set(CONTENTS.values())
        assert whole or place.audit().faults > 0
        listed = manifest.parse(place.sums.read_bytes()).entries
        assert listed.items() >= manifest.parse(raw).entries.items(), "no entry is taken away"


@example(b"{}", "audited.json")
@given(
    noise, st.sampled_from(["audited.json", "archives.json", f"journal/{PROGRAM}.jsonl", f"../archive/{marker.NAME}"])
)
def test_records_of_any_bytes_lose_no_file_and_end_in_words(raw: bytes, name: str) -> None:
    """Told by the audit, or refused by the sorting with one line; nothing is sorted twice or taken away."""
    with archive() as place:
        place.audit()
        path = place.state / name
        before = path.read_bytes()
        path.write_bytes(raw)
        found = place.audit()
        if not raw.startswith(before[:32]) and name != "archives.json":
            assert found.faults > 0
        assert len(place.refusal().splitlines()) <= 1
        assert place.kept() == set(CONTENTS.values())
