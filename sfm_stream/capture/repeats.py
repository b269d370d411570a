"""Knows a line that was sent again: sources that replay go back a little, so that nothing is missing."""

from __future__ import annotations

from collections import OrderedDict

from sfm_stream.sources.lines import Classified

REMEMBERED = 50_000
"""More lines than any source sends again after a connection that ends; at 2,000 a second, those of 25 s."""


class Repeats:
    """The last lines that were kept, by their keys. A line without a key is never a repeat."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, None] = OrderedDict()

    def is_known(self, line: Classified) -> bool:
        """Whether the line was kept before; if not, it is from now on."""
        if not line.key:
            return False
        key = hash(line.key)  # 64 bits of a string's hash, in the place of the string
        if key in self._known:
            return True
        self._known[key] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return False
