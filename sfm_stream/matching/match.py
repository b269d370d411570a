"""Whether a post matches a query, for sources that match nothing, or not this, by themselves.

The language is what makes sense everywhere: words, phrases, #tags, @accounts, ``from:``, ``to:``, ``lang:``, ``url:``,
``has:`` and ``is:``, with AND by a blank, OR, ``-`` and parentheses. Words are compared without case; they are those
of a reader, in every script (`sfm_stream.matching.tokens`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec

from sfm_stream.matching.characters import AT_SIGNS, HASH_SIGNS, QUOTES, fold, is_searchable
from sfm_stream.matching.expression import And, Not, Or, Query, QueryError, Term, cut, structure, terms
from sfm_stream.matching.tokens import SEAM, tokenize
from sfm_stream.matching.view import View
from sfm_stream.settings.faults import nearest

Predicate = Callable[["TokenizedPost"], bool]
"""A query made ready: whether a post matches it."""

HAS: dict[str, Callable[[View], bool]] = {
    "hashtags": lambda view: bool(view.tags),
    "images": lambda view: "image" in view.media,
    "links": lambda view: bool(view.links),
    "media": lambda view: bool(view.media),
    "mentions": lambda view: bool(view.mentions),
    "videos": lambda view: "video" in view.media,
}
IS: dict[str, Callable[[View], bool]] = {
    "quote": lambda view: view.quote,
    "reply": lambda view: view.reply,
    "repost": lambda view: view.repost,
}
OPERATORS = ("from", "has", "is", "lang", "to", "url")
_OPERATOR = re.compile(r"([A-Za-z_]+):(.*)", re.DOTALL)
_PHRASE = re.compile(r'"([^"]*)"')


class TokenizedPost:
    """A post with its words, found out once."""

    def __init__(self, view: View) -> None:
        self.view = view
        words: list[str] = []
        for text in view.texts:
            words += tokenize(text)
            words.append(SEAM)
        self.set = frozenset(words)
        # Blanks around each word make finding a phrase one search in a text, without matching parts of words.
        self.running = f" {' '.join(words)} "


def parse(text: str) -> Query:
    """The structure of a query.

    Raises:
        QueryError: It is none; the message says what to do about it.
    """
    return structure(text, _TermReader())


def compile_query(query: Query) -> Predicate:
    """Prepares a query for many posts."""
    match query:
        case Term():
            return _term(query)
        case Not(term=term):
            test = _term(term)
            return lambda post: not test(post)
        case And(parts=parts):
            return _all([compile_query(part) for part in parts])
        case Or(parts=parts):
            return any_of([compile_query(part) for part in parts])


def track(entry: str) -> Predicate:
    """An entry of ``track``: its parts between commas are alternatives, and the words of a part must all occur."""
    return any_of([_all([_word(word) for word in part.split()]) for part in entry.split(",") if part.strip()])


def tag(name: str) -> Predicate:
    """A hashtag, with or without its #."""
    wanted = fold(name.lstrip(HASH_SIGNS))
    return lambda post: wanted in post.view.tags


def author(name: str) -> Predicate:
    """Posts by an account."""
    return _in("author", name.lstrip(AT_SIGNS))


def languages(codes: Iterable[str]) -> Predicate:
    """Posts that claim any of these languages; ``pt`` stands for ``pt-BR`` too."""
    wanted = [code.casefold() for code in codes]
    return lambda post: any(lang == code or lang.startswith(f"{code}-") for lang in post.view.langs for code in wanted)


def any_of(tests: list[Predicate]) -> Predicate:
    """What any of the tests takes."""
    if len(tests) == 1:
        return tests[0]
    return lambda post: any(test(post) for test in tests)


def _all(tests: list[Predicate]) -> Predicate:
    if len(tests) == 1:
        return tests[0]
    return lambda post: all(test(post) for test in tests)


def _word(text: str) -> Predicate:
    """A word of a ``track`` entry, which may be a tag."""
    if text[:1] in HASH_SIGNS and len(text) > 1:
        return tag(text)
    return _phrase(text.replace('"', ""))


