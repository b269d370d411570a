"""Bluesky as the core sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from sfm_stream.errors import UsageError
from sfm_stream.matching.match import accounts, parse
from sfm_stream.settings.faults import Fault
from sfm_stream.settings.model import Credential
from sfm_stream.sources.base import Inventory, Traits
from sfm_stream.sources.bluesky.events import classify, read
from sfm_stream.sources.bluesky.selection import Selection
from sfm_stream.sources.bluesky.settings import BlueskyStream, faults, handle, is_did
from sfm_stream.sources.feed import Context, Feed
from sfm_stream.sources.host_matched import HostMatchedSource
from sfm_stream.sources.lines import Classified, Features

if TYPE_CHECKING:
    from sfm_stream.sources.rows import Rows


class _Bluesky(HostMatchedSource):
    name = "bluesky"
    title = "Bluesky"
    silence = 60.0
    """The whole network's account events come with every stream, several a second."""

    settings = BlueskyStream
    traits = Traits(
        needs="nothing; sfm_contact tells the hosts' operators who you are",
        gaps="recovered, where they are not longer than 36 hours",
        deletions="told, and kept for every post held",
        costs="nothing",
    )

    def inventory(self) -> Inventory:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.bluesky.inventory import INVENTORY

        return INVENTORY

    def faults(self, stream: BlueskyStream, where: str, *, whole: bool = True) -> Iterator[Fault]:
        """See `sfm_stream.sources.base.Source`."""
        return faults(stream, where, whole=whole)

    def rules(self, stream: BlueskyStream) -> list[tuple[str, str]]:
        """See `sfm_stream.sources.base.Source`: what is matched on this host."""
        parts = [("track", each) for each in stream.track] + [("tag", each) for each in stream.tags]
        parts += [("follow", each) for each in stream.follow] + [("lang", each) for each in stream.langs]
        return parts + ([("query", stream.query)] if stream.query is not None else [])

    def account_names(self, stream: BlueskyStream) -> list[str]:
        """See `sfm_stream.sources.base.Source`: handles, also those that a query names."""
        asked = accounts(parse(stream.query)) if stream.query is not None else []
        return list(dict.fromkeys(handle(each) for each in (*stream.follow, *asked) if not is_did(each)))

    def look_up_accounts(
        self,
        stream: BlueskyStream,
        credential: Credential | None,  # noqa: ARG002
        names: Sequence[str],
    ) -> tuple[dict[str, str], dict[str, str]]:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.bluesky.handles import find_dids

        return find_dids(stream.resolver, names, stream.contact)

    def test_rules(self, stream: BlueskyStream, posts: Iterable[bytes]) -> str:
        """See `sfm_stream.sources.base.Source`."""
        selection, read_lines, kept, unreadable = Selection(stream), 0, 0, 0
        for line in filter(None, (each.strip() for each in posts)):
            event = read(line)
            unreadable += event is None
            if event is not None and selection.has_collection(event) and event.operation != "delete":
                read_lines += 1
                kept += stream.everything or selection.matches(event)
        share = f" ({100 * kept / read_lines:.1f} %)" if read_lines else ""
        return f"{kept:,} of {read_lines:,} records{share} would be kept; {unreadable:,} lines are no events"

    def without_live_settings(self, stream: BlueskyStream) -> BlueskyStream:
        """See `sfm_stream.sources.base.Source`: all but what is matched on this host."""
        asked = stream.follow if stream.follows_alone else ()
        return msgspec.structs.replace(stream, track=(), tags=(), query=None, langs=(), follow=asked)

    def classify(self, line: bytes) -> Classified:
        """See `sfm_stream.sources.base.Source`."""
        return classify(line)

    def matcher(self, query: str) -> Callable[[bytes], bool]:
        """See `sfm_stream.sources.base.Source`: as ``query`` of a filter does; accounts by their DIDs."""
        from sfm_stream.matching.expression import QueryError
        from sfm_stream.matching.match import TokenizedPost, compile_query
        from sfm_stream.sources.bluesky.posts import view

        try:
            test = compile_query(parse(query))
        except QueryError as error:
            raise UsageError(f"no query: {error}") from error

        def matches(line: bytes) -> bool:
            event = read(line)
            return event is not None and event.kind == "commit" and test(TokenizedPost(view(event)))

        return matches

    def rows(self) -> Rows:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.bluesky.table import ROWS

        return ROWS

    def twarc_rows(self) -> None:
        """See `sfm_stream.sources.base.Source`."""

    def features(self, line: bytes) -> Features:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.bluesky.features import features

        return features(line)

    def feed(self, stream: BlueskyStream, credential: Credential | None, context: Context) -> Feed:  # noqa: ARG002
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.bluesky.feed import BlueskyFeed

        return BlueskyFeed(stream, context)


SOURCE = _Bluesky()
