"""The pure plan from the rules that X holds to those that a filter wants.

Only rules with this filter's own tags are touched. All others are foreign: what they
match arrives (and is paid for) as well, so they are reported, but they are not ours
to delete.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from sfm_stream.sources.x.rules.compiler import XRule, own_tag
from sfm_stream.sources.x.rules.packing import terms

BATCH = 100
"""Rules in one request; X names no limit, and refuses bodies that are too large."""
SLICES = 32
"""In so many slices a thousand rules are replaced by 75 requests; X grants 100 in 15 minutes."""


class LiveRule(msgspec.Struct, frozen=True):
    """A rule that X holds for the app."""

    id: str
    value: str
    tag: str = ""


class Add(msgspec.Struct, frozen=True):
    """Rules to add, `BATCH` at most."""

    rules: tuple[XRule, ...]


class Delete(msgspec.Struct, frozen=True):
    """Rules to delete."""

    rules: tuple[LiveRule, ...]


class Changes(msgspec.Struct, frozen=True):
    """What to do, in order, and what was found besides.

    Attributes:
        steps: Requests to make, one after the other.
        kept: Own rules that are live already.
        covered: Wanted rules whose value X holds as a foreign rule: it refuses the same value twice, and the posts
            arrive through that one.
        foreign: Rules that are not this filter's.
        exposed: The most rules, of those with something that is still wanted, that are missing at a time.
    """

    steps: tuple[Add | Delete, ...]
    kept: tuple[LiveRule, ...]
    covered: tuple[XRule, ...]
    foreign: tuple[LiveRule, ...]
    exposed: int = 0

    @property
    def held(self) -> int:
        """How many rules X held when this was planned, those of others included."""
        return len(self.kept) + len(self.foreign) + len(self.deleted)

    @property
    def added(self) -> tuple[XRule, ...]:
        """All rules that the steps add."""
        return tuple(rule for step in self.steps if isinstance(step, Add) for rule in step.rules)

    @property
    def deleted(self) -> tuple[LiveRule, ...]:
        """All rules that the steps delete."""
        return tuple(rule for step in self.steps if isinstance(step, Delete) for rule in step.rules)


def own_and_foreign(name: str, live: Iterable[LiveRule]) -> tuple[tuple[LiveRule, ...], tuple[LiveRule, ...]]:
    """The rules of filter `name`, and those of others."""
    prefix = own_tag(name)
    rules = tuple(dict.fromkeys(live))
    return (
        tuple(rule for rule in rules if rule.tag.startswith(prefix)),
        tuple(rule for rule in rules if not rule.tag.startswith(prefix)),
    )


def plan(name: str, wanted: Iterable[XRule], live: Iterable[LiveRule], limit: int) -> Changes:
    """What makes the live rules of filter `name` equal to the wanted ones.

    New rules come before the old ones go that they replace, so that nothing is missed in between, except where X would
    refuse that: a value that it still holds under another tag, or more rules than `limit` at a time. There the change
    is made in slices, so that few rules are missing at any moment.
    """
    own, foreign = own_and_foreign(name, live)
    foreign_values = {rule.value for rule in foreign}
    missing = dict.fromkeys(wanted)
    kept, stale = [], []
    for rule in own:
        if (match := XRule(value=rule.value, tag=rule.tag)) in missing:
            del missing[match]
            kept.append(rule)
        else:
            stale.append(rule)
    new = [rule for rule in missing if rule.value not in foreign_values]
    covered = tuple(rule for rule in missing if rule.value in foreign_values)
    held = len(own) + len(foreign)
    if held - len(stale) + len(new) > limit:
        limit = held + len(new)  # X will refuse them, or takes more than we know of: no reason to delete any before
    steps, exposed = _slices(new, stale, held, limit, {term for rule in kept for term in terms(rule.value)})
    return Changes(steps=steps, kept=tuple(kept), covered=covered, foreign=foreign, exposed=exposed)


def lost(before: Iterable[XRule], wanted: Iterable[XRule], live: Iterable[LiveRule]) -> int:
    """How many of the rules held before have something that is still wanted, and that no live rule has."""
    gone = {term for rule in wanted for term in terms(rule.value)}
    gone -= {term for rule in live for term in terms(rule.value)}
    return sum(any(term in gone for term in terms(rule.value)) for rule in before)


def _slices(
    new: Sequence[XRule], stale: Sequence[LiveRule], held: int, limit: int, kept: set[str]
) -> tuple[tuple[Add | Delete, ...], int]:
    """The steps, and the most rules that are missing at a time; `kept` are the terms that stay live throughout."""
    # Where there is room, all new rules fit into it at once; where there is none, a slice is what is missing at a time.
    size = min(BATCH, max(1, limit - held, math.ceil(len(new) / SLICES)))
    needed, last = _replaced_by(new, stale, kept)
    # To make room, those go first whose replacement comes first, and among them those that nothing needs any more.
    queue = sorted(stale, key=lambda rule: (last[rule], rule in needed))
    steps: list[Add | Delete] = []
    early: list[LiveRule] = []
    exposed = 0
    for start in range(0, len(new), size):
        part = tuple(new[start : start + size])
        values = {rule.value for rule in part}
        # X refuses a value that it holds already, if under another tag: that one has to go before.
        first = [rule for rule in queue if rule.value in values]
        too_many = held + len(part) - len(first) - limit
        first += [rule for rule in queue if rule.value not in values][: max(0, too_many)]
        early += first
        # Deleted, and its replacement comes with this slice or a later one: so many are missing while it is added.
        exposed = max(exposed, sum(last[rule] >= start for rule in early if rule in needed))
        gone = set(first)
        queue = [rule for rule in queue if rule not in gone]
        # Everything they matched is matched by rules that are live by then.
        after = [rule for rule in queue if last[rule] < start + len(part)]
        queue = queue[len(after) :]
        held += len(part) - len(first) - len(after)
        steps += [Delete(tuple(first)), Add(part), Delete(tuple(after))]
    steps.append(Delete(tuple(queue)))
    return _merged(steps), exposed


def _replaced_by(
    new: Sequence[XRule], stale: Sequence[LiveRule], kept: set[str]
) -> tuple[set[LiveRule], dict[LiveRule, int]]:
    """Which of the rules that go have something that is still wanted, and after which new one each may go (-1: any)."""
    place: dict[str, int] = {}
    first_of: dict[str, int] = {}
    for number, rule in enumerate(new):
        first_of.setdefault(rule.tag, number)
        place.update(dict.fromkeys(terms(rule.value), number))
    needed: set[LiveRule] = set()
    last: dict[LiveRule, int] = {}
    for old in stale:
        held = terms(old.value)
        places = [place[term] for term in held if term in place and term not in kept]
        if places:
            needed.add(old)
        # A query that is edited shares nothing with the new one, and had better stay until that is there.
        last[old] = max(places) if places else first_of.get(old.tag, -1) if kept.isdisjoint(held) else -1
    return needed, last


def _merged(steps: Iterable[Add | Delete]) -> tuple[Add | Delete, ...]:
    """The steps without empty ones, and neighbours that delete as one."""
    merged: list[Add | Delete] = []
    for step in steps:
        if not step.rules:
            continue
        if merged and isinstance(step, Delete) and isinstance(merged[-1], Delete):
            merged[-1] = Delete(merged[-1].rules + step.rules)
        else:
            merged.append(step)
    return tuple(merged)
