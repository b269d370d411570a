"""Reads as much of a line of the stream as the capture needs to know; the line itself goes to disk as it came."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

import msgspec

from sfm_stream.sources.lines import Classified, LineKind


class _Data(msgspec.Struct, frozen=True):
    id: str = ""


class Problem(msgspec.Struct, frozen=True):
    """An entry of ``errors``, in X's own words."""

    title: str = ""
    detail: str = ""
    type: str = ""
    disconnect_type: str = ""

    @property
    def disconnects(self) -> bool:
        """Whether X says with it that it ends the connection."""
        return bool(self.disconnect_type) or self.title.lower() == "operational-disconnect" or "disconnect" in self.type


class Envelope(msgspec.Struct, frozen=True):
    """A line of the stream: a post, a message, or neither (then `data` has no id and `errors` is empty)."""

    data: _Data = _Data()
    errors: list[Problem] = []

    @property
    def disconnect(self) -> Problem | None:
        """The announcement that X ends the connection, if the line is one."""
        return next((problem for problem in self.errors if problem.disconnects), None)


_DECODER = msgspec.json.Decoder(Envelope)


def classify(line: bytes) -> Classified:
    """What a line is; X's streams have no positions, and an id tells a post from every other."""
    found = look(line)
    if found.data.id:
        return Classified(LineKind.POST, found.data.id)
    return Classified(LineKind.NOTICE if found.errors else LineKind.OTHER)


def look(line: bytes) -> Envelope:
    """What a line of the stream is. A line that cannot be read is neither a post nor a message."""
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _odd(line)


def _odd(line: bytes) -> Envelope:
    """A post whose other parts are not as X describes them, or not what strict JSON allows, is a post all the same.

    Python's own reader takes what msgspec refuses: half a surrogate pair, control characters in text, NaN. What it
    refuses in turn is a byte order mark, numbers of thousands of digits unless they stay text, and deep nesting.
    """
    line = line.removeprefix(codecs.BOM_UTF8)
    try:
        raw: Any = json.loads(line.decode("utf-8", "replace"), strict=False, parse_int=str)
    except RecursionError:
        return Envelope(data=_Data(id=_scanned_id(line)))
    except ValueError:
        return Envelope()
    raw = raw if isinstance(raw, dict) else {}
    data, errors = raw.get("data"), raw.get("errors")
    post = data.get("id") if isinstance(data, dict) else None
    return Envelope(
        data=_Data(id="" if post is None else str(post)),
        errors=[_problem(each) for each in errors if isinstance(each, dict)] if isinstance(errors, list) else [],
    )


_TOKEN = re.compile(rb'\s*+("[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:,]|[^\s"{}\[\]:,]++)\s*+', re.DOTALL)
_CLOSERS = {b"{": b"}", b"[": b"]"}


def _scanned_id(line: bytes) -> str:
    """The ``data.id`` of an object however deep it is nested; nothing where its brackets do not close.

    A scanner with a stack of its own, since those of the JSON readers have an end.
    """
    closers: list[bytes] = []
    names = [b"", b"", b""]
    previous = found = b""
    end = 0
    while end < len(line) and (match := _TOKEN.match(line, end)):
        token, end, depth = match[1], match.end(), len(closers)
        if token in _CLOSERS:
            closers.append(_CLOSERS[token])
        elif token in (b"}", b"]"):
            if not closers or closers.pop() != token:
                return ""
            if not closers:
                break
        elif token == b":" and depth <= 2:
            names[depth] = previous
        elif depth == 2 and names[1:] == [b'"data"', b'"id"'] and closers == [b"}", b"}"] and token not in (b",", b":"):
            found = token
        if token == b"," and depth <= 2:
            names[depth] = b""
        previous = token
    if closers or end < len(line):
        return ""
    return found.strip(b'"').decode("utf-8", "replace") if found[:1] == b'"' or found.isdigit() else ""


def _problem(raw: dict[str, Any]) -> Problem:
    known = {field: raw.get(field) for field in Problem.__struct_fields__}
    return Problem(**{field: value for field, value in known.items() if isinstance(value, str)})
