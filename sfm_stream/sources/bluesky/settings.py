"""What a Bluesky stream is asked to do, and every fault of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from sfm_stream.matching.characters import AT_SIGNS, HASH_SIGNS, is_searchable
from sfm_stream.matching.expression import QueryError
from sfm_stream.matching.match import accounts, parse
from sfm_stream.settings.checks import common_faults
from sfm_stream.settings.faults import Fault, show
from sfm_stream.settings.model import Budget, StreamSettings
from sfm_stream.sources.bluesky.events import POSTS

HOSTS = ("wss://jetstream.us-east.bsky.network", "wss://jetstream.us-west.bsky.network")
"""Bluesky's own hosts that speak the newer wire, and the older one too."""
Wire = Literal[1, 2]
WIRE: Wire = 2
"""The newer of the two."""
COLLECTION_LIMIT = 100
"""The most that a host takes."""
RESOLVER = "https://public.api.bsky.app"

_DID = re.compile(r"did:(plc:[a-z2-7]{24}|web:[A-Za-z0-9.%-]+(:[A-Za-z0-9.%-]+)*)")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HANDLE = re.compile(rf"(?=.{{4,253}}$)({_LABEL}\.)+(?![0-9]){_LABEL}")
_NSID = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*(\.[a-zA-Z0-9-]+)+(\.\*)?")
_TAG = re.compile(rf"[{HASH_SIGNS}]?[^\s{HASH_SIGNS}]+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_ACCOUNT = re.compile(rf"{_DID.pattern}|[{AT_SIGNS}]?{_HANDLE.pattern}")
_HOST = re.compile(r"wss?://[^/\s?#@]+")
_LOOPBACK = re.compile(r"ws://(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d+)?")


_FORMS = {
    "follow": (_ACCOUNT, "a handle (name.bsky.social) or a DID (did:plc:...) is needed"),
    "collections": (_NSID, "an NSID is needed, such as app.bsky.feed.post, or app.bsky.feed.*"),
    "tags": (_TAG, "a hashtag is needed, with or without its #, and without blanks"),
    "langs": (_LANGUAGE, "a language's code is needed, such as en or pt-BR"),
    "hosts": (_HOST, "an address like wss://jetstream.us-east.bsky.network is needed"),
}


class BlueskyStream(StreamSettings, frozen=True, kw_only=True, omit_defaults=True):
    """The settings of a Bluesky stream.

    A post is kept that matches any of `track`, `tags`, `follow` and `query`, and claims one of `langs` where these are
    given.

    Attributes:
        source: ``bluesky``.
        track: Words: the parts of an entry between commas are alternatives, the words of a part must all occur.
        tags: Hashtags.
        follow: Accounts, by handle or DID: what they post.
        query: A query of `sfm_stream.matching`.
        langs: Languages, as their authors claim them; ``pt`` stands for ``pt-BR`` too.
        collections: Kinds of records, as NSIDs, or prefixes that end in ``.*``.
        everything: Keep all events of these collections.
        budget: Limits; Bluesky charges nothing.
        hosts: Jetstream hosts; one is used, and the next where it fails.
        wire: 2, or 1 for hosts that speak only the older one.
        resolver: Where the DIDs of handles are asked for.
        contact: Who runs this, for the hosts' operators.
    """

    source: Literal["bluesky"] = "bluesky"
    track: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    query: str | None = None
    langs: tuple[str, ...] = ()
    collections: tuple[str, ...] = (POSTS,)
    everything: bool = False
    budget: Budget = Budget(price=0.0)
    hosts: tuple[str, ...] = HOSTS
    wire: Wire = WIRE
    resolver: str = RESOLVER
    contact: str = ""

    @property
    def program(self) -> str:
        """``bluesky-<name>``."""
        return f"bluesky-{self.name}"

    @property
    def follows_alone(self) -> bool:
        """Whether accounts are all that is asked for, so that the host can select by them."""
        return bool(self.follow) and not (self.track or self.tags or self.query or self.everything)


def is_did(account: str) -> bool:
    """Whether the account is named by its DID."""
    return _DID.fullmatch(account) is not None


def handle(account: str) -> str:
    """A handle as it is looked up: without @, in lower case."""
    return account.lstrip(AT_SIGNS).lower()


def faults(stream: BlueskyStream, where: str, *, whole: bool = True) -> Iterator[Fault]:
    """All that would keep the stream from running; see `sfm_stream.sources.base.Source`."""
    yield from common_faults(stream, where)
    asked = stream.track or stream.tags or stream.follow or stream.query is not None
    if stream.everything and asked:
        fix = "take everything away, or what is matched"
        yield Fault(where=where, problem="it asks for everything, and for a part of it", fix=fix)
    if whole and not (stream.everything or asked or stream.langs):
        fix = "give track, tags, follow, query or langs; or everything: true for the whole stream"
        yield Fault(where=where, problem="it says nothing to match", fix=fix)
    for index, entry in enumerate(stream.track):
        if not all(is_searchable(part) for part in entry.split(",")):
            fix = "a letter, digit or emoji is needed on each side of a comma"
            yield Fault(where=f"{where}: track[{index}]", problem=f"found {show(entry)}", fix=fix)
    if stream.query is not None:
        yield from _query_faults(stream.query, f"{where}: query")
    for key, (pattern, fix) in _FORMS.items():
        for index, value in enumerate(getattr(stream, key)):
            if not pattern.fullmatch(value):
                yield Fault(where=f"{where}: {key}[{index}]", problem=f"found {show(value)}", fix=fix)
            elif key == "hosts" and value.startswith("ws:") and not _LOOPBACK.fullmatch(value):
                fix = "ws:// is for a host on this machine alone; write wss://"
                yield Fault(where=f"{where}: {key}[{index}]", problem=f"found {show(value)}", fix=fix)
    if len(stream.collections) > COLLECTION_LIMIT:
        problem = f"found {len(stream.collections)} of them"
        fix = f"a host takes at most {COLLECTION_LIMIT}; a prefix such as app.bsky.feed.* stands for many"
        yield Fault(where=f"{where}: collections", problem=problem, fix=fix)
    if not stream.hosts:
        yield Fault(where=f"{where}: hosts", problem="it is empty", fix="at least one host is needed")


def _query_faults(text: str, where: str) -> Iterator[Fault]:
    try:
        named = accounts(parse(text))
    except QueryError as error:
        yield Fault(where=where, problem=f"found {show(text)}", fix=str(error))
        return
    pattern, fix = _FORMS["follow"]
    for account in named:
        if not pattern.fullmatch(account):
            yield Fault(where=where, problem=f"found the account {show(account)}", fix=fix)
