"""What a filter would have matched among recorded posts, before paying for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from sfm_stream.compression.content import Content
from sfm_stream.matching.characters import LOST
from sfm_stream.matching.expression import Query, cut, terms
from sfm_stream.matching.tokens import is_unspaced, tokenize
from sfm_stream.settings.model import Budget
from sfm_stream.sources.x.rules.match import compile_query, unanswerable
from sfm_stream.sources.x.rules.post_view import PostView
from sfm_stream.sources.x.rules.query import parse

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
        quotes_unseen: Posts that quote one which was not recorded with them; X looks at that one's content, too.
        doubts: Where X may count otherwise.
    """

    matched: dict[str, int]
    distinct: int
    posts: int
    duplicates: int
    unreadable: int
    span: float | None
    quotes_unseen: int = 0
    doubts: tuple[str, ...] = ()


def trial(rules: Iterable[tuple[str, str]], posts: Iterable[bytes]) -> Trial:
    """Tries rules on posts.

    Args:
        rules: Tag and value of each, as X would hold them; rules of one tag count as one.
        posts: Lines as X streams them, or the pieces of a compressed file of such lines; an open binary file is both.

    Raises:
        QueryError: A rule is one that X would refuse.
    """
    queries = [(tag, parse(value)) for tag, value in rules]
    tests = [(tag, compile_query(query)) for tag, query in queries]
    matched = Counter({tag: 0 for tag, _ in tests})
    seen: set[str] = set()
    distinct = duplicates = unreadable = unseen = 0
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
        post = PostView(envelope)
        try:
            tags = {tag for tag, test in tests if test(post)}
            unseen += post.quotes_unseen
        except (AttributeError, KeyError, TypeError, ValueError):
            # Something in it is of a type that X never sends there.
            unreadable += 1
            seen.discard(post_id)
            continue
        matched.update(tags)
        distinct += bool(tags)
    span = times[1] - times[0] if times else None
    doubts = tuple(dict.fromkeys(doubt for _, query in queries for doubt in _doubts(query)))
    return Trial(dict(matched), distinct, len(seen), duplicates, unreadable, span, unseen, doubts)


def matcher(query: str) -> Callable[[bytes], bool]:
    """Whether a line is a post that a rule matches.

    Raises:
        QueryError: X would refuse it.
    """
    test = compile_query(parse(query))

    def matches(line: bytes) -> bool:
        envelope = _envelope(line)
        try:
            return envelope is not None and "data" in envelope and test(PostView(envelope))
        except (AttributeError, KeyError, TypeError, ValueError):
            return False  # something in it is of a type that X never sends there

    return matches


def _doubts(query: Query) -> Iterator[str]:
    """Where X may match other posts than are matched here."""
    for name in unanswerable(query):
        yield f"{name} cannot be told of a recorded post, and matches none here"
    for term in terms(query):
        if term.operator == "sample":
            yield f"sample:{term.value} takes other posts at X, and as many"
        elif term.operator in {"word", "phrase", "near"}:
            words, shown = tokenize(term.value), f'"{cut(term.value)}"'
            if is_unspaced(term.value):
                yield f"{shown} is found wherever its signs stand in a row; X finds word breaks by its own rules"
            elif any(lost in term.value for lost in LOST):
                yield f"{shown} is found as {' '.join(words)}: as far as X tells, its words hold no signs"
            if len(words) > 1 and any("\U0001f1e6" <= word <= "\U0001faff" for word in words):
                yield f"{shown} is found as a row of its signs; X does not say how it splits an emoji of several"


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
    doubts = list(outcome.doubts)
    if outcome.quotes_unseen:
        doubts.append(f"{outcome.quotes_unseen:,} posts quote one that was not recorded, whose content X looks at, too")
    lines = [render(header, rows, right=header[1:]), "", "; ".join(notes) + ".", basis]
    if doubts:
        lines += ["X may count otherwise:", *(f"- {doubt}" for doubt in doubts)]
    return "\n".join(lines)


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
    """The lines that are not blank, of plain or compressed pieces; a torn end comes as a line of its own."""
    content = Content(source)
    yield from (line for line in content.lines() if line.strip())
    if content.rest.strip():
        yield content.rest
    if content.ending != "whole":
        yield b"{torn"
