"""Which events a stream keeps, by its settings."""

from __future__ import annotations

from sfm_stream.matching.match import TokenizedPost, any_of, track
from sfm_stream.matching.view import View
from sfm_stream.sources.wikimedia.events import Event
from sfm_stream.sources.wikimedia.settings import WikimediaStream


class Selection:
    """The filter of one stream."""

    def __init__(self, stream: WikimediaStream) -> None:
        self._stream = stream
        self._wikis, self._namespaces = frozenset(stream.wikis), frozenset(stream.namespaces)
        self._titles = frozenset(_title(each) for each in stream.titles)
        self._users = frozenset(stream.users)
        self._track = any_of([track(entry) for entry in stream.track]) if stream.track else None

    def matches(self, event: Event) -> bool:
        """Whether an event that is no canary is wanted."""
        if self._stream.bots is not None and event.bot is not self._stream.bots:
            return False
        if self._stream.everything:
            return True
        if self._wikis and (event.wiki or event.wiki_id) not in self._wikis:
            return False
        if self._namespaces and event.namespace not in self._namespaces:
            return False
        if self._titles and _title(event.title) not in self._titles:
            return False
        if self._users and event.user not in self._users:
            return False
        return self._track is None or self._track(TokenizedPost(View(texts=(event.title, event.comment))))


def _title(text: str) -> str:
    """A page's title in one form: MediaWiki takes blanks and underscores for the same."""
    return text.replace("_", " ").strip()
