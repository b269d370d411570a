"""Reads the rule language of X's filtered stream.

A blank is AND and binds tighter than OR; ``-`` negates the one operator after it; parentheses
group; quotes make a phrase. The operators are those of X's table for the filtered stream.
Which of them an account may use is for X to say: this judges the language alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import NoReturn

import msgspec

from sfm_stream.faults import nearest

DEPTH = 100
"""Groups may stand in groups this deep; no rule that fits X's length has a use for more."""


class QueryError(ValueError):
    """A text that X would not take; the message says what to do about it."""


class Term(msgspec.Struct, frozen=True):
    """One operator and its value.

    Attributes:
        operator: ``word``, ``phrase``, ``near``, ``#``, ``@``, ``$``, or an operator's name without its colon.
        value: What stands after it, without quotes and brackets.
        numbers: Of ``near``: (distance in words,); of ``sample``: (percent,); of ``point_radius``: (longitude,
            latitude, miles); of ``bounding_box``: (west, south, east, north) in degrees; of the ``_count``
            operators: (least, most).
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

HAS = ("cashtags", "geo", "hashtags", "images", "links", "media", "mentions", "video_link", "videos")
IS = ("nullcast", "quote", "reply", "retweet", "verified")
_NEEDS_COMPANY = frozenset({"has", "is", "lang", "sample"})

_KILOMETRES_PER_MILE = 1.609344
_NUMBER = r"[-+]?\d{1,3}(?:\.\d{1,15})?"
_TOKEN = re.compile(r"""(?P<blank>\s+)|(?P<sign>[()])|(?P<minus>-)|(?P<quote>")|(?P<bare>[^\s()"]+)""")
_OPERATOR = re.compile(r"([A-Za-z_]+):(.*)", re.DOTALL)
_PHRASE = re.compile(r'"([^"]*)"(?:~(\d{1,3}))?', re.ASCII)
_HASHTAG = re.compile(r"#\w*[^\W\d]\w*")
_MENTION = re.compile(r"@\w{1,20}", re.ASCII)
_CASHTAG = re.compile(r"\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?")


def parse(text: str) -> Query:
    """The structure of a rule.

    Raises:
        QueryError: X would refuse it: of any text, this is the only error.
    """
    query = _structure(text)
    if not _stands_alone(query):
        raise QueryError(
            "has:, is:, lang:, sample: and what is negated cannot stand alone: "
            "put a word, a phrase or another operator beside them, in every alternative"
        )
    return query


def _structure(text: str) -> Query:
    """Builds the tree with a stack of its own: a group is a list of alternatives, each a list of parts."""
    stack: list[list[list[Query]]] = [[[]]]
    for item in _items(text):
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


def _stands_alone(query: Query) -> bool:
    """Whether each alternative holds something that X takes by itself."""
    match query:
        case Term(operator=operator):
            return operator not in _NEEDS_COMPANY
        case Not():
            return False
        case And(parts=parts):
            return any(map(_stands_alone, parts))
        case Or(parts=parts):
            return all(map(_stands_alone, parts))


def _items(text: str) -> Iterator[str | Term | Not]:
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
            term, position = _phrase(text, position) if kind == "quote" else _bare(text, position, match[0])
            if term == Term("is", "nullcast") and not negated:
                raise QueryError("is:nullcast can only be negated: write -is:nullcast")
            if term.operator == "sample" and negated:
                raise QueryError("sample: cannot be negated")
            yield Not(term) if negated else term
            negated = False
    if negated:
        raise QueryError("a - must stand right before the one thing that it negates")


def _phrase(text: str, position: int) -> tuple[Term, int]:
    match = _PHRASE.match(text, position)
    if match is None:
        raise QueryError('a closing " is missing')
    if not _searchable(match[1]):
        raise QueryError(f'"{_cut(match[1])}" has nothing to look for: a letter, digit or emoji is needed')
    if match[2] is None:
        return Term("phrase", match[1]), match.end()
    if not 1 <= int(match[2]) <= 6:
        raise QueryError(f"~{match[2]}: from ~1 to ~6 is allowed")
    return Term("near", match[1], (float(match[2]),)), match.end()


def _bare(text: str, position: int, run: str) -> tuple[Term, int]:
    """A word, a tag or an operator with its value, and where it ends."""
    end = position + len(run)
    if run[0] in "#@$" and len(run) > 1:
        return _tag(run), end
    if match := _OPERATOR.fullmatch(run):
        name, start = match[1], position + len(match[1]) + 1
        read = _VALUES.get(name)
        if read is None:
            _refuse_operator(name, run)
        value, end = _value(text, start, match[2])
        if not value.strip():
            raise QueryError(f"{name}: needs a value right after it")
        return read(name, value), end
    if ":" in run:
        raise QueryError(f'put "{_cut(run)}" in quotes: X reads what stands before a : as an operator')
    if run.lower() in {"and", "or"}:
        raise QueryError(
            f'{run} is no word here: a blank is AND, OR is OR; write "{run.lower()}" to look for the word itself'
        )
    if run == "NOT":
        raise QueryError('NOT is no operator: write -word; write "not" to look for the word itself')
    if not _searchable(run):
        raise QueryError(f"{_cut(run)} is nothing to look for: a letter, digit or emoji is needed")
    return Term("word", run), end


def _value(text: str, start: int, run: str) -> tuple[str, int]:
    """An operator's value, which may be in quotes or brackets and then hold blanks; and where it ends."""
    opening = text[start : start + 1]
    if opening not in {'"', "["}:
        return run, start + len(run)
    closing = '"' if opening == '"' else "]"
    end = text.find(closing, start + 1)
    if end < 0:
        raise QueryError(f"a closing {closing} is missing")
    return text[start + 1 : end], end + 1


