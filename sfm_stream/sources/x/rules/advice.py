"""What a track entry or a query will be to X, wherever that may not be what was meant, and how to say the other thing.

These are warnings: each text is one that X may well take, and somebody may want it as it is.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator

from sfm_stream.matching.characters import (
    HASH_SIGNS,
    LOST,
    QUOTES,
    VARIATIONS,
    code_point,
    invisible,
    is_hashtag,
    is_pictographs,
    is_searchable,
    is_word,
)
from sfm_stream.matching.expression import QueryError, Term, cut, terms
from sfm_stream.matching.tokens import tokenize
from sfm_stream.settings.faults import Fault, nearest, show
from sfm_stream.sources.x.rules.compiler import alternatives, quote, readable
from sfm_stream.sources.x.rules.operators import ENTERPRISE, HAS, IS, LANGUAGES, SEARCH_ONLY, VALUES, Box, longest_side
from sfm_stream.sources.x.rules.query import parse
from sfm_stream.sources.x.settings import Rule

LONGEST = 25
"""Miles: X's older documentation allows no longer side of a box, and no longer radius; today's is silent."""

_NUMBER_WITH_COMMA = re.compile(r"(?<!\d)\d{1,3}(?:,\d{3})+(?!\d)")
_OTHER_COMMAS = re.compile("[\uff0c\u3001\ufe50\ufe51\uff64\u060c]")
_QUOTES = re.compile(f"[{QUOTES}]")
_SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
_MINUS = "-\u2212\u2013"
_OPERATOR = re.compile(rf"-?\(?({'|'.join(sorted(VALUES))}):\S+")
_LANGUAGES_TODAY = {"fil": "tl", "he": "iw", "id": "in", "nb": "no", "nn": "no", "zh": "zh-CN and zh-TW"}
_NAMES = {"has": HAS, "is": IS, "lang": LANGUAGES}


def on_entry(entry: str, where: str) -> Iterator[Fault]:
    """Warnings about an entry of ``track``: all of its words are text, whatever they mean elsewhere."""
    yield from _unseen(entry, where)
    made = " OR ".join(alternatives(Rule(name="", track=(entry,))))
    for problem, fix in _in_entry(entry):
        yield Fault(where=where, problem=f"found {show(entry)}, which becomes {cut(made)}: {problem}", fix=fix)


def _in_entry(entry: str) -> Iterator[tuple[str, str]]:
    words = [word for part in readable(entry).split(",") for word in part.split()]
    if _QUOTES.search(entry):
        phrase = " ".join(_QUOTES.sub(" ", entry).split())
        yield "quotes mean nothing in track", "for the exact phrase " + _give(f'"{phrase}"')
    if any(word[0] == "(" or word[-1] == ")" for word in words):
        yield "parentheses mean nothing in track", _as_query(entry)
    elif "OR" in words or "|" in words:
        apart = [part.strip() for part in re.split(r"\s(?:OR|\|)\s", f" {entry} ")]
        yield "OR is a word like any other in track", f"for either of them make entries of their own: {show(apart)}"
    if "AND" in words:
        together = " ".join(word for word in words if word != "AND")
        yield "AND is a word like any other in track", f"all words of an entry must occur anyway: {show(together)}"
    if "NOT" in words or any(word[0] in _MINUS and is_searchable(word) for word in words):
        yield "nothing can be left out in track", _as_query(entry)
    if found := [word for word in words if _OPERATOR.fullmatch(word)]:
        yield f"{cut(found[0])} is text in track, no operator", _as_query(entry)
    if found := _NUMBER_WITH_COMMA.findall(entry):
        plain = found[0].replace(",", "")
        yield f"the comma in {found[0]} separates two entries", f"write {plain}, or " + _give(f'"{found[0]}"')
    if _OTHER_COMMAS.search(entry):
        apart = [part.strip() for part in _OTHER_COMMAS.split(entry) if part.strip()]
        yield "only an ordinary comma separates entries", f"for any of them make entries of their own: {show(apart)}"
    for word in words:
        yield from _in_track_word(word)


def _in_track_word(word: str) -> Iterator[tuple[str, str]]:
    if not is_searchable(word):
        return
    if word.strip("*") != word:
        yield "X has no wildcards", "make an entry of each form of the word"
    elif word[0] in HASH_SIGNS and not is_hashtag(word):
        yield (
            f"{cut(word)} is no hashtag to X, and is looked for as text",
            "a hashtag has letters, digits and _, and at least one letter",
        )
    elif (quoted := quote(word)) not in {word, f'"{word}"'} or quoted == word:
        return
    elif lost := [edge for edge in (word[0], word[-1]) if edge in LOST or unicodedata.category(edge) in {"Sc", "Sm"}]:
        yield f"X sees no {lost[0]} and looks for {_sought(word)}", "ask for more words, where that is too much"


def _as_query(entry: str) -> str:
    """How to say the same in a query, in which it means something."""
    return _give(re.sub(r"(^|\s)NOT\s+", r"\1-", re.sub(r"\s(AND\s)+", " ", readable(entry))))


def _give(text: str) -> str:
    """Tells to give a query, as YAML has it; or one for an example, where X would refuse it or it cannot be shown."""
    query = readable(text)
    shown = show(query)
    try:
        parse(query)
        whole = json.loads(shown) == query  # neither cut nor masked
    except ValueError:
        whole = False
    if not whole:
        return "give a query, as in query: vote (flood OR storm) -ballot lang:en"
    if '"' in query and query.isprintable():  # easier to read than \" for each; escapes need double quotes
        shown = "'{}'".format(query.replace("'", "''"))
    return f"give query: {shown}"


def on_query(query: str, where: str) -> Iterator[Fault]:
    """Warnings about a query that X's language allows; none where it is refused anyway."""
    yield from _unseen(query, where)
    try:
        found = list(terms(parse(readable(query))))
    except QueryError:
        return
    for term in dict.fromkeys(found):
        for problem, fix in _in_term(term):
            yield Fault(where=where, problem=problem, fix=fix)


