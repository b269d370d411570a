"""The entries of a journal that are read again, one type for each event; the journal's table says what else they hold.

An entry is judged once, here, as it is read: its readers can rely on its fields.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated

import msgspec

from sfm_stream import clock, reading

NonNegative = Annotated[int, msgspec.Meta(ge=0)]
Duration = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


AWAITED = "awaited"
"""The replay of a connect whose first line will tell what became of the gap before it."""
OURS = "ours"
"""The action of a ``slot`` entry that tells how X knows our own connection."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Any entry; those of events that are not below are read no further."""

    time: clock.Time
    event: str

    def __post_init__(self) -> None:
        clock.check(*(getattr(self, name) for name in _times(type(self))))


@functools.cache
def _times(kind: type[Entry]) -> tuple[str, ...]:
    """The fields that are times: found out once, for a journal has many entries."""
    hints = typing.get_type_hints(kind)
    return tuple(name for name, hint in hints.items() if hint is datetime or datetime in typing.get_args(hint))


class StartEntry(Entry, frozen=True, kw_only=True):
    """A process began."""

    boot: str | None = None


class ConnectEntry(Entry, frozen=True, kw_only=True):
    """A connection was granted."""

    server_time: clock.Time | None = None
    credential: str | None = None
    replay: str | None = None


class RefusedEntry(Entry, frozen=True, kw_only=True):
    """No connection came of a try."""

    reason: str


class DisconnectEntry(Entry, frozen=True, kw_only=True):
    """A connection ended."""

    reason: str
    planned: bool
    last_byte: clock.Time | None = None
    unmatched: int | None = None


class StopEntry(Entry, frozen=True, kw_only=True):
    """A process ended by itself."""

    reason: str
    planned: bool
    unwritten: clock.Time | None = None


class GapEntry(Entry, frozen=True, kw_only=True):
    """A time without a connection is over, or its planned part is."""

    start: clock.Time
    end: clock.Time
    seconds: Duration
    cause: str
    planned: bool
    backfill_minutes: int | None = None
    recovered: bool | None = None


class RotateEntry(Entry, frozen=True, kw_only=True):
    """A capture file was finished."""

    file: str
    posts: NonNegative | None = None
    bytes: NonNegative | None = None
    sha256: str = ""
    last_time: clock.Time | None = None


class SalvageEntry(Entry, frozen=True, kw_only=True):
    """A capture file was made of what a crash had left; without `file`, there was nothing to keep."""

    segment: str = ""
    posts: NonNegative | None = None
    lost_after: clock.Time
    torn_bytes: NonNegative = 0
    file: str | None = None
    bytes: NonNegative | None = None
    sha256: str | None = None
    aside: str | None = None
    aside_lines: NonNegative | None = None
    aside_since: clock.Time | None = None


class LostEntry(Entry, frozen=True, kw_only=True):
    """A segment was taken from under a live program, with the posts in it."""

    segment: str
    reason: str
    posts: NonNegative
    first_time: clock.Time | None = None


class OverflowEntry(Entry, frozen=True, kw_only=True):
    """Posts arrived faster than they could be written, and were dropped."""

    posts: NonNegative
    first_time: clock.Time
    last_time: clock.Time


class TornEntry(Entry, frozen=True, kw_only=True):
    """A connection ended within a line."""

    bytes: NonNegative


class ShortageEntry(Entry, frozen=True, kw_only=True):
    """Rules that X held are missing there, or (0) none is any more."""

    missing: NonNegative
    cause: str = ""
    since: clock.Time | None = None


class UnreadEntry(Entry, frozen=True, kw_only=True):
    """A stop found posts that had arrived at this host, and no time to read them."""

    posts: NonNegative
    bytes: NonNegative


class SlotEntry(Entry, frozen=True, kw_only=True):
    """What X said of a connection, or what was done about it."""

    connection: str | None = None
    client_ip: str | None = None
    action: str = ""


class MessageEntry(Entry, frozen=True, kw_only=True):
    """A line of the stream that is no post; or how many more came than are kept."""

    text: str = ""
    kind: str | None = None
    what: str | None = None
    left_out: NonNegative | None = None
    since: clock.Time | None = None
    until: clock.Time | None = None


class JournalEntry(Entry, frozen=True, kw_only=True):
    """What became of the journal itself."""

    torn_bytes: NonNegative = 0
    skipped: NonNegative | None = None
    lost: str = ""


KINDS: dict[str, type[Entry]] = {
    "start": StartEntry,
    "connect": ConnectEntry,
    "refused": RefusedEntry,
    "disconnect": DisconnectEntry,
    "stop": StopEntry,
    "gap": GapEntry,
    "rotate": RotateEntry,
    "salvage": SalvageEntry,
    "lost": LostEntry,
    "overflow": OverflowEntry,
    "torn": TornEntry,
    "shortage": ShortageEntry,
    "unread": UnreadEntry,
    "message": MessageEntry,
    "slot": SlotEntry,
    "journal": JournalEntry,
}


class Entries(Iterator[Entry]):
    """The entries in the lines of a journal, oldest first.

    Attributes:
        skipped: Lines left out so far, since they are no entries: damaged, or cut short.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.skipped = 0

    def __next__(self) -> Entry:
        for line in self._lines:
            if not line:
                continue
            try:
                return decode(line)
            except reading.DAMAGE:
                self.skipped += 1
        raise StopIteration


class Known:
    """The entries in some lines of a journal, decoded once and gone through as often as is wanted."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        found = Entries(lines)
        self.entries = list(found)
        self._skipped = found.skipped

    def again(self) -> Entries:
        """All of them, from the first on."""
        return _Again(self.entries, self._skipped)


class _Again(Entries):
    def __init__(self, known: Iterable[Entry], skipped: int) -> None:
        super().__init__(())
        self._known = iter(known)
        self.skipped = skipped

    def __next__(self) -> Entry:
        return next(self._known)


def decode(line: bytes) -> Entry:
    """The entry of a line.

    Raises:
        ValueError: It is none, as are the other errors of `reading.DAMAGE`.
    """
    event = _EVENT.decode(line).event
    entry: Entry = _DECODERS.get(event, _OTHER).decode(line)
    return entry


class _Event(msgspec.Struct):
    event: str


_EVENT = msgspec.json.Decoder(_Event)
_OTHER = msgspec.json.Decoder(Entry)
_DECODERS = {event: msgspec.json.Decoder(kind) for event, kind in KINDS.items()}
