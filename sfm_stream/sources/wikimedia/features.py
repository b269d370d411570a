"""What a summary counts of an event of Wikimedia: the page that it is about counts as a link."""

from __future__ import annotations

from datetime import UTC

from sfm_stream.sources.lines import Features, LineKind
from sfm_stream.sources.wikimedia.events import classified, read

_PROJECTS = (
    *("wikibooks", "wikinews", "wikipedia", "wikiquote", "wikisource", "wikiversity", "wikivoyage", "wiktionary"),
)
"""Projects that have a wiki for each language; the others (Commons, Wikidata, Meta) have none."""


def features(line: bytes) -> Features:
    """See `sfm_stream.sources.base.Source`. An event has no language but its wiki's."""
    event = read(line)
    if event is None:
        return Features(LineKind.OTHER)
    language, _, project = event.meta.domain.partition(".")
    time = event.meta.dt
    return Features(
        classified(event).kind,
        time if time is None or time.tzinfo else time.replace(tzinfo=UTC),
        event.user,
        langs=(language,) if project.partition(".")[0] in _PROJECTS and language != "www" else (),
        links=(event.meta.uri,) if event.meta.uri else (),
    )
