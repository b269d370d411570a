"""A post as every source can show it, for matching."""

from __future__ import annotations

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a filter may ask about a post; a source leaves empty what it does not have.

    Attributes:
        texts: Each stands by itself: no phrase crosses from one to the next.
        tags: Hashtags without #, folded.
        mentions: The accounts that it mentions, each by id and, where known, by folded name.
        links: The addresses that it links to, whole.
        langs: Languages that it claims, as BCP 47 tags, folded.
        author: Its author, by id and, where known, by folded name.
        to: The account that it answers, in the same ways.
        media: Of ``image``, ``video``.
        reply: Whether it answers another.
        quote: Whether it quotes another.
        repost: Whether it repeats another unchanged.
    """

    texts: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    mentions: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()
    langs: frozenset[str] = frozenset()
    author: frozenset[str] = frozenset()
    to: frozenset[str] = frozenset()
    media: frozenset[str] = frozenset()
    reply: bool = False
    quote: bool = False
    repost: bool = False
