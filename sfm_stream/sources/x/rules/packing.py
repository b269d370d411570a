"""Which rules X is to hold for a filter, given those it holds already: so that one edit changes one rule.

X takes rules of a limited length, so a long list of words or accounts is packed into several. Repacked, one added
word would shift all that come after it into other rules, and each of these would have to be deleted and added again.
So rules that X holds stay as they are as long as all in them is wanted, and only what is missing is packed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from sfm_stream.sources.x.rules.compiler import XRule, alternatives, compile_rule, own_tag, pack
from sfm_stream.sources.x.settings import Rule, XStream

_TOKEN = re.compile(r'"[^"]*"|[()]| OR ')


class Tagged(Protocol):
    """A rule, wanted or live."""

    @property
    def value(self) -> str:
        """The query."""

    @property
    def tag(self) -> str:
        """What X sends with each post that it matches."""


def terms(value: str) -> list[str]:
    """The alternatives of a query: what stands between its OR, outside of quotes and groups."""
    if "(" not in value and '"' not in value:
        return value.split(" OR ")
    found, start, depth = [], 0, 0
    for token in _TOKEN.finditer(value):
        if token[0] == "(":
            depth += 1
        elif token[0] == ")":
            depth -= 1
        elif token[0] == " OR " and depth == 0:
            found.append(value[start : token.start()])
            start = token.end()
    return [*found, value[start:]]


def digest(rules: Iterable[Tagged]) -> str:
    """Names what rules match, and under which tags, however it is packed: sha256 in hex."""
    asked = {(rule.tag, term) for rule in rules for term in terms(rule.value)}
    return hashlib.sha256("\n".join(f"{tag}\t{term}" for tag, term in sorted(asked)).encode()).hexdigest()


def wanted_rules(stream: XStream, live: Iterable[Tagged], room: int) -> tuple[XRule, ...]:
    """The rules that X must hold for `stream`, in the order declared.

    Args:
        stream: The filter.
        live: What X holds of it.
        room: The most rules it may have. What was packed loosely by many edits is repacked where it must be.

    Raises:
        TooLongError: An alternative exceeds `stream.rule_length` and cannot be split.
    """
    held: dict[str, list[str]] = {}
    for rule in live:
        held.setdefault(rule.tag, []).append(rule.value)
    tags = {rule.name: own_tag(stream.name, rule.name) for rule in stream.rules}
    fresh = {rule.name: compile_rule(rule, stream.rule_length) for rule in stream.rules}
    packed = {rule.name: _values(rule, held.get(tags[rule.name], ()), stream.rule_length) for rule in stream.rules}
    if len({value for values in packed.values() for value in values}) < _count(packed):
        packed = dict(fresh)  # X refuses the same value twice, even under another tag
    for name in sorted(packed, key=lambda name: len(fresh[name]) - len(packed[name])):
        if _count(packed) > room and len(fresh[name]) < len(packed[name]):
            packed[name] = fresh[name]
    return tuple(XRule(value=value, tag=tags[name]) for name, values in packed.items() for value in values)


def repack(wanted: Sequence[str], live: Iterable[str], length: int) -> list[str]:
    """Queries that together have exactly the alternatives `wanted`, and as many of the `live` ones as can stay.

    One live query at most, the shortest, is opened to take in new alternatives.
    """
    place = {term: number for number, term in enumerate(wanted)}
    missing = dict.fromkeys(wanted)
    kept: list[str] = []
    for value in sorted(live, key=lambda value: (-len(value), value)):
        held = terms(value)
        if len(value) <= length and all(term in place for term in held) and any(term in missing for term in held):
            kept.append(value)
            for term in held:
                missing.pop(term, None)
    new = list(pack(missing, length))
    if new and kept:
        opened = sorted({*missing, *terms(kept[-1])}, key=place.__getitem__)
        if len(joined := list(pack(opened, length))) <= len(new):
            kept, new = kept[:-1], joined
    return sorted([*kept, *new], key=lambda value: place[terms(value)[0]])


def _values(rule: Rule, live: Iterable[str], length: int) -> list[str]:
    if rule.query is not None:
        return compile_rule(rule, length)
    return repack(list(dict.fromkeys(alternatives(rule))), live, length)


def _count(packed: dict[str, list[str]]) -> int:
    return sum(map(len, packed.values()))
