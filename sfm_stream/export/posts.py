"""The posts of an export: what was chosen of the lines, without what was deleted, edited or comes twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from sfm_stream.export.chosen import ChosenStream
from sfm_stream.export.files import InputFile, Places, Span, within
from sfm_stream.export.keys import Keys
from sfm_stream.export.reader import Batch, Reader
from sfm_stream.export.sample import PostSample, number
from sfm_stream.export.spans import within as sent_within
from sfm_stream.sources.lenient import loads
from sfm_stream.sources.lines import LineKind
from sfm_stream.sources.registry import source
from sfm_stream.sources.rows import Rows, Standing

_UNNAMED = 64
"""Each so many lines are looked at for parts that no column shows."""
_PLACES = 40
"""Bits of a line's number within its file; those above are the file's."""
_NUL = b"\\u0000"


class Criteria(NamedTuple):
    """What is wanted of the lines.

    Attributes:
        span: Sent in this time.
        match: A query of the source's; None for all.
        with_deleted: Nothing is taken away, and deletions, notices and other lines are rows, too.
        unique: Each post once.
        sample: So many of them; None for all.
    """

    span: Span = Span()
    match: str | None = None
    with_deleted: bool = False
    unique: bool = False
    sample: int | None = None


class ChosenPost(NamedTuple):
    """A line that is wanted.

    Attributes:
        source: Its file.
        line: Its bytes.
        what: What `Rows.read` gave.
    """

    source: InputFile
    line: bytes
    what: Any


class Posts:
    """The posts of a stream.

    Args:
        stream: Whose.
        places: Where a file is looked for that was moved meanwhile.
        wanted: What of it.
        keys: What is gone and what was seen; shared by all streams of an export.
        first: The number of the stream's first file among those of all streams.
        report: Gets a line on each file that could not be read to its end.

    Attributes:
        counts: Lines by what became of them: ``deleted``, ``edited``, ``repeated``, ``unreadable``, and those that are
            no posts by their kind; with those of `Reader`.
        unnamed: Parts of posts that no column shows.
        first: The earliest time of a post, as text.
        last: The latest.
    """

    def __init__(
        self,
        stream: ChosenStream,
        places: Places | None,
        wanted: Criteria,
        keys: Keys,
        report: Callable[[str], None],
        table: Rows | None = None,
        first: int = 0,
    ) -> None:
        self.stream, self._places, self._wanted, self._keys, self._report = stream, places, wanted, keys, report
        self._source = source(stream.source)
        self.rows: Rows = table or self._source.rows()
        self.counts: Counter[str] = Counter()
        self.unnamed: set[str] = set()
        self.first: str | None = None
        self.last: str | None = None
        self._of_all = first
        finished = [each for each in stream.files if not each.live]
        self.files = within(finished, wanted.span, self.rows.late) if stream.program else finished
        # Of what was sent in the time, the stream may have told later that it is gone.
        self._telling = within(finished, Span(wanted.span.start), self.rows.late) if stream.program else finished
        self._number = {each.path: index + first for index, each in enumerate(stream.files)}
        self._limit: int | None = None

    def learn(self) -> None:
        """Reads what the stream tells to be gone; before `draw` and `chosen`."""
        if self._wanted.with_deleted:
            return
        search, rows, keys = self.rows.tells.search, self.rows, self._keys
        for batch in Reader(self._telling, self._places, lambda _line: None).batches():
            if not search(b"\n".join(batch.lines)):
                continue
            for place, line in self._placed(batch):
                if not search(line) or (what := rows.read(line)) is None:
                    continue
                standing = rows.standing(what)
                if standing.restores:
                    keys.restore(standing.restores)
                keys.end(standing.ends, place, edited=standing.kind is LineKind.POST)
                keys.end(standing.replaces, None, edited=True)

    def draw(self, sample: PostSample) -> None:
        """Shows a sample all that may be chosen."""
        for post in self._chosen(Counter(), lambda _line: None):
            sample.show(self._identity(post))

    def chosen(self, limit: int | None) -> Iterator[ChosenPost]:
        """The posts in order of arrival; of a sample those up to its limit."""
        for post in self._chosen(self.counts, self._report):
            if limit is not None and number(self._identity(post)) > limit:
                continue
            if self._wanted.unique and not self._keys.is_new(self._identity(post)):
                self.counts["repeated"] += 1
                continue
            sent = self.rows.sent(post.what)
            if sent:
                self.first = min(self.first or sent, sent)
                self.last = max(self.last or sent, sent)
            yield post

    def _chosen(self, counts: Counter[str], report: Callable[[str], None]) -> Iterator[ChosenPost]:
        rows, keys, everything = self.rows, self._keys, self._wanted.with_deleted
        span = self._wanted.span
        inside = sent_within(span) if span.start or span.end else None
        match = self._source.matcher(self._wanted.match) if self._wanted.match is not None else None
        reader = Reader(self.files, self._places, report)
        for batch in reader.batches():
            for place, line in self._placed(batch):
                if not place % _UNNAMED:
                    self.unnamed |= rows.unnamed(line)
                what = rows.read(line)
                if what is None:
                    counts["unreadable"] += 1
                    continue
                if inside is not None and not inside(rows.sent(what)):
                    counts["outside"] += 1
                    continue
                standing = rows.standing(what)
                if standing.kind is not LineKind.POST and not everything:
                    counts[standing.kind] += 1
                    continue
                if match is not None and not match(line):
                    counts["unmatched"] += 1
                    continue
                if keys.told and not everything and (why := keys.gone(standing.keys, place)):
                    counts[why] += 1
                    continue
                yield ChosenPost(batch.source, line, what)
        counts.update(reader.counts)

    def _placed(self, batch: Batch) -> Iterator[tuple[int, bytes]]:
        """Each line with its place in the order of all; without NUL, which many readers take for an end."""
        place = (self._number[batch.source.path] << _PLACES) + batch.first
        for index, line in enumerate(batch.lines):
            yield place + index, clean(line) if _NUL in line else line

    def _identity(self, post: ChosenPost) -> bytes:
        standing: Standing = self.rows.standing(post.what)
        if standing.keys and not self._wanted.with_deleted:
            return f"{self.stream.source} {standing.keys[0]}".encode()
        return post.line


def clean(line: bytes) -> bytes:
    """A line without what many readers do not take; as it is where it cannot be read."""
    try:
        return msgspec.json.encode(loads(line))
    except (ValueError, RecursionError):
        return line
