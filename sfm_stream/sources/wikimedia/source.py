"""Wikimedia as the core sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from sfm_stream.errors import UsageError
from sfm_stream.settings.faults import Fault
from sfm_stream.settings.model import Credential
from sfm_stream.sources.base import Inventory, Traits
from sfm_stream.sources.feed import Context, Feed
from sfm_stream.sources.host_matched import HostMatchedSource
from sfm_stream.sources.lines import Classified, Features
from sfm_stream.sources.wikimedia.events import classify, read
from sfm_stream.sources.wikimedia.selection import Selection
from sfm_stream.sources.wikimedia.settings import WikimediaStream, faults

if TYPE_CHECKING:
    from sfm_stream.sources.rows import Rows


class _Wikimedia(HostMatchedSource):
    name = "wikimedia"
    title = "Wikimedia"
    silence = 60.0
    """Recent changes come each second; a read gives up after half of this."""
    settings = WikimediaStream
    traits = Traits(
        needs="sfm_contact, by which its operators reach you",
        gaps="recovered, where they are not longer than a week",
        deletions="told where a stream of them is asked for, and kept like other events",
        costs="nothing",
    )

    def inventory(self) -> Inventory:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.wikimedia.inventory import INVENTORY

        return INVENTORY

    def faults(self, stream: WikimediaStream, where: str, *, whole: bool = True) -> Iterator[Fault]:
        """See `sfm_stream.sources.base.Source`."""
        return faults(stream, where, whole=whole)

    def rules(self, stream: WikimediaStream) -> list[tuple[str, str]]:
        """See `sfm_stream.sources.base.Source`: what is matched on this host."""
        parts = [("wiki", each) for each in stream.wikis]
        parts += [("namespace", str(each)) for each in stream.namespaces]
        parts += [("title", each) for each in stream.titles] + [("user", each) for each in stream.users]
        return parts + [("track", each) for each in stream.track]

    def test_rules(self, stream: WikimediaStream, posts: Iterable[bytes]) -> str:
        """See `sfm_stream.sources.base.Source`."""
        selection, events, kept, unreadable = Selection(stream), 0, 0, 0
        for line in filter(None, (each.strip() for each in posts)):
            event = read(line)
            if event is None:
                unreadable += 1
            elif not event.is_canary:
                events += 1
                kept += selection.matches(event)
        share = f" ({100 * kept / events:.1f} %)" if events else ""
        return f"{kept:,} of {events:,} events{share} would be kept; {unreadable:,} lines are no events"

    def without_live_settings(self, stream: WikimediaStream) -> WikimediaStream:
        """See `sfm_stream.sources.base.Source`: all but what is matched on this host."""
        return msgspec.structs.replace(
            stream, wikis=(), namespaces=(), titles=(), users=(), track=(), bots=None, everything=True
        )

    def classify(self, line: bytes) -> Classified:
        """See `sfm_stream.sources.base.Source`."""
        return classify(line)

    def matcher(self, query: str) -> Callable[[bytes], bool]:
        """See `sfm_stream.sources.base.Source`: words in titles and comments, and ``from:`` a user."""
        from sfm_stream.matching.characters import fold
        from sfm_stream.matching.expression import QueryError
        from sfm_stream.matching.match import TokenizedPost, compile_query, parse
        from sfm_stream.matching.view import View

        try:
            test = compile_query(parse(query))
        except QueryError as error:
            raise UsageError(f"no query: {error}") from error

        def matches(line: bytes) -> bool:
            event = read(line)
            if event is None or event.is_canary:
                return False
            return test(TokenizedPost(View(texts=(event.title, event.comment), author=frozenset({fold(event.user)}))))

        return matches

    def rows(self) -> Rows:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.wikimedia.table import ROWS

        return ROWS

    def twarc_rows(self) -> None:
        """See `sfm_stream.sources.base.Source`."""

    def features(self, line: bytes) -> Features:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.wikimedia.features import features

        return features(line)

    def feed(self, stream: WikimediaStream, credential: Credential | None, context: Context) -> Feed:  # noqa: ARG002
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.wikimedia.feed import WikimediaFeed

        return WikimediaFeed(stream)


SOURCE = _Wikimedia()
