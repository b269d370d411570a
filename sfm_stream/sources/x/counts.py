"""What X counts of a filter's rules before anything is paid for a post: the last seven days, rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sfm_stream.sources.x import api
from sfm_stream.sources.x.client import Client, XRefused
from sfm_stream.sources.x.refusals import RefusalKind
from sfm_stream.sources.x.rules.compiler import compile_rules
from sfm_stream.sources.x.settings import XCredential, XStream

DAYS = 7
"""X counts as many, up to now."""


class Counted(NamedTuple):
    """What X said of one rule.

    Attributes:
        tag: The rule's.
        posts: In the last seven days; None where X does not count it.
        why: Why not.
    """

    tag: str
    posts: int | None
    why: str = ""


def count_rules(stream: XStream, credential: XCredential) -> list[Counted]:
    """Asks X once for each rule.

    Raises:
        XRefused, Dropped: X could not be asked, or does not count for this account.
    """
    client = Client(api.bearer_token(credential, stream.api_url), stream.api_url)
    found = []
    for rule in compile_rules(stream):
        try:
            found.append(Counted(rule.tag, api.recent_count(client, rule.value)))
        except XRefused as refused:
            # What a stream matches, a search may not: X then has something against this one rule.
            if refused.refusal.kind is not RefusalKind.INVALID:
                raise
            found.append(Counted(rule.tag, None, str(refused)))
    return found


def report(counted: Sequence[Counted], days: float, price: float) -> str:
    """The counts for a person: a table of the rules, and between what a filter's cost lies.

    Args:
        counted: Of each rule.
        days: For how long.
        price: Dollars a post.
    """
    from sfm_stream.table import render

    numbers = [each.posts for each in counted if each.posts is not None]
    rows = [(each.tag, *_numbers(each.posts, days, price)) for each in counted]
    header = ("RULE", "POSTS IN 7 DAYS", f"IN {days:g} DAYS", "COST")
    lines = [render(header, rows, right=header[1:]), ""]
    lines += [f"X does not count the rule {each.tag}: {each.why}" for each in counted if each.posts is None]
    if numbers:
        least, most = (number * days / DAYS for number in (max(numbers), sum(numbers)))
        # A post that several rules match is sent, and charged, once.
        posts, cost = f"{least:,.0f}", f"${least * price:,.2f}"
        if most > least:
            posts, cost = f"{posts} to {most:,.0f}", f"{cost} to ${most * price:,.2f}"
        lines.append(f"Together {posts} posts in {days:g} days, at ${price:g} each: {cost}.")
    lines.append(
        "A lower bound: X's counts leave out what was deleted since, and the days to come may be busier than these. "
        "What holds the cost down is a budget in the inventory."
    )
    return "\n".join(lines)


def _numbers(posts: int | None, days: float, price: float) -> tuple[str | None, str | None, str | None]:
    if posts is None:
        return None, None, None
    ahead = posts * days / DAYS
    return f"{posts:,}", f"{ahead:,.0f}", f"${ahead * price:,.2f}"
