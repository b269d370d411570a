"""The names of capture files, and where in the date tree each belongs.

A segment is what a program writes; finished, it loses its ``.part`` and is a capture file::

    twitterfilter-storms-2026-11-24T20-15-00Z.jsonl.gz.part
    twitterfilter-storms-2026-11-24T20-15-00Z.jsonl.gz
    twitterfilter-storms-2026-11-24T20-15-00Z_2.jsonl.gz     # where the clock gave the same name again
    twitterfilter-storms-2026-11-24T20-30-00Z.jsonl.zst      # of a stream that is to use zstd

SFM's names are read as well: ``twitterfilter-2-2014-04-11T04-34-28Z.gz``, older ones with
colons in the time, ``.xml.gz``. All times are UTC. The underscore sorts after the point, so that the names' order
is that of their making.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import PurePath

import msgspec

from sfm_stream.compression.formats import FORMATS, Format


def suffix_of(kind: Format) -> str:
    """What the names of our own capture files of this format end in."""
    return f".jsonl{kind.suffix}"


SUFFIXES = tuple(map(suffix_of, FORMATS))
"""What the names of our own capture files end in."""
SUFFIX = SUFFIXES[0]
PART = ".part"
DAMAGED = ".damaged"
_TIME = "%Y-%m-%dT%H-%M-%SZ"

_NAME = re.compile(
    r"(?P<program>[A-Za-z0-9][A-Za-z0-9_.-]*?)"
    r"-(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)T(?P<H>\d\d)[-:](?P<M>\d\d)[-:](?P<S>\d\d)Z"
    r"(_(?P<number>[1-9]\d*))?"
    r"(?P<suffix>(\.jsonl|\.json|\.xml)?\.gz|\.jsonl\.zst)",
    re.ASCII,
)


class CaptureName(msgspec.Struct, frozen=True, order=True):
    """What the name of a capture file says.

    Attributes:
        program: The supervisor program that wrote it.
        time: When it was begun (UTC, to the second).
        number: 2 and more where the same program had begun one at the same second already.
        suffix: ``.jsonl.gz`` or ``.jsonl.zst``, or what SFM used.
    """

    program: str
    time: datetime
    number: int = 1
    suffix: str = SUFFIX

    def __str__(self) -> str:
        number = f"_{self.number}" if self.number > 1 else ""
        return f"{self.program}-{self.time.strftime(_TIME)}{number}{self.suffix}"

    @property
    def in_all_formats(self) -> list[CaptureName]:
        """The names that unpack to the same as this one of ours."""
        return [msgspec.structs.replace(self, suffix=each) for each in SUFFIXES]

    @property
    def folder(self) -> PurePath:
        """Its place below the data directory: ``<program>/<YYYY>/<MM>/<DD>/<HH>``."""
        return PurePath(self.program, *self.time.strftime("%Y %m %d %H").split())


def is_damaged(name: str) -> bool:
    """Whether a salvage has kept a damaged segment under this name: that of its capture file, and ``.damaged``."""
    base, mark, _ = name.rpartition(DAMAGED)
    return bool(mark) and parse(base) is not None


def parse(name: str) -> CaptureName | None:
    """Reads the name of a capture file (not a segment's); None where it is none of ours or SFM's."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        year, month, day, hour, minute, second = map(int, found.group("Y", "m", "d", "H", "M", "S"))
        time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return CaptureName(program=found["program"], time=time, number=int(found["number"] or 1), suffix=found["suffix"])
