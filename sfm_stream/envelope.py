"""Reads as much of a line of the stream as the capture needs to know; the line itself goes to disk as it came."""

from __future__ import annotations

from typing import Any

import msgspec


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


def look(line: bytes) -> Envelope:
    """What a line of the stream is. A line that cannot be read is neither a post nor a message."""
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _post_of_odd_shape(line)


def _post_of_odd_shape(line: bytes) -> Envelope:
    """A post whose other parts are not as X describes them, or are not valid UTF-8, is a post all the same."""
    try:
        raw: Any = msgspec.json.decode(line.decode("utf-8", "replace"))
        return Envelope(data=_Data(id=str(raw["data"]["id"])))
    except (msgspec.DecodeError, TypeError, KeyError):
        return Envelope()
