"""What looks like a secret, so that it is not shown where somebody has put one in the wrong place."""

from __future__ import annotations

import re
from itertools import pairwise

HIDDEN = "***"
NAME_LENGTH = 64
"""The longest name that is allowed anywhere; what is longer in the place of a name may well be a secret."""

SECRET_KEY = re.compile(r"(?i)token|secret|password|consumer_key|api_?key")
"""What the names of keys look like whose values are secrets."""
_WORD = re.compile(r"[A-Za-z0-9%+/=_~.-]{16,}")
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_BEARER = "A" * 12
"""How the bearer tokens of X begin."""
_MIXED = 0.3
"""Of two neighbouring signs in random letters and digits, two in three to two in five are of different kinds (capital,
small, digit); in names that people give, one in five at most."""


def looks_like_secret(text: str) -> bool:
    """Whether a part of the text is as long or as mixed as no word is."""
    runs = _RUN.findall(text)
    return _BEARER in text or any(len(run) > NAME_LENGTH or _mixed(run) >= _MIXED for run in runs)


def scrub(text: str) -> str:
    """The text with a mask in place of each word that looks like a secret."""
    return _WORD.sub(lambda word: HIDDEN if looks_like_secret(word[0]) else word[0], text)


def shown_name(name: str) -> str:
    """A name in quotes, if it is none that may be a secret."""
    return f"<hidden: {len(name)} characters that look like a secret>" if is_hidden(name) else f"{name!r}"


def is_hidden(name: str) -> bool:
    """Whether `shown_name` hides it."""
    return len(name) > NAME_LENGTH or looks_like_secret(name)


def _mixed(run: str) -> float:
    kinds = ["digit" if sign.isdigit() else "capital" if sign.isupper() else "small" for sign in run]
    return sum(one != other for one, other in pairwise(kinds)) / (len(run) - 1)
