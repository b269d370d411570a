"""What a filter would have matched among recorded posts, before paying for it."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

import msgspec

from sfm_stream.rules.match import compile_query
from sfm_stream.rules.post_view import Post
from sfm_stream.rules.query import parse
from sfm_stream.settings.model import Budget

_GZIP = b"\x1f\x8b"
_DAY = 86400.0
_LEAST_SPAN = 60.0
"""Posts of a shorter time (seconds) tell nothing about a day."""

_SNOWFLAKE_EPOCH = 1288834974.657
_FIRST_SNOWFLAKE = 30_000_000_000
"""Ids below this one do not tell the time."""


class Trial(msgspec.Struct, frozen=True):
    """What a trial found.

    Attributes:
        matched: Posts that each tag's rules matched, in the order of the rules.
        distinct: Posts that any rule matched; X sends and charges each once.
        posts: Posts read; one recorded twice counts once.
        duplicates: Posts read again.
        unreadable: Lines, or ends of files, that are no posts: torn or not JSON.
        span: Seconds from the first post made to the last; None where no post tells.
    """

    matched: dict[str, int]
    distinct: int
    posts: int
    duplicates: int
    unreadable: int
    span: float | None


def trial(rules: Iterable[tuple[str, str]], posts: Iterable[bytes]) -> Trial:
    """Tries rules on posts.

    Args:
        rules: Tag and value of each, as X would hold them; rules of one tag count as one.
        posts: Lines as X streams them, or the pieces of a gzip file of such lines; an open binary file is both.

    Raises:
        QueryError: A rule is one that X would refuse.
    """
    tests = [(tag, compile_query(parse(value))) for tag, value in rules]
    matched = Counter({tag: 0 for tag, _ in tests})
    seen: set[str] = set()
    distinct = duplicates = unreadable = 0
    times: list[float] = []
    for line in lines(posts):
        envelope = _envelope(line)
        if envelope is None:
            unreadable += 1
            continue
        if "data" not in envelope:
            # A message of X's, such as a disconnect.
            continue
        post_id = str(envelope["data"].get("id", ""))
        if post_id in seen:
            duplicates += 1
            continue
        seen.add(post_id)
        if (made := _made(envelope["data"])) is not None:
            times = [min([made, *times]), max([made, *times])]
        post = Post(envelope)
        try:
            tags = {tag for tag, test in tests if test(post)}
        except (AttributeError, KeyError, TypeError, ValueError):
            # Something in it is of a type that X never sends there.
            unreadable += 1
            seen.discard(post_id)
            continue
        matched.update(tags)
        distinct += bool(tags)
    span = times[1] - times[0] if times else None
    return Trial(dict(matched), distinct, len(seen), duplicates, unreadable, span)


def report(outcome: Trial, price: float = Budget().price) -> str:
    """A trial for a person: a table of the rules, and what the estimate rests on.

    Args:
        outcome: What was found.
        price: Dollars a post.
    """
    from sfm_stream.table import duration, render

    days = outcome.span / _DAY if outcome.span is not None and outcome.span >= _LEAST_SPAN else None
    rows = [(tag, *_numbers(count, outcome.posts, days, price)) for tag, count in outcome.matched.items()]
    rows.append(("all, each post once", *_numbers(outcome.distinct, outcome.posts, days, price)))
    header = ("RULE", "POSTS", "SHARE", "A DAY", "COST A DAY", "COST A MONTH")
    notes = [f"{outcome.posts:,} posts" + (f" over {duration(outcome.span)}" if outcome.span is not None else "")]
    if outcome.duplicates:
        notes.append(f"{outcome.duplicates:,} repeated ones left out")
    if outcome.unreadable:
        notes.append(f"{outcome.unreadable:,} unreadable lines left out")
    basis = f"At ${price:g} a post, if a day brings posts as fast as these came; a month has 30 days."
    if days is None:
        basis = f"No estimate of a day: the posts cover less than {_LEAST_SPAN:.0f} s, or do not tell their time."
    return "\n".join([render(header, rows, right=header[1:]), "", "; ".join(notes) + ".", basis])


def _numbers(count: int, posts: int, days: float | None, price: float) -> tuple[str | None, ...]:
    share = f"{100 * count / posts:.1f} %" if posts else None
    if days is None:
        return f"{count:,}", share, None, None, None
    daily = count / days
    return f"{count:,}", share, f"{daily:,.0f}", f"${daily * price:,.2f}", f"${30 * daily * price:,.2f}"


def _envelope(line: bytes) -> dict[str, Any] | None:
    try:
        envelope = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("data", {}), dict):
        return None
    return envelope


def _made(data: dict[str, Any]) -> float | None:
    """When a post was made, in seconds since 1970."""
    try:
        if "created_at" in data:
            return datetime.fromisoformat(data["created_at"]).timestamp()
        number = int(data["id"])
    except (ValueError, TypeError, KeyError):
        return None
    return (number >> 22) / 1000 + _SNOWFLAKE_EPOCH if number >= _FIRST_SNOWFLAKE else None


def lines(source: Iterable[bytes]) -> Iterator[bytes]:
    """The lines that are not blank, of plain or gzip-compressed pieces; a torn end comes as a line of its own."""
    pieces = iter(source)
    first = next(pieces, b"")
    pieces = chain([first], pieces)
    if first.startswith(_GZIP):
        pieces = _inflated(pieces)
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompresses gzip, of any number of members; where it is torn, what came before is given, and a mark."""
    stream = zlib.decompressobj(wbits=31)
    started = False
    try:
        for piece in pieces:
            data = piece
            while data:
                started = True
                yield stream.decompress(data)
                data = stream.unused_data if stream.eof else b""
                if stream.eof:
                    stream, started = zlib.decompressobj(wbits=31), False
    except zlib.error:
        started = True
    if started:
        yield b"\n{torn gzip\n"
