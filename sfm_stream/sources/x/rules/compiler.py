"""Compiles what a filter asks for into rules of X.

The meaning is that of the old streaming API (v1.1), which SFM's users know:

- ``track``: the entries are alternatives, and so are the parts of an entry between commas; the words of a part
  must all occur, in any order.
- ``follow``: posts by the account, replies to it and reposts of it.
- ``locations``: posts from within the box.
- Everything in one rule is an alternative to everything else in it.

A rule of X has a limited length, so one rule of ours may become several, all with the
same tag: X sends a post once, however many rules it matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from sfm_stream.matching.characters import QUOTES, is_hashtag, is_pictographs, is_searchable, is_word, visible
from sfm_stream.sources.x.rules.operators import degrees
from sfm_stream.sources.x.settings import Rule, XStream

TAG_PREFIX = "sfm:"

_PLAIN_TAG = re.compile(r"@[A-Za-z0-9_]+|\$[A-Za-z]{1,6}")
_ACCOUNT = re.compile(r"@?(\w{1,20})", re.ASCII)
_RESERVED = frozenset({"or", "and", "not"})
_UNQUOTED = dict.fromkeys(map(ord, [*QUOTES, "\\"]))
_WIDE_SIGN = re.compile(r"(?<![^\s()-])[\uff03\uff20]")
_NARROW = str.maketrans("\uff03\uff20", "#@")


class XRule(msgspec.Struct, frozen=True, order=True):
    """A rule as X keeps it: the query and the tag that comes back with each post it matches."""

    value: str
    tag: str


class TooLongError(ValueError):
    """One alternative of a rule is by itself longer than X allows.

    Attributes:
        text: The alternative, as X would have read it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(f"{len(text)} characters in one alternative: {text}")
        self.text = text


def own_tag(name: str, rule: str = "") -> str:
    """The tag of one rule of a filter, or with no rule the prefix of all its tags."""
    return f"{TAG_PREFIX}{name}:{rule}"


def compile_rules(stream: XStream) -> tuple[XRule, ...]:
    """The rules that X must hold for this stream, in the order declared.

    Raises:
        TooLongError: An alternative exceeds `stream.rule_length` and cannot be split.
    """
    return tuple(
        XRule(value=value, tag=own_tag(stream.name, rule.name))
        for rule in stream.rules
        for value in compile_rule(rule, stream.rule_length)
    )


def compile_rule(rule: Rule, length: int) -> list[str]:
    """The queries, each of at most `length` characters, that together match what `rule` asks for.

    Raises:
        TooLongError: As for `compile_rules`.
    """
    if rule.query is not None:
        query = readable(rule.query)
        if len(query) > length:
            raise TooLongError(query)
        return [query]
    return list(pack(dict.fromkeys(alternatives(rule)), length))


def alternatives(rule: Rule) -> Iterator[str]:
    """Each thing that suffices for a post to match, in X's language."""
    for entry in rule.track:
        for part in entry.split(","):
            if words := [quoted for word in readable(part).split() if (quoted := quote(word))]:
                yield f"({' '.join(words)})" if len(words) > 1 else words[0]
    for account in rule.follow:
        if match := _ACCOUNT.fullmatch(account):
            yield from (f"{operator}:{match[1]}" for operator in ("from", "to", "retweets_of"))
    for box in rule.locations:
        yield f"bounding_box:[{degrees(box)}]"


def is_account(text: str) -> bool:
    """Whether `text` can be an account's name, with or without @, or its numeric id."""
    return _ACCOUNT.fullmatch(text) is not None


def readable(text: str) -> str:
    """A query or track entry as it goes to X.

    Without the signs that nobody sees, with single blanks, and with the narrow # and @ that X's rules know in place of
    full-width ones.
    """
    pieces = " ".join(visible(text).split()).split('"')
    # What stands in quotes is text.
    pieces[::2] = [_WIDE_SIGN.sub(lambda sign: sign[0].translate(_NARROW), piece) for piece in pieces[::2]]
    return '"'.join(pieces)


def quote(word: str) -> str:
    """A word such that X reads it as text: quoted where it would be an operator or fall apart; "" if nothing is left.

    X takes no escaped quotes, and its words end at punctuation anyway, so quotes of any kind are left out. A word
    without letters or digits is worth looking for only where it is an emoji; X wants quotes around variants of these.
    """
    word = word.translate(_UNQUOTED)
    if not is_searchable(word):
        return ""
    plain = is_word(word) or is_hashtag(word) or is_pictographs(word) or _PLAIN_TAG.fullmatch(word)
    return word if plain and word.lower() not in _RESERVED else f'"{word}"'


def pack(items: Iterable[str], length: int) -> Iterator[str]:
    """Joins alternatives with OR into as few queries as their order allows, none over `length`.

    Raises:
        TooLongError: One of them is longer by itself.
    """
    text = ""
    for item in items:
        if len(item) > length:
            raise TooLongError(item)
        joined = f"{text} OR {item}" if text else item
        if len(joined) > length:
            yield text
            joined = item
        text = joined
    if text:
        yield text
