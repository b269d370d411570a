"""Bluesky as the core sees it."""

from __future__ import annotations

from sfm_stream.settings.model import Credential
from sfm_stream.sources.base import Classified, Context
from sfm_stream.sources.bluesky.events import classify
from sfm_stream.sources.bluesky.feed import BlueskyFeed
from sfm_stream.sources.bluesky.settings import BlueskyStream


class _Bluesky:
    name = "bluesky"
    title = "Bluesky"
    silence = 60.0
    """The whole network's account events come with every stream, several a second."""

    def classify(self, line: bytes) -> Classified:
        """See `sfm_stream.sources.base.Source`."""
        return classify(line)

    def feed(self, stream: BlueskyStream, credential: Credential | None, context: Context) -> BlueskyFeed:  # noqa: ARG002
        """See `sfm_stream.sources.base.Source`."""
        return BlueskyFeed(stream, context)


SOURCE = _Bluesky()
