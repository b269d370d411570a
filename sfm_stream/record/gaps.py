"""What a program's journal says of what is missing: each gap with its cause, each loss, and the coverage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from sfm_stream.record import entries
from sfm_stream.record.last_run import Outage
from sfm_stream.record.messages import describe


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A time with no live connection, from the last byte before to the first byte after.

    Attributes:
        start: When it began.
        end: When it ended; None while it lasts.
        seconds: How long, or how long so far.
        cause: In words.
        planned: Whether it was asked for: by a stop, a deploy or a budget.
        backfill_minutes: What X was asked to recover of it.
        recovered: Whether the source has sent afterwards what passed meanwhile; None where it replays nothing, or has
            not yet.
    """

    start: datetime
    end: datetime | None
    seconds: float
    cause: str
    planned: bool
    backfill_minutes: int | None = None
    recovered: bool | None = None

    @property
    def lost(self) -> bool:
        """Whether something is missing that nobody decided to miss."""
        return self.recovered is False or not (self.planned or self.recovered)


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Posts that arrived and are in no file, entries that are in no journal, or rules that X did not match for a time.

    Attributes:
        time: Since when, as far as it is known.
        what: In words.
        posts: How many; None where that is not known.
        rules: The most rules that X lacked at a time.
        end: When X had them again; None while it lacks them.
    """

    time: datetime
    what: str
    posts: int | None = None
    rules: int = 0
    end: datetime | None = None


class MessageSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of one kind that the source sent beside the posts, or in their place; the journal has them.

    Attributes:
        kind: error, notice, unreadable (it may have been a post), or left out (too many came to be kept).
        what: A title, or the name of the notice.
        count: How many.
        first: When the first of them came.
        last: When the last of them came.
    """

    kind: str
    what: str
    count: int
    first: datetime
    last: datetime

    @property
    def unknown(self) -> bool:
        """Whether posts may be among them."""
        return self.kind not in ("error", "notice")


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a program in a time.

    Attributes:
        program: Its name.
        start: The later of its first connection and the time asked from.
        end: Up to when.
        connected: The share of that time with a connection, from 0 to 1; None where it was never connected.
        covered: The share of that time of which the source has sent what passed, then or afterwards.
        gaps: Oldest first.
        losses: Oldest first.
        messages: By kind and subject, in the order of their first.
        unreadable: Entries of the journal that are damaged: what they said is not in this.
        fault: Why the journal cannot be read to its end; None where it can.
    """

    program: str
    start: datetime | None
    end: datetime
    connected: float | None
    gaps: tuple[Gap, ...]
    losses: tuple[Loss, ...]
    messages: tuple[MessageSummary, ...] = ()
    unreadable: int = 0
    fault: str | None = None
    covered: float | None = None

    @property
    def failures(self) -> tuple[Gap, ...]:
        """The gaps that nobody asked for, and that are not made good."""
        return tuple(gap for gap in self.gaps if gap.lost)

    @property
    def recovered(self) -> tuple[Gap, ...]:
        """The gaps that were made good."""
        return tuple(gap for gap in self.gaps if gap.recovered)


def coverage(
    program: str,
    journal: entries.Entries,
    outage: Outage | None,
    now: datetime,
    since: datetime | None = None,
    *,
    connected_before: bool = False,
) -> Coverage:
    """Reads gaps and losses out of a journal.

    Args:
        program: Whose journal it is.
        journal: Its entries, oldest first.
        outage: The gap that lasts at `now`, if one does.
        now: The end of the time: what began later is left out, what went on is cut there.
        since: From when; None for the whole journal.
        connected_before: Whether the program was connected before `since`, where `journal` is only the end of its own.

    Raises:
        UnreadableError: The journal cannot be read.
    """
    first = since if connected_before else None
    gaps: list[Gap] = []
    losses: list[Loss] = []
    messages: dict[tuple[str, str], MessageSummary] = {}
    earlier = 0
    for entry in journal:
        if since is not None and entry.time < since:
            earlier = journal.skipped  # damage before the time asked for is not counted against it
        # A report of last month must not change when this month's entries come; a gap that began in it still counts.
        if entry.time > now and not _began_before(entry, now):
            continue
        if isinstance(entry, entries.ConnectEntry):
            first = first or entry.time
        elif isinstance(entry, entries.GapEntry):
            gaps.append(_until(_gap(entry), now))
        elif isinstance(entry, entries.ShortageEntry):
            _extend_shortage(losses, entry)
        elif isinstance(entry, entries.MessageEntry) and (since is None or entry.time >= since):
            said = _summary(entry)
            messages[said.kind, said.what] = _merged(messages.get((said.kind, said.what)), said)
        else:
            losses += _losses(entry)
    unreadable = journal.skipped - earlier
    if outage is not None and outage.start < now:
        seconds = max(0.0, (now - outage.start).total_seconds())
        gaps.append(Gap(start=outage.start, end=None, seconds=seconds, cause=outage.cause, planned=outage.planned))
    # A stream that was not there yet had no gap: before its first connection nothing was missing.
    start = first if since is None or first is None else max(first, since)
    losses = [loss for loss in losses if since is None or (loss.end or (now if loss.rules else loss.time)) >= since]
    if start is None:
        return Coverage(
            program=program,
            start=None,
            end=now,
            connected=None,
            gaps=(),
            losses=tuple(losses),
            messages=tuple(messages.values()),
            unreadable=unreadable,
        )
    # A gap that was over before the measured time began is no part of it.
    gaps = [gap for gap in gaps if (gap.end or now) > start]
    whole = (now - start).total_seconds()
    # The union, not the sum: an aborted replay journals a recovered and a lost gap that overlap.
    apart = _seconds((max(gap.start, start), gap.end or now) for gap in gaps)
    missing = _seconds((max(gap.start, start), gap.end or now) for gap in gaps if not gap.recovered)
    return Coverage(
        program=program,
        start=start,
        end=now,
        connected=max(0.0, 1 - apart / whole) if whole > 0 else None,
        covered=max(0.0, 1 - missing / whole) if whole > 0 else None,
        gaps=tuple(gaps),
        losses=tuple(losses),
        messages=tuple(messages.values()),
        unreadable=unreadable,
    )


def _seconds(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """How long at least one of the spans lasts.

    They may overlap, where a replay broke off and what it had not brought yet was lost; and a clock that stepped back
    may have one end before its start.
    """
    total, reached = 0.0, None
    for start, end in sorted(spans):
        begin = start if reached is None else max(start, reached)
        if end > begin:
            total += (end - begin).total_seconds()
            reached = end
    return total


def unreadable_journal(program: str, now: datetime, fault: str) -> Coverage:
    """Of a program whose journal cannot be read, nothing is known."""
    return Coverage(program=program, start=None, end=now, connected=None, gaps=(), losses=(), fault=fault)


def _summary(entry: entries.MessageEntry) -> MessageSummary:
    if entry.left_out is not None:
        since, until = entry.since or entry.time, entry.until or entry.time
        return MessageSummary(
            kind="left out", what="too many to be kept", count=entry.left_out, first=since, last=until
        )
    kind, what = describe(entry.text.encode("utf-8", "replace"))
    return MessageSummary(kind=entry.kind or kind, what=entry.what or what, count=1, first=entry.time, last=entry.time)


def _merged(before: MessageSummary | None, said: MessageSummary) -> MessageSummary:
    if before is None:
        return said
    return msgspec.structs.replace(before, count=before.count + said.count, last=said.last)


def _gap(entry: entries.GapEntry) -> Gap:
    return Gap(
        start=entry.start,
        end=entry.end,
        seconds=entry.seconds,
        cause=entry.cause,
        planned=entry.planned,
        backfill_minutes=entry.backfill_minutes,
        recovered=entry.recovered,
    )


def _began_before(entry: entries.Entry, now: datetime) -> bool:
    """Whether an entry tells of a time that had begun: a gap is told when it is over, and so is a lack of rules."""
    return (isinstance(entry, entries.GapEntry) and entry.start < now) or (
        isinstance(entry, entries.ShortageEntry) and not entry.missing
    )


def _until(gap: Gap, now: datetime) -> Gap:
    if gap.end is None or gap.end <= now:
        return gap
    return msgspec.structs.replace(gap, end=now, seconds=max(0.0, (now - gap.start).total_seconds()))


def _extend_shortage(losses: list[Loss], entry: entries.ShortageEntry) -> None:
    """Begins a loss of rules, or goes on with or ends the one that lasts."""
    last = next((index for index, loss in enumerate(losses) if loss.rules and loss.end is None), None)
    if last is not None:
        rules, end = max(losses[last].rules, entry.missing), None if entry.missing else entry.time
        losses[last] = msgspec.structs.replace(losses[last], rules=rules, end=end)
    elif entry.missing:
        what = f"rules missing at X: {entry.cause}"
        losses.append(Loss(time=entry.since or entry.time, what=what, rules=entry.missing))


def _losses(entry: entries.Entry) -> Iterator[Loss]:
    match entry:
        case entries.OverflowEntry():
            what = "dropped: they came faster than they could be written"
            yield Loss(time=entry.first_time, what=what, posts=entry.posts)
        case entries.UnreadEntry():
            what = "left unread by a stop, and what X held back for so slow a reader"
            what += f" ({entry.bytes} bytes more)" if entry.bytes else ""
            yield Loss(time=entry.time, what=what, posts=entry.posts or None)
        case entries.TornEntry():
            what = f"cut off by the end of a connection ({entry.bytes} bytes)"
            yield Loss(time=entry.time, what=what, posts=1)
        case entries.SalvageEntry():
            if entry.torn_bytes:
                what = f"torn at the end of {entry.segment} ({entry.torn_bytes} bytes)"
                yield Loss(time=entry.lost_after, what=what, posts=None)
            if entry.aside:
                what = f"in a damaged part of {entry.segment}, all of which is kept in {entry.aside}"
                yield Loss(time=entry.aside_since or entry.lost_after, what=what, posts=entry.aside_lines or None)
        case entries.LostEntry():
            what = f"in {entry.segment}: {entry.reason}"
            yield Loss(time=entry.first_time or entry.time, what=what, posts=entry.posts)
        case entries.JournalEntry() if entry.lost:
            yield Loss(time=entry.time, what=f"entries of the journal: {entry.lost}", posts=None)
