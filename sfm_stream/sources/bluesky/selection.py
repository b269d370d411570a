"""Which events a stream keeps, by its settings."""

from __future__ import annotations

from sfm_stream.matching.match import (
    Predicate,
    TokenizedPost,
    any_of,
    author,
    by_id,
    compile_query,
    languages,
    parse,
    tag,
    track,
)
from sfm_stream.sources.bluesky.events import Event
from sfm_stream.sources.bluesky.posts import view
from sfm_stream.sources.bluesky.settings import BlueskyStream, handle, is_did


class Selection:
    """The filter of one stream.

    Args:
        stream: Its settings.
    """

    def __init__(self, stream: BlueskyStream) -> None:
        self._exact = frozenset(each for each in stream.collections if not each.endswith(".*"))
        self._prefixes = tuple(each.removesuffix("*") for each in stream.collections if each.endswith(".*"))
        self._matching = _matching(stream)
        self._langs = languages(stream.langs) if stream.langs else None

    def has_collection(self, event: Event) -> bool:
        """Whether the event is a commit of a wanted collection."""
        return event.kind == "commit" and (
            event.collection in self._exact or event.collection.startswith(self._prefixes or ("\0",))
        )

    def matches(self, event: Event) -> bool:
        """Whether a record that was created or changed is wanted."""
        post = TokenizedPost(view(event))
        return (self._matching is None or self._matching(post)) and (self._langs is None or self._langs(post))


def dids(stream: BlueskyStream) -> tuple[str, ...]:
    """The accounts that are followed, by DID; those whose handles are not resolved are left out."""
    found = (each if is_did(each) else stream.accounts.get(handle(each)) for each in stream.follow)
    return tuple(dict.fromkeys(filter(None, found)))


def _matching(stream: BlueskyStream) -> Predicate | None:
    """What matches any part of the filter; None where there is none but languages."""
    tests = [track(entry) for entry in stream.track] + [tag(each) for each in stream.tags]
    tests += [author(did) for did in dids(stream)]
    if stream.query is not None:
        tests.append(compile_query(by_id(parse(stream.query), lambda name: stream.accounts.get(handle(name), name))))
    if not tests:
        return None if not stream.follow else lambda _: False
    return any_of(tests)