def _tag(run: str) -> Term:
    kind, example = {"#": (_HASHTAG, "#vote"), "@": (_MENTION, "@NWS"), "$": (_CASHTAG, "$TSLA")}[run[0]]
    if not kind.fullmatch(run):
        raise QueryError(f'{_cut(run)} is no tag like {example}: write "{_cut(run)}" to look for the text')
    return Term(run[0], run[1:])


def _refuse_operator(name: str, run: str) -> NoReturn:
    hint = nearest(f"{_cut(name)}:", [f"{each}:" for each in _VALUES])
    if hint.startswith("known"):
        hint = f'put "{_cut(run)}" in quotes if it is text'
    raise QueryError(f"unknown operator {_cut(name) + ':'!r}; {hint}")


def _searchable(text: str) -> bool:
    return bool(re.search(r"\w", text)) or any(unicodedata.category(each) == "So" for each in text)


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _any(name: str, value: str) -> Term:
    return Term(name, value)


def _pattern(pattern: str, allowed: str) -> Callable[[str, str], Term]:
    compiled = re.compile(pattern, re.ASCII)

    def read(name: str, value: str) -> Term:
        if not compiled.fullmatch(value):
            raise QueryError(f"{name}:{_cut(value)}: {allowed}")
        return Term(name, value)

    return read


def _one_of(known: tuple[str, ...]) -> Callable[[str, str], Term]:
    def read(name: str, value: str) -> Term:
        if value not in known:
            raise QueryError(f"{name}:{_cut(value)} does not exist; {nearest(_cut(value), known)}")
        return Term(name, value)

    return read


def _sample(name: str, value: str) -> Term:
    if not re.fullmatch(r"0*[1-9]\d?|100", value, re.ASCII):
        raise QueryError(f"{name}:{_cut(value)}: a whole percentage from 1 to 100 is needed")
    return Term(name, value, (float(value),))


def _count(name: str, value: str) -> Term:
    match = re.fullmatch(r"(\d{1,12})(?:\.\.(\d{1,12}))?", value, re.ASCII)
    if match is None:
        raise QueryError(f"{name}:{_cut(value)}: a number or a range like 1000..5000 is needed")
    least, most = float(match[1]), float(match[2]) if match[2] else float("inf")
    if least > most:
        raise QueryError(f"{name}:{_cut(value)}: the smaller number must come first")
    return Term(name, value, (least, most))


def _bounding_box(name: str, value: str) -> Term:
    match = re.fullmatch(rf"\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*", value, re.ASCII)
    if match is None:
        raise QueryError(f"{name}:[west south east north] in degrees is needed, found [{_cut(value)}]")
    west, south, east, north = (float(each) for each in match.groups())
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise QueryError(f"{name}: the order is west south east north, longitudes -180 to 180, latitudes -90 to 90")
    return Term(name, value, (west, south, east, north))


def _point_radius(name: str, value: str) -> Term:
    match = re.fullmatch(rf"\s*({_NUMBER})\s+({_NUMBER})\s+(\d{{1,5}}(?:\.\d{{1,6}})?)(mi|km)\s*", value, re.ASCII)
    if match is None:
        raise QueryError(f"{name}:[longitude latitude 10mi] is needed (mi or km), found [{_cut(value)}]")
    longitude, latitude, radius = float(match[1]), float(match[2]), float(match[3])
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90 and radius > 0):
        raise QueryError(f"{name}: longitude -180 to 180 comes first, then latitude -90 to 90, then a radius above 0")
    miles = radius if match[4] == "mi" else radius / _KILOMETRES_PER_MILE
    return Term(name, value, (longitude, latitude, miles))


_account = _pattern(r"\w{1,20}", "an account's name, without @, or its numeric id is needed")
_id = _pattern(r"\d{1,19}", "the numeric id of a post is needed")

_VALUES: dict[str, Callable[[str, str], Term]] = {
    "bio": _any,
    "bio_location": _any,
    "bio_name": _any,
    "bounding_box": _bounding_box,
    "context": _pattern(r"(\d+|\*)\.(\d+|\*)", "domain.entity is needed, two ids, like context:10.799022225751871488"),
    "conversation_id": _id,
    "entity": _any,
    "followers_count": _count,
    "following_count": _count,
    "from": _account,
    "from_affiliate_of": _account,
    "has": _one_of(HAS),
    "in_reply_to_tweet_id": _id,
    "is": _one_of(IS),
    "lang": _pattern(r"[a-z]{2,3}(-[A-Za-z]{2,4})?", "a language code like en or pt is needed"),
    "listed_count": _count,
    "place": _any,
    "place_country": _pattern(r"[A-Za-z]{2}", "a country code of two letters, like US, is needed"),
    "point_radius": _point_radius,
    "quotes_of_tweet_id": _id,
    "retweets_of": _account,
    "retweets_of_tweet_id": _id,
    "sample": _sample,
    "source": _any,
    "to": _account,
    "to_affiliate_of": _account,
    "tweets_count": _count,
    "url": _any,
    "url_contains": _any,
    "url_description": _any,
    "url_title": _any,
}
OPERATORS = frozenset(_VALUES)
"""The names that may stand before a colon."""
