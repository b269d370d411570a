"""Streams chosen by name on a command line."""

from __future__ import annotations

from collections.abc import Sequence

from sfm_stream.errors import UsageError
from sfm_stream.report.view import Overview, StreamView
from sfm_stream.settings.faults import nearest
from sfm_stream.sources import registry


def chosen(view: Overview, names: Sequence[str]) -> tuple[StreamView, ...]:
    """The streams of these filters or programs; all of them where none is named.

    Raises:
        UsageError: The host has none of that name; the message names the nearest.
    """
    if not names:
        return view.streams
    known = {each.program: each for each in view.streams}
    return tuple(known[_program(name, known)] for name in dict.fromkeys(names))


def _program(name: str, known: dict[str, StreamView]) -> str:
    for program in (name, *(registry.program(each, name) for each in registry.names())):
        if program in known:
            return program
    prefixes = [registry.program(each, "") for each in registry.names()]
    names = [each.removeprefix(next((p for p in prefixes if each.startswith(p)), "")) for each in known]
    raise UsageError(f"no stream {name!r} on this host; {nearest(name, names) if names else 'it has none'}")
