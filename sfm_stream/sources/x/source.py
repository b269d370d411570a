"""X as the core sees it."""

from __future__ import annotations

from sfm_stream.settings.model import Credential, Stream
from sfm_stream.sources.base import Classified, Context
from sfm_stream.sources.x.envelope import classify
from sfm_stream.sources.x.feed import XFeed


class _X:
    name = "x"
    title = "X"
    silence = 30.0
    """X sends something every 20 seconds: a connection from which nothing came for longer is in trouble."""

    def classify(self, line: bytes) -> Classified:
        """See `sfm_stream.sources.base.Source`."""
        return classify(line)

    def feed(self, stream: Stream, credential: Credential, context: Context) -> XFeed:
        """See `sfm_stream.sources.base.Source`."""
        return XFeed(stream, credential, journal=context.journal, last_run=context.last_run, fail=context.fail)


SOURCE = _X()
