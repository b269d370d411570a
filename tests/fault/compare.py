"""Holds what X sent against what the files hold and the journal owns up to."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.fault.world import Entry, World
from tests.support import files
from tests.support.files import whole_lines

TOLERANCE = 1.0
"""Seconds: every outage is a gap within so much."""

SLACK = 2.5
"""Seconds that a gap may be longer than its outage: a killed program's begins at its last flush."""

Span = tuple[float, float]


class Compared(NamedTuple):
    """What came of a comparison; `oldest` is the age in seconds that a lost post had when its connection ended."""

    sent: int
    kept: int
    in_gaps: int
    overflowed: int
    gaps: int
    gap_seconds: float
    outage_seconds: float
    oldest: float


def seconds(text: str) -> float:
    """A time of a journal or ledger, in seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def lines_of(world: World) -> list[bytes]:
    """The lines of all capture files, in the order of their names."""
    return [line for path in capture_files(world) for line in whole_lines(path)]


def capture_files(world: World) -> list[Path]:
    """The capture files, by name."""
    return files.capture_files(world.data)


def kept_ids(world: World) -> list[str]:
    """The ids of the posts in the capture files."""
    return [str(json.loads(line.decode("utf-8", "replace"))["data"]["id"]) for line in lines_of(world)]


def compare(
    world: World, *, slack: float = SLACK, tolerance: float = TOLERANCE, foreign: frozenset[str] = frozenset()
) -> Compared:
    """Asserts that nothing was lost silently; to be called when the program has ended and left no segment.

    Args:
        world: Whose files, journal and ledger.
        slack: Seconds that a gap may be longer than the outage which it stands for: a silent
            connection is in one from its last byte on.
        tolerance: Seconds that a gap may begin later or end sooner than the outage.
        foreign: Connections that are not the program's.
    """
    journal, ledger = world.journal(), [e for e in world.ledger() if e.get("connection") not in foreign]
    files_are_whole(world)
    sent = Counter(entry["id"] for entry in ledger if entry["event"] == "post")
    odd = {e["id"] for e in ledger if e["event"] == "message" and e["kind"] == "invalid-utf8"}
    kept = Counter(kept_ids(world))
    made_up = kept - sent
    assert set(made_up) <= odd, f"in the files more often than sent: {made_up} {world}"

    gaps = _merged(sorted(_span(entry) for entry in journal if entry["event"] == "gap"))
    end = _open_end(journal)
    overflows = [(seconds(e["first_time"]), seconds(e["last_time"])) for e in journal if e["event"] == "overflow"]
    times = {entry["id"]: seconds(entry["time"]) for entry in ledger if entry["event"] == "post"}
    missing = [(times[post], post) for post in (sent - kept).elements()]
    dropped = sum(entry["posts"] for entry in journal if entry["event"] == "overflow")
    in_gaps = [each for each in missing if not _within(each[0], overflows, tolerance)]
    silent = sorted(each for each in in_gaps if not _within(each[0], [*gaps, *end], tolerance))
    assert not silent, f"{len(silent)} missing, no journaled loss says so: {silent[:5]} gaps {gaps[-3:]} {world}"
    overflowed = len(missing) - len(in_gaps)
    unsaid = overflowed - dropped
    assert unsaid <= 0 or unsaid <= sum(_within(time, [*gaps, *end], tolerance) for time, _ in missing), (
        f"{overflowed} dropped, and the journal says {dropped}"
    )

    outages = _outages(ledger)
    # Killed in the moment in which its first connection was granted, a program has never been connected.
    begun = min((seconds(entry["time"]) for entry in journal if entry["event"] == "connect"), default=0.0)
    for start, stop in outages:
        if start < begun:
            continue
        inner = (start + tolerance, stop - tolerance)
        covered = any(gap[0] <= inner[0] and gap[1] >= inner[1] for gap in gaps)
        assert inner[0] >= inner[1] or covered, f"the outage {start:.3f} to {stop:.3f} is in no gap {gaps} {world}"
    for gap in gaps:
        inside = sum(max(0.0, min(gap[1], b) - max(gap[0], a)) for a, b in outages)
        assert gap[1] - gap[0] - inside <= slack, f"the gap {gap} is longer than its outage: {outages} {world}"
    return Compared(
        sent=sum(sent.values()),
        kept=sum(kept.values()),
        in_gaps=len(in_gaps),
        overflowed=overflowed,
        gaps=len(gaps),
        gap_seconds=round(sum(b - a for a, b in gaps), 2),
        outage_seconds=round(sum(b - a for a, b in outages), 2),
        oldest=round(_oldest({post for _, post in in_gaps}, ledger), 2),
    )


def nothing_missing(world: World, *, slack: float = SLACK) -> Compared:
    """Asserts that the files hold exactly what was sent."""
    compared = compare(world, slack=slack)
    assert compared.kept >= compared.sent, f"{compared} {world}"
    return compared


def files_are_whole(world: World) -> None:
    """Every capture file is whole by its own sum, is as the journal says, and no segment is left."""
    noted = {e["file"]: e for e in world.journal() if e["event"] in {"rotate", "salvage"} and e.get("file")}
    found = capture_files(world)
    for path in found:
        raw, posts = path.read_bytes(), len(whole_lines(path))
        if path.name in noted:
            entry = noted[path.name]
            assert hashlib.sha256(raw).hexdigest() == entry["sha256"], f"{path.name} is not what the journal says"
            assert (posts, len(raw)) == (entry["posts"], entry["bytes"]), path.name
    unknown = {path.name for path in found} - noted.keys()
    assert not unknown, f"capture files that the journal does not know: {unknown} {world}"
    assert not noted.keys() - {path.name for path in found}, f"capture files gone: {world}"
    leftovers = [path.name for path in world.data.iterdir() if path not in found]
    assert not leftovers, f"{leftovers} left in the data directory: {world}"


def _oldest(lost: set[str], ledger: list[Entry]) -> float:
    ends = {e["connection"]: seconds(e["time"]) for e in ledger if e["event"] == "close"}
    ages = (ends[e["connection"]] - seconds(e["time"]) for e in ledger if e["event"] == "post" and e["id"] in lost)
    return max(ages, default=0.0)


def _span(entry: Entry) -> Span:
    return seconds(entry["start"]), seconds(entry["end"])


def _open_end(journal: list[Entry]) -> list[Span]:
    """The outage that lasts at the end of the journal, after its last disconnect.

    It begins earlier where a kill took what had arrived before: the salvage and the stop after it say since when.
    """
    last = max((n for n, entry in enumerate(journal) if entry["event"] in {"connect", "disconnect"}), default=None)
    if last is None or journal[last]["event"] == "connect":
        return []
    told = [journal[last]["last_byte"]]
    for entry in journal[last:]:
        told += [entry[key] for key in ("lost_after", "unwritten") if entry.get(key)]
    return [(min(map(seconds, told)), float("inf"))]


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _within(time: float, spans: list[Span], tolerance: float) -> bool:
    return any(start - tolerance <= time <= end + tolerance for start, end in spans)


def _outages(ledger: list[Entry]) -> list[Span]:
    """The times without a connection, between the first and the last."""
    begun = {e["connection"]: seconds(e["time"]) for e in ledger if e["event"] == "open"}
    ended = {e["connection"]: seconds(e["time"]) for e in ledger if e["event"] == "close"}
    up = _merged(sorted((start, ended.get(link, float("inf"))) for link, start in begun.items()))
    return [(before[1], after[0]) for before, after in pairwise(up)]
