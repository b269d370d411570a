"""What a summary counts of an event of Bluesky: of a record, what matching sees of it."""

from __future__ import annotations

from sfm_stream.sources.bluesky.events import kind_of, read
from sfm_stream.sources.bluesky.posts import view
from sfm_stream.sources.lines import Features, LineKind


def features(line: bytes) -> Features:
    """See `sfm_stream.sources.base.Source`. Accounts go by their DIDs: events of posts do not tell their handles."""
    event = read(line)
    if event is None:
        return Features(LineKind.OTHER)
    kind = kind_of(event)
    if kind is not LineKind.POST:
        return Features(kind, event.time, event.did)
    seen = view(event)
    return Features(kind, event.time, event.did, langs=tuple(seen.langs), tags=tuple(seen.tags), links=seen.links)
