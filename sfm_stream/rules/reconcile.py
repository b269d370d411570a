"""The pure plan from the rules that X holds to those that a filter wants.

Only rules with this filter's own tags are touched. All others are foreign: what they
match arrives (and is paid for) as well, so they are reported, but they are not ours
to delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from sfm_stream.rules.compiler import XRule, own_tag


class LiveRule(msgspec.Struct, frozen=True):
    """A rule that X holds for the app."""

    id: str
    value: str
    tag: str = ""


class Add(msgspec.Struct, frozen=True):
    """One request that adds rules."""

    rules: tuple[XRule, ...]


class Delete(msgspec.Struct, frozen=True):
    """One request that deletes rules."""

    rules: tuple[LiveRule, ...]


class Changes(msgspec.Struct, frozen=True):
    """What to do, in order, and what was found besides.

    Attributes:
        steps: Requests to make, one after the other.
        kept: Own rules that are live already.
        covered: Wanted rules whose value X holds as a foreign rule: it refuses the same value twice, and the posts
            arrive through that one.
        foreign: Rules that are not this filter's.
    """

    steps: tuple[Add | Delete, ...]
    kept: tuple[LiveRule, ...]
    covered: tuple[XRule, ...]
    foreign: tuple[LiveRule, ...]

    @property
    def added(self) -> tuple[XRule, ...]:
        """All rules that the steps add."""
        return tuple(rule for step in self.steps if isinstance(step, Add) for rule in step.rules)

    @property
    def deleted(self) -> tuple[LiveRule, ...]:
        """All rules that the steps delete."""
        return tuple(rule for step in self.steps if isinstance(step, Delete) for rule in step.rules)


def plan(name: str, wanted: Iterable[XRule], live: Sequence[LiveRule], limit: int) -> Changes:
    """What makes the live rules of filter `name` equal to the wanted ones.

    New rules come before old ones go, so that nothing is missed in between, except where X would refuse that: a
    value that it still holds under another tag, or more rules than `limit` at a time.
    """
    prefix = own_tag(name)
    own = [rule for rule in live if rule.tag.startswith(prefix)]
    foreign = tuple(rule for rule in live if not rule.tag.startswith(prefix))
    foreign_values = {rule.value for rule in foreign}

    missing = dict.fromkeys(wanted)
    kept, stale = [], []
    for rule in own:
        if (match := XRule(value=rule.value, tag=rule.tag)) in missing:
            del missing[match]
            kept.append(rule)
        else:
            stale.append(rule)

    covered = tuple(rule for rule in missing if rule.value in foreign_values)
    new = [rule for rule in missing if rule.value not in foreign_values]
    held = {rule.value for rule in stale}
    first = tuple(rule for rule in new if rule.value not in held)
    if len(live) + len(first) > limit:
        first = ()
    last = tuple(rule for rule in new if rule not in first)
    steps = (Add(first), Delete(tuple(stale)), Add(last))
    return Changes(
        steps=tuple(step for step in steps if step.rules), kept=tuple(kept), covered=covered, foreign=foreign
    )