def _phrase(text: str) -> Predicate:
    words = tokenize(text)
    if len(words) == 1:
        word = words[0]
        return lambda post: word in post.set
    phrase = f" {' '.join(words)} "
    return lambda post: bool(words) and phrase in post.running


def _url(value: str) -> Predicate:
    wanted = value.casefold()
    return lambda post: any(wanted in link.casefold() for link in post.view.links)


def _of_view(test: Callable[[View], bool]) -> Predicate:
    return lambda post: test(post.view)


def _in(part: str, value: str) -> Predicate:
    wanted = fold(value)
    return lambda post: wanted in getattr(post.view, part)


def _term(term: Term) -> Predicate:
    value = term.value
    match term.operator:
        case "word" | "phrase":
            return _phrase(value)
        case "#":
            return tag(value)
        case "@":
            return _in("mentions", value)
        case "from":
            return _in("author", value.lstrip(AT_SIGNS))
        case "to":
            return _in("to", value.lstrip(AT_SIGNS))
        case "lang":
            return languages([value])
        case "url":
            return _url(value)
        case "has":
            return _of_view(HAS[value])
        case _:
            return _of_view(IS[value])


class _TermReader:
    """See `sfm_stream.matching.expression.TermReader`."""

    def phrase(self, text: str, position: int) -> tuple[Term, int]:
        """Words one after the other."""
        match = _PHRASE.match(text, position)
        if match is None:
            raise QueryError('a closing " is missing')
        return Term("phrase", _searchable(match[1])), match.end()

    def bare(self, text: str, position: int, run: str) -> tuple[Term, int]:  # noqa: ARG002 - no values in quotes
        """A word, a tag, an account or an operator."""
        end = position + len(run)
        if not set(QUOTES).isdisjoint(run):
            raise QueryError(f'{cut(run)} has quotes of another kind: write straight ones, as in "polling station"')
        if run[0] in HASH_SIGNS and len(run) > 1:
            return Term("#", run[1:]), end
        if run[0] in AT_SIGNS and len(run) > 1:
            return Term("@", run[1:]), end
        if run.lower() in {"and", "or"} or run == "NOT":
            raise QueryError(
                f'{run} is no word here: a blank is AND, OR is OR, - is NOT; write "{run.lower()}" to look for the word'
            )
        if found := _OPERATOR.fullmatch(run):
            return self._operator(found[1], found[2], run), end
        return Term("word", _searchable(run)), end

    def check_negation(self, term: Term, *, negated: bool) -> None:
        """Everything may be negated."""

    @staticmethod
    def _operator(name: str, value: str, run: str) -> Term:
        if name not in OPERATORS or value.startswith("//"):
            hint = nearest(f"{name}:", [f"{each}:" for each in OPERATORS])
            raise QueryError(f'unknown operator {cut(run)!r}; {hint}, or put "{cut(run)}" in quotes if it is text')
        if not value:
            raise QueryError(f"{name}: needs a value right after it")
        known = {"has": HAS, "is": IS}.get(name)
        if known is not None and value not in known:
            raise QueryError(f"unknown value in {cut(run)!r}; {nearest(value, known)}")
        return Term(name, value)


def _searchable(text: str) -> str:
    if not is_searchable(text):
        raise QueryError(f"{cut(text)!r} is nothing to look for: a letter, digit or emoji is needed")
    return text


def by_id(query: Query, identity: Callable[[str], str]) -> Query:
    """The query with what `identity` gives in the place of each account that it names, without its @."""
    match query:
        case Term(operator="from" | "to" | "@", value=value):
            return msgspec.structs.replace(query, value=identity(value.lstrip(AT_SIGNS)))
        case Term():
            return query
        case Not(term=term):
            named = by_id(term, identity)
            assert isinstance(named, Term), "a term stays one"  # noqa: S101
            return Not(named)
        case And(parts=parts) | Or(parts=parts):
            return type(query)(tuple(by_id(part, identity) for part in parts))


def accounts(query: Query) -> list[str]:
    """The accounts that a query names in ``from:``, ``to:`` and ``@``, as written."""
    return [term.value.lstrip(AT_SIGNS) for term in terms(query) if term.operator in ("from", "to", "@")]
