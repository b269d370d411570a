"""Boolean expressions: a blank is AND and binds tighter than OR, ``-`` negates, parentheses group.

What stands between these signs is for a `TermReader` to read: that of X's rules, or the one of the sources that do not
match themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

import msgspec

DEPTH = 100
"""Groups may stand in groups this deep; no query has a use for more."""
_TOKEN = re.compile(r"""(?P<blank>\s+)|(?P<sign>[()])|(?P<minus>-)|(?P<quote>")|(?P<bare>[^\s()"]+)""")


class QueryError(ValueError):
    """A text that X would not take; the message says what to do about it."""


class Term(msgspec.Struct, frozen=True):
    """One operator and its value.

    Attributes:
        operator: ``word``, ``phrase``, ``near``, ``#``, ``@``, ``$``, or an operator's name without its colon.
        value: What stands after it, without quotes and brackets.
        numbers: Of ``near``: (distance in words,); of ``sample``: (percent,); of ``point_radius``: (longitude,
            latitude, miles); of ``bounding_box``: (west, south, east, north) in degrees; of the ``_count`` and
            ``min_`` operators: (least, most).
    """

    operator: str
    value: str
    numbers: tuple[float, ...] = ()


class Not(msgspec.Struct, frozen=True):
    """Whatever the term does not match."""

    term: Term


class And(msgspec.Struct, frozen=True):
    """What all of the parts match."""

    parts: tuple[Query, ...]


class Or(msgspec.Struct, frozen=True):
    """What any of the parts matches."""

    parts: tuple[Query, ...]


Query = And | Or | Not | Term


class TermReader(Protocol):
    """Reads the terms of a query."""

    def phrase(self, text: str, position: int) -> tuple[Term, int]:
        """What begins with the quote at `position`, and where it ends."""

    def bare(self, text: str, position: int, run: str) -> tuple[Term, int]:
        """What begins with `run`, which stands at `position`, and where it ends."""

    def check_negation(self, term: Term, *, negated: bool) -> None:
        """Refuses a term that must, or must not, be negated."""


def terms(query: Query) -> Iterator[Term]:
    """All terms of a rule, also those that are negated, in order."""
    match query:
        case Term():
            yield query
        case Not(term=term):
            yield term
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from terms(part)


def structure(text: str, language: TermReader) -> Query:
    """The tree of a query.

    Raises:
        QueryError: It is no query of the language; of any text, this is the only error.
    """
    # A stack of its own, so that any depth of parentheses is an error and not a crash: a group is a list of
    # alternatives, each a list of parts.
    stack: list[list[list[Query]]] = [[[]]]
    for item in _items(text, language):
        match item:
            case "(":
                stack.append([[]])
                if len(stack) > DEPTH:
                    raise QueryError(f"groups stand more than {DEPTH} deep: take some parentheses away")
            case ")":
                if len(stack) == 1:
                    raise QueryError("an opening ( is missing, or this ) is one too many")
                group = _close(stack.pop())
                stack[-1][-1].append(group)
            case "OR":
                if not stack[-1][-1]:
                    raise QueryError("OR needs something before it and after it")
                stack[-1].append([])
            case Term() | Not():
                stack[-1][-1].append(item)
    if len(stack) > 1:
        raise QueryError("a closing ) is missing")
    if stack == [[[]]]:
        raise QueryError("it is empty: give a word, a phrase or an operator")
    return _close(stack[0])


def _close(alternatives: list[list[Query]]) -> Query:
    if not alternatives[-1]:
        raise QueryError(
            "OR needs something before it and after it" if alternatives[1:] else "a group () must hold something"
        )
    parts = tuple(part[0] if len(part) == 1 else And(tuple(part)) for part in alternatives)
    return parts[0] if len(parts) == 1 else Or(parts)


def _items(text: str, language: TermReader) -> Iterator[str | Term | Not]:
    """The pieces of a rule: ``(``, ``)``, ``OR``, terms and negated terms."""
    position, negated = 0, False
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None, "the last alternative takes any character left"  # noqa: S101
        kind = match.lastgroup
        if negated and kind in {"blank", "minus"}:
            raise QueryError("a - must stand right before the one thing that it negates")
        if kind == "blank":
            position = match.end()
        elif kind == "minus":
            negated, position = True, match.end()
        elif kind == "sign":
            if negated:
                raise QueryError("no negated groups: write -a -b")
            yield match[0]
            position = match.end()
        elif match[0] == "OR":
            if negated:
                raise QueryError("a - must stand right before the one thing that it negates")
            yield "OR"
            position = match.end()
        else:
            quoted = kind == "quote"
            term, position = language.phrase(text, position) if quoted else language.bare(text, position, match[0])
            language.check_negation(term, negated=negated)
            yield Not(term) if negated else term
            negated = False
    if negated:
        raise QueryError("a - must stand right before the one thing that it negates")


def cut(text: str) -> str:
    """A text as a message shows it."""
    return text if len(text) <= 40 else f"{text[:39]}…"
