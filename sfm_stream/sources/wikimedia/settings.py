"""What a Wikimedia stream is asked to do, and every fault of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from sfm_stream.matching.characters import is_searchable
from sfm_stream.settings.checks import common_faults
from sfm_stream.settings.faults import Fault, show
from sfm_stream.settings.model import Budget, StreamSettings

URL = "https://stream.wikimedia.org"
_STREAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_WIKI = re.compile(r"[a-z][a-z0-9_]{1,60}")
_URL = re.compile(r"https://[^/\s?#@]+|http://(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d+)?")


class WikimediaStream(StreamSettings, frozen=True, kw_only=True, omit_defaults=True):
    """The settings of a Wikimedia stream.

    An event is kept that is in every one of the lists that are given: of its wiki, its namespace, its page, its user;
    that has any of the words; and that is, or is not, a bot's.

    Attributes:
        source: ``wikimedia``.
        streams: Streams of EventStreams; one connection brings all of them.
        wikis: Wikis by their database names: ``enwiki``.
        namespaces: Namespaces by number; 0 is that of articles.
        titles: Pages, as their titles are written.
        users: Users, as their names are written.
        track: Words in a page's title or an edit's comment, as for every source.
        bots: Whether edits of bots are kept; None for both.
        everything: Keep all events of these streams.
        url: Where the service answers.
        contact: Who runs this; the service refuses clients that do not say.
    """

    source: Literal["wikimedia"] = "wikimedia"
    streams: tuple[str, ...] = ("recentchange",)
    wikis: tuple[str, ...] = ()
    namespaces: tuple[int, ...] = ()
    titles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    track: tuple[str, ...] = ()
    bots: bool | None = None
    everything: bool = False
    budget: Budget = Budget(price=0.0)
    url: str = URL
    contact: str = ""

    @property
    def program(self) -> str:
        """``wikimedia-<name>``."""
        return f"wikimedia-{self.name}"


def faults(stream: WikimediaStream, where: str, *, whole: bool = True) -> Iterator[Fault]:
    """All that would keep the stream from running; see `sfm_stream.sources.base.Source`."""
    yield from common_faults(stream, where)
    asked = stream.wikis or stream.namespaces or stream.titles or stream.users or stream.track
    if stream.everything and asked:
        fix = "take everything away, or what is matched"
        yield Fault(where=where, problem="it asks for everything, and for a part of it", fix=fix)
    if whole and not (stream.everything or asked):
        fix = "give wikis, namespaces, titles, users or track; or everything: true for all events"
        yield Fault(where=where, problem="it says nothing to match", fix=fix)
    if not stream.contact.strip():
        fix = (
            "the service refuses clients that do not say how to reach their operators: give an e-mail address or a URL"
        )
        yield Fault(where="sfm_contact", problem=f"{where} needs it, and it is empty", fix=fix)
    elif not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", stream.contact):
        fix = "plain ASCII is needed: it goes into a header"
        yield Fault(where="sfm_contact", problem=f"found {show(stream.contact)}", fix=fix)
    for key, pattern, fix in (
        ("streams", _STREAM, "the name of a stream is needed, such as recentchange"),
        ("wikis", _WIKI, "a wiki's database name is needed, such as enwiki or commonswiki"),
    ):
        for index, value in enumerate(getattr(stream, key)):
            if not pattern.fullmatch(value):
                yield Fault(where=f"{where}: {key}[{index}]", problem=f"found {show(value)}", fix=fix)
    if not stream.streams:
        yield Fault(where=f"{where}: streams", problem="it is empty", fix="at least one stream is needed")
    for index, entry in enumerate(stream.track):
        if not all(is_searchable(part) for part in entry.split(",")):
            fix = "a letter, digit or emoji is needed on each side of a comma"
            yield Fault(where=f"{where}: track[{index}]", problem=f"found {show(entry)}", fix=fix)
    if not _URL.fullmatch(stream.url):
        fix = f"an address like {URL} is needed; http:// is for this machine alone"
        yield Fault(where=f"{where}: url", problem=f"found {show(stream.url)}", fix=fix)