def _in_term(term: Term) -> Iterator[tuple[str, str]]:
    name, value = term.operator, term.value
    if name == "word":
        yield from _in_word(value)
    elif name == "bounding_box":
        west, south, east, north = term.numbers
        yield from on_box((west, south, east, north))
    elif name == "point_radius" and term.numbers[2] > LONGEST:
        yield (
            f"point_radius:[{cut(value)}] reaches beyond {LONGEST} miles (40 km), which X has refused in the past",
            "if the program stops with code 66, cover the area with several smaller ones",
        )
    elif name in _NAMES and value not in _NAMES[name]:
        also = f"X has {_LANGUAGES_TODAY[value]} for it" if name == "lang" and value in _LANGUAGES_TODAY else ""
        yield f"{name}:{cut(value)} is not in X's list, and X may refuse it", also or nearest(cut(value), _NAMES[name])
    elif name in ENTERPRISE:
        yield (
            f"{name}: needs an Enterprise account with X's Embedding tier",
            "without it the program stops with code 66",
        )
    elif name in SEARCH_ONLY:
        yield (
            f"{name}: is listed for X's search, and not in its table for the stream",
            "if the program stops with code 66, leave it out",
        )
    elif len(name) > 1 and name not in VALUES and name not in {"phrase", "near"}:
        hint = nearest(f"{cut(name)}:", [f"{each}:" for each in VALUES])
        if hint.startswith("known"):
            hint = f'put "{cut(f"{name}:{value}")}" in quotes if it is text'
        yield f"{cut(name)}: is no operator known here, and X may refuse it", hint


def _in_word(word: str) -> Iterator[tuple[str, str]]:
    if is_word(word) or is_pictographs(word):
        return
    if "*" in word:
        yield f"found {cut(word)}, and X has no wildcards", "give each form of the word, with OR between them"
    elif word[0] in _SINGLE_QUOTES or word[-1] in _SINGLE_QUOTES:
        yield f"found {cut(word)}, and X reads only double quotes", 'write a phrase as in "polling station"'
    elif any(each in VARIATIONS for each in word):
        yield f"X wants quotes around {cut(word)}, an emoji of several signs", f'write "{cut(word)}"'
    else:
        yield (
            f"X may refuse {cut(word)} for its signs, or end the word at them",
            f'write "{cut(word)}" in quotes, which looks for {_sought(word)}',
        )


def _sought(word: str) -> str:
    """What X looks for, of a word with signs in it."""
    seen = tokenize(word)
    return cut(seen[0]) if len(seen) == 1 else f"{cut(' '.join(seen))}, one after the other"


def on_box(box: Box) -> Iterator[tuple[str, str]]:
    """What is to be said, and done, about a box whose sides X may find too long."""
    if longest_side(box) > LONGEST:
        yield (
            f"a side is longer than {LONGEST} miles, which X has refused in the past",
            "if the program stops with code 66, cut the box into smaller ones",
        )


def _unseen(text: str, where: str) -> Iterator[Fault]:
    if signs := invisible(text):
        yield Fault(
            where=where,
            problem=f"found {show(text)} with {', '.join(map(code_point, signs))}, which nobody sees",
            fix="it does not go to X; type the text again to be rid of it",
        )
