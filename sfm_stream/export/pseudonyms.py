"""Pseudonyms for accounts and posts: the same for the same, and nobody without the key can tell whose."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from sfm_stream.errors import UsageError
from sfm_stream.export.columns import Field
from sfm_stream.matching.characters import AT_SIGNS
from sfm_stream.sources.rows import Privacy, Rows, Value, json_text

LEAST = 16
"""Bytes of a key."""
_LENGTH = 20
"""Hex digits of a pseudonym: 80 bits."""
_MENTION = re.compile(rf"(?<![\w{AT_SIGNS}])([{AT_SIGNS}])([\w.:-]*\w)")


class Pseudonyms:
    """Replaces what tells who somebody is.

    Args:
        key: The secret.
        rows: The table of the source, which knows its own pages.
    """

    def __init__(self, key: bytes, rows: Rows) -> None:
        self._key, self._rows = key, rows

    def of(self, name: str) -> str:
        """The pseudonym of an account's or a post's name or id; names in capital and small letters are the same."""
        return hmac.digest(self._key, name.casefold().encode(), hashlib.sha256).hex()[:_LENGTH]

    def change(self, field: Field, value: Callable[[Any], Value]) -> Callable[[Any], Value]:
        """What fills a column, under pseudonyms."""
        replace = {
            Privacy.OPEN: None,
            Privacy.KEY: self.of,
            Privacy.KEYS: self._each,
            Privacy.TEXT: self._text,
            Privacy.LINKS: self._links,
            Privacy.HIDDEN: lambda _text: None,
        }[field.privacy]
        if replace is None:
            return value

        def changed(post: object) -> Value:
            found = value(post)
            return found if found is None else replace(str(found))

        return changed

    def _each(self, text: str) -> str | None:
        return json_text([self.of(each) for each in _list(text)])

    def _text(self, text: str) -> str:
        return _MENTION.sub(lambda found: f"{found[1]}{self.of(found[2])}", text)

    def _links(self, text: str) -> str | None:
        return json_text([each for each in _list(text) if not self._rows.own_pages.match(each)])


def read_key(path: Path) -> bytes:
    """The key in a file.

    Raises:
        UsageError: It is not there, too short, or can be read by everybody; the message says what to do.
    """
    make = f"make one: (umask 077; head -c 32 /dev/urandom > {path})"
    try:
        with path.open("rb") as file:
            mode, key = os.fstat(file.fileno()).st_mode, file.read(1 << 16).strip(b"\n")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such key file; {make}") from error
    except OSError as error:
        raise UsageError(f"{path}: the key cannot be read: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o007:
        raise UsageError(f"{path}: everybody on this machine may use the key: chmod o= {path}")
    if len(key) < LEAST:
        raise UsageError(f"{path}: a key has {LEAST} bytes at least, this one has {len(key)}; {make}")
    return key


def _list(text: str) -> list[str]:
    found = msgspec.json.decode(text)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
