"""The files that hold what programs collected, in order of arrival: loose, sorted, and being written."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sfm_stream import names, reading
from sfm_stream.archive import tree

Report = Callable[[str], None]
"""Gets a line for a person on what could not be looked at."""


STDIN = "-"
"""Stands for standard input where a file may be named."""


class Span(NamedTuple):
    """A time; either end may be open. `end` is not in it."""

    start: datetime | None = None
    end: datetime | None = None


class InputFile(NamedTuple):
    """A file of lines.

    Attributes:
        path: Where it lay when it was found.
        capture: What its name says; None where that is no capture file's.
        live: Whether it is a segment, which may still be written.
    """

    path: str
    capture: names.CaptureName | None
    live: bool = False

    @property
    def name(self) -> str:
        """Its name, without a directory and without ``.part``."""
        return os.path.basename(self.path).removesuffix(names.PART)  # noqa: PTH119 - paths are plain strings here


class Places(NamedTuple):
    """Where files lie.

    Attributes:
        data: Where programs write.
        archive: Where the date tree is; often the same.
    """

    data: str
    archive: str


def programs(places: Places) -> list[str]:
    """All programs that have files, in order.

    Raises:
        OSError: One of the directories cannot be read.
    """
    found = {each.capture.program for each in _loose(places.data) if each.capture}
    return sorted(found | {name for name in tree.programs(tree.scan(places.archive)) if _is_program(name)})


def of_program(places: Places, program: str, report: Report) -> list[InputFile]:
    """The files of a program, in the order in which they were begun; one that lies in both places once.

    Raises:
        OSError: One of the directories cannot be read.
    """
    found: dict[str, InputFile] = {}

    def trouble(path: str, _kind: str, detail: str) -> None:
        report(f"{path}: {detail}")

    if program in tree.scan(places.archive):
        for day in tree.days_of(places.archive, program, trouble):
            try:
                inner = tree.day_files(f"{places.archive}/{day}")
            except OSError as error:
                report(f"{places.archive}/{day}: cannot be listed: {error.strerror}")
                continue
            for file in inner:
                each = source(f"{places.archive}/{day}/{file}")
                if each.capture and not each.live:
                    found[each.name] = each
    for each in _loose(places.data):
        if each.capture and each.capture.program == program:
            found.setdefault(each.name, each)
    return in_order(found.values())


def source(path: str) -> InputFile:
    """What a path says of the file."""
    name = os.path.basename(path)  # noqa: PTH119
    return InputFile(path, names.parse(name.removesuffix(names.PART)), name.endswith(names.PART))


def in_order(found: Iterable[InputFile]) -> list[InputFile]:
    """By the time at which they were begun; as they come where any name does not tell."""
    found = list(found)
    if all(each.capture for each in found):
        found.sort(key=lambda each: (each.capture.time, each.capture.program, each.capture.number))  # type: ignore[union-attr]
    return found


def within(found: Iterable[InputFile], span: Span, late: timedelta) -> list[InputFile]:
    """Those files of one program that may hold what was sent in a time.

    A file ends where the next one begins, and what was sent may have come as much later as `late`.
    """
    found = list(found)
    chosen = []
    for index, each in enumerate(found):
        after = found[index + 1].capture if index + 1 < len(found) else None
        if each.capture is None or (
            (span.end is None or each.capture.time < span.end + late)
            and (span.start is None or after is None or after.time >= span.start)
        ):
            chosen.append(each)
    return chosen


def opened(each: InputFile, places: Places | None) -> tuple[int, str]:
    """A descriptor of the file and its path now: it may have been finished, and sorted, since it was found.

    Raises:
        OSError: It cannot be opened.
    """
    if places is None:
        # The user has named it, and may name a link, a pipe or standard input.
        return os.dup(0) if each.path == STDIN else os.open(each.path, os.O_RDONLY | os.O_CLOEXEC), each.path
    paths = [each.path, each.path.removesuffix(names.PART)]
    if each.capture:
        paths.append(f"{places.archive}/{each.capture.folder}/{each.name}")
    for path in paths[:-1]:
        try:
            return reading.open_regular(path), path
        except FileNotFoundError:
            continue
    return reading.open_regular(paths[-1]), paths[-1]


def finished(found: Collection[InputFile]) -> list[InputFile]:
    """Those that no program writes any more."""
    return [each for each in found if not each.live]


def _loose(data: str) -> list[InputFile]:
    return [source(f"{data}/{name}") for name, kind in sorted(tree.scan(data).items()) if kind == "file"]


def _is_program(name: str) -> bool:
    return names.parse(f"{name}-2000-01-01T00-00-00Z{names.SUFFIX}") is not None and not Path(name).suffix
