"""The words of a text, in every script, as a reader would tell them apart."""

from __future__ import annotations

import re
from functools import cache

from sfm_stream.matching.characters import JOINERS, VARIATIONS, counts_as_word, fold, marks

SEAM = "\0"
"""Stands between two texts, so that no phrase crosses it."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_ASCII_TOKEN = re.compile(r"\w+", re.ASCII)


def tokenize(text: str) -> list[str]:
    """The words of a text, in order, folded for comparison."""
    folded = fold(text)
    if folded.isascii():
        return _ASCII_TOKEN.findall(folded)
    for sign in VARIATIONS:
        folded = folded.replace(sign, "")
    found = _token_pattern().findall(folded)
    return [token for token in found if len(token) > 1 or counts_as_word(token)]


@cache
def _token_pattern() -> re.Pattern[str]:
    """A keycap; a sign of an unspaced script with its marks; a word, with its marks and joiners; any other sign."""
    letter, more = rf"[^\W{_UNSPACED}]", rf"(?![\x00-\x7f\u3000-\u9fff])[{marks()}{JOINERS}]"
    return re.compile(rf"[#*0-9]\u20e3|[{_UNSPACED}](?:{more})*|{letter}+(?:(?:{more})+{letter}*)*|[^\w\s\x00-\x7f]")


def is_unspaced(text: str) -> bool:
    """Whether any of `text` is in a script written without blanks, in which X finds word breaks by rules of its own."""
    return re.search(f"[{_UNSPACED}]", text) is not None
