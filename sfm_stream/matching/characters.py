r"""What the signs of a text are to X: parts of words, of hashtags, emoji, or invisible.

Python's ``re`` knows no Unicode categories, and its ``\w`` leaves out the marks: the vowel signs of Devanagari,
Tamil, Bengali or Thai, the points of Hebrew and Arabic. So the categories are asked for here.

Sources: the hashtag expressions of X's own twitter-text library (``hashtagAlpha``, ``hashtagSpecialChars``,
``validHashtag``), and Unicode's general categories.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cache, lru_cache

JOINERS = "\u200c\u200d"
"""ZERO WIDTH NON-JOINER and JOINER: letters in some scripts, and what joins several emoji to one."""
HASH_SIGNS = "#\uff03"
AT_SIGNS = "@\uff20"
QUOTES = '"\uff02\u201c\u201d\u201e\u201f\u00ab\u00bb'
"""Quotes, straight and of other kinds; X's rules know the straight one alone."""
LOST = "%&+=<>/|~^"
"""Signs that people mean, and that X's words do not hold."""
VARIATIONS = "\ufe0e\ufe0f"
"""Ask for a sign as text or as an emoji."""

_TAG_EXTRA = "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
"""What a hashtag may hold besides letters, marks and digits: twitter-text's ``hashtagSpecialChars``."""

_KEYCAP = "\u20e3"
_BLACK_FLAG = "\U0001f3f4"
_JOINING = (
    "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\u1900-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefe"
    "\U00010a00-\U00011fff\U0001e900-\U0001e95f"
)
"""Arabic and its neighbours, the scripts of India and Southeast Asia, Mongolian, Adlam: there a joiner is spelling."""
_EMOJI = "\u2190-\u2bff\U0001f000-\U0001faff"
_SEEN_FORMATS = re.compile(
    rf"[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd]|(?<={_BLACK_FLAG})[\U000e0020-\U000e007f]+"
)
"""Format characters that are seen: number signs of Arabic, Syriac and Kaithi, and what makes a flag England's."""
_NEEDED_JOINERS = re.compile(
    rf"(?<=[{_JOINING}])\u200d|(?<=[{_JOINING}])\u200c(?=[{_JOINING}])|(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])"
)


def visible(text: str) -> str:
    """`text` without the signs that nobody sees and that are no part of its spelling.

    They come along when text is copied: zero-width spaces, byte order marks, marks of direction, soft hyphens, control
    characters, halves of surrogate pairs. A joiner is one of them only where the script or the emoji needs none.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _without(text, _SEEN_FORMATS, lambda sign: sign not in JOINERS and _is_invisible(sign))
    return _without(text, _NEEDED_JOINERS, lambda sign: sign in JOINERS)


def invisible(text: str) -> list[str]:
    """The signs that `visible` leaves out, each once."""
    gone = Counter(text) - Counter(visible(text))
    return list(gone)


def _without(text: str, kept: re.Pattern[str], out: Callable[[str], bool]) -> str:
    """`text` without the signs for which `out` is true, but for what `kept` matches."""
    places = {index for match in kept.finditer(text) for index in range(*match.span())}
    return "".join(sign for index, sign in enumerate(text) if index in places or not out(sign))


def code_point(sign: str) -> str:
    """How a message names a sign that nobody sees: ``U+200B ZERO WIDTH SPACE``."""
    return f"U+{ord(sign):04X} {unicodedata.name(sign, '')}".rstrip()


def fold(text: str) -> str:
    """A text such that it equals another one exactly when they differ by nothing but case and composition."""
    folded = text.casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)


def is_hashtag(text: str) -> bool:
    """Whether `text`, with its #, is a hashtag to X: letters, marks, digits and a few signs, one a letter or mark."""
    return text[:1] in HASH_SIGNS and text[1:2] not in {"\ufe0f", _KEYCAP} and _is_tag(text[1:])


def _is_tag(text: str) -> bool:
    return any(map(_is_letter, text)) and all(
        _is_letter(c) or unicodedata.category(c) == "Nd" or c in _TAG_EXTRA for c in text
    )


def hashtags(text: str) -> list[str]:
    """The hashtags that X sees in a post's text, without their #."""
    if "#" not in text and "\uff03" not in text:
        return []
    return [tag for tag in _hashtag_pattern().findall(text) if _is_tag(tag)]


def is_word(text: str) -> bool:
    """Whether `text` is one word to X, with nothing in it at which X might end it: then it needs no quotes."""
    return (
        is_searchable(text)
        and not any(c in VARIATIONS or c == _KEYCAP for c in text)
        and all(c == "_" or c.isalnum() or c in JOINERS or _is_letter(c) for c in text)
    )


def is_searchable(text: str) -> bool:
    """Whether there is anything in `text` that X looks for: a letter, a digit or an emoji."""
    return any(c == "_" or c.isalnum() or unicodedata.category(c) == "So" or c == _KEYCAP for c in text)


def is_pictographs(text: str) -> bool:
    """Whether `text` is nothing but pictographs in their plain form, which need no quotes."""
    return bool(text) and all(unicodedata.category(c) == "So" for c in text)


@lru_cache(maxsize=4096)
def counts_as_word(sign: str) -> bool:
    """Whether a sign by itself is a word: also a skin tone, which makes its emoji another one."""
    return sign == "_" or sign.isalnum() or unicodedata.category(sign) == "So" or "\U0001f3fb" <= sign <= "\U0001f3ff"


@cache
def marks() -> str:
    """All marks (Unicode category M), as ranges for the brackets of a regular expression."""
    ranges: list[list[int]] = []
    # There are none elsewhere: planes 2 to 13 hold ideographs, or nothing.
    for code in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)):
        if unicodedata.category(chr(code))[0] == "M":
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


@cache
def _hashtag_pattern() -> re.Pattern[str]:
    sign = rf"[\w{marks()}{_TAG_EXTRA}]"
    before = rf"(?<![\w&{marks()}{_TAG_EXTRA}])|(?<=[{VARIATIONS}])"
    return re.compile(rf"(?:{before})[{HASH_SIGNS}](?![\ufe0f{_KEYCAP}])({sign}+)(?![{HASH_SIGNS}]|://)")


def _is_letter(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LM"


def _is_invisible(sign: str) -> bool:
    return not sign.isspace() and unicodedata.category(sign) in {"Cc", "Cf", "Cs"}
