"""Accounts that a filter follows by name, and the ids that stand behind the names.

A name can be changed, and be taken by somebody else: a rule ``from:name`` then falls silent, or follows a stranger. An
id stays. So where a deployment has had the names resolved, the settings hold both (`XStream.accounts`), and the rules
are made with the ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from sfm_stream.sources.x.settings import Rule, XStream

_NUMBER = re.compile(r"\d{1,19}", re.ASCII)


def key(account: str) -> str:
    """What `XStream.accounts` calls an account that is followed by name: without @, in lower case."""
    return account.removeprefix("@").lower()


def is_id(account: str) -> bool:
    """Whether it is an account's id: digits alone."""
    return _NUMBER.fullmatch(account) is not None


def names(rules: Iterable[Rule]) -> list[str]:
    """The accounts that are followed by name, as `key` has them, each once."""
    followed = (key(account) for rule in rules for account in rule.follow)
    return list(dict.fromkeys(name for name in followed if not is_id(name)))


def by_id(stream: XStream) -> XStream:
    """The stream with ids in place of the names that have been resolved."""
    if not stream.accounts:
        return stream
    rules = tuple(
        msgspec.structs.replace(rule, follow=tuple(stream.accounts.get(key(each), each) for each in rule.follow))
        for rule in stream.rules
    )
    return msgspec.structs.replace(stream, rules=rules)
