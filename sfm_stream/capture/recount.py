"""Reckons from the journals what a credential has consumed, where its counters are lost."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from sfm_stream import clock
from sfm_stream.capture.budget import DAYS
from sfm_stream.places import programs
from sfm_stream.reading import UnreadableError
from sfm_stream.record import entries, history, journal


class Recount(msgspec.Struct, frozen=True):
    """What the journals say.

    Attributes:
        days: Posts of each day.
        unknown: Why that may be less than was consumed; empty where it is all.
        connected: Whether anything can have been consumed.
    """

    days: dict[str, int]
    unknown: str
    connected: bool


def recount(state_dir: Path, program: str, credential: str, now: datetime) -> Recount:
    """Counts the posts of all programs of this host while they used a credential; without one, of the program alone.

    An entry that cannot be read may have been that of any file: it counts as the largest of this month's.

    Args:
        state_dir: The state directory.
        program: The program that asks; where its history does not say which credential it used, it used this one.
        credential: The credential's name; "" for a source that needs none.
        now: The time (UTC).
    """
    days: Counter[str] = Counter()
    unknown, connected = "", False
    # Where there is no credential to share, every program consumes for itself.
    sharing = programs(state_dir / "journal") if credential else []
    for each in dict.fromkeys((program, *sharing)):
        try:
            tally = _Tally(_Used(state_dir, each, credential, assume=each == program), now)
            tally.take(journal.read(journal.journal_path(state_dir, each)))
        except UnreadableError as error:
            unknown = unknown or str(error) * (each == program)
            continue
        days += tally.days
        unknown = unknown or tally.unknown
        connected = connected or tally.connected
    return Recount(dict(days), unknown, connected)


class _Used:
    """Whether a program used a credential at a time, by the history of its settings."""

    def __init__(self, state_dir: Path, program: str, credential: str, *, assume: bool) -> None:
        try:
            versions = history.versions(state_dir, program)
        except UnreadableError:
            versions = history.Versions()
        self._changes = [(each.time, each.settings.get("credential") == credential) for each in versions]
        self._assume = assume

    def at(self, time: datetime) -> bool:
        held = [used for since, used in self._changes if since <= time]
        return held[-1] if held else self._changes[0][1] if self._changes else self._assume


class _Tally:
    """Counts the entries of one journal."""

    def __init__(self, used: _Used, now: datetime) -> None:
        self.days: Counter[str] = Counter()
        self.unknown = ""
        self.connected = False
        self._used = used
        self._now = now
        self._month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        self._largest = 0

    def take(self, found: entries.Entries) -> None:
        earlier = 0
        for entry in found:
            if not self._used.at(entry.time):
                earlier = found.skipped
                continue
            if entry.time < self._month:
                earlier = found.skipped
            if isinstance(entry, entries.ConnectEntry):
                self.connected = True
            elif isinstance(entry, entries.JournalEntry) and entry.lost and entry.time >= self._month:
                self.unknown = f"the journal was started over on {clock.text(entry.time)}: {entry.lost}"
            self._count(entry)
        damaged = found.skipped - earlier
        if damaged and not self._largest and self._used.at(self._now):
            self.unknown = self.unknown or f"{damaged} entries of the journal cannot be read"
        self.days[f"{self._now:%Y-%m-%d}"] += damaged * self._largest

    def _count(self, entry: entries.Entry) -> None:
        match entry:
            case entries.RotateEntry():
                posts, time = entry.posts or 0, entry.last_time or entry.time
            case entries.SalvageEntry():
                posts, time = (entry.posts or 0) + (entry.aside_lines or 0), entry.lost_after
            case entries.OverflowEntry():
                posts, time = entry.posts, entry.last_time
            case entries.LostEntry():
                posts, time = entry.posts, entry.time
            case _:
                return
        if time > self._now - timedelta(days=DAYS):
            self.days[f"{time:%Y-%m-%d}"] += posts
        if entry.time >= self._month:
            self._largest = max(self._largest, posts)
