"""Reads the rule language of X's filtered stream.

A blank is AND and binds tighter than OR; ``-`` negates the one operator after it; parentheses
group; quotes make a phrase. Which operators there are, and which of them an account may use, is for X to say: this
judges the language alone.
"""

from __future__ import annotations

import re

from sfm_stream.matching.characters import AT_SIGNS, HASH_SIGNS, QUOTES, is_hashtag, is_searchable
from sfm_stream.matching.expression import And, Not, Or, Query, QueryError, Term, cut, structure, terms
from sfm_stream.sources.x.rules.operators import read_value

__all__ = ["And", "Not", "Or", "Query", "QueryError", "Term", "parse", "terms"]

_NEEDS_COMPANY = frozenset({"embedding_threshold", "has", "is", "lang", "sample"})
_NEVER_NEGATED = frozenset({"embedding", "sample"})

_OPERATOR = re.compile(r"([A-Za-z_]+):(.*)", re.DOTALL)
_PHRASE = re.compile(r'"([^"]*)"(?:~(\d{1,3}))?', re.ASCII)
_MENTION = re.compile(rf"[{AT_SIGNS}]\w{{1,20}}", re.ASCII)
_CASHTAG = re.compile(r"\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?")


def parse(text: str) -> Query:
    """The structure of a rule.

    Raises:
        QueryError: X would refuse it: of any text, this is the only error.
    """
    query = structure(text, _TermReader())
    if not _stands_alone(query):
        raise QueryError(
            "has:, is:, lang:, sample:, embedding_threshold: and what is negated cannot stand alone: "
            "put a word, a phrase or another operator beside them, in every alternative"
        )
    return query


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


def _phrase(text: str, position: int) -> tuple[Term, int]:
    match = _PHRASE.match(text, position)
    if match is None:
        raise QueryError('a closing " is missing')
    if not is_searchable(match[1]):
        raise QueryError(f'"{cut(match[1])}" has nothing to look for: a letter, digit or emoji is needed')
    if match[2] is None:
        return Term("phrase", match[1]), match.end()
    if not 1 <= int(match[2]) <= 6:
        raise QueryError(f"~{match[2]}: from ~1 to ~6 is allowed")
    return Term("near", match[1], (float(match[2]),)), match.end()


def _bare(text: str, position: int, run: str) -> tuple[Term, int]:
    """A word, a tag or an operator with its value, and where it ends."""
    end = position + len(run)
    if run[0] in f"{HASH_SIGNS}{AT_SIGNS}$" and len(run) > 1:
        return _tag(run), end
    if match := _OPERATOR.fullmatch(run):
        name, start = match[1], position + len(match[1]) + 1
        if match[2].startswith("//"):
            raise QueryError(f'put an address in quotes, after url: as in url:"{cut(run)}"')
        value, end = _value(text, start, match[2])
        if not value.strip():
            raise QueryError(f"{cut(name)}: needs a value right after it")
        return read_value(name, value), end
    if not set(QUOTES).isdisjoint(run):
        raise QueryError(f'{cut(run)} has quotes of another kind: X reads only straight ones, as in "polling station"')
    if ":" in run:
        raise QueryError(f'put "{cut(run)}" in quotes: X reads what stands before a : as an operator')
    if run.lower() in {"and", "or"}:
        raise QueryError(
            f'{run} is no word here: a blank is AND, OR is OR; write "{run.lower()}" to look for the word itself'
        )
    if run == "NOT":
        raise QueryError('NOT is no operator: write -word; write "not" to look for the word itself')
    if not is_searchable(run):
        raise QueryError(f"{cut(run)} is nothing to look for: a letter, digit or emoji is needed")
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
    if run[0] in HASH_SIGNS:
        kind, fits, example = "#", is_hashtag(run), "#vote"
    elif run[0] in AT_SIGNS:
        kind, fits, example = "@", _MENTION.fullmatch(run) is not None, "@NWS"
    else:
        kind, fits, example = "$", _CASHTAG.fullmatch(run) is not None, "$TSLA"
    if not fits:
        raise QueryError(f'{cut(run)} is no tag like {example}: write "{cut(run)}" to look for the text')
    return Term(kind, run[1:])


class _TermReader:
    """See `sfm_stream.matching.expression.TermReader`."""

    def phrase(self, text: str, position: int) -> tuple[Term, int]:
        """A phrase, or words near each other."""
        return _phrase(text, position)

    def bare(self, text: str, position: int, run: str) -> tuple[Term, int]:
        """A word, a tag or an operator."""
        return _bare(text, position, run)

    def check_negation(self, term: Term, *, negated: bool) -> None:
        """What X takes only with a - before it, and what never."""
        if term == Term("is", "nullcast") and not negated:
            raise QueryError("is:nullcast can only be negated: write -is:nullcast")
        if term.operator in _NEVER_NEGATED and negated:
            raise QueryError(f"{term.operator}: cannot be negated")
