"""The loose files of a data directory: which of them may be moved, and what is known of their content."""

# Plain strings, not Path objects: a run may touch millions of paths, and those would cost more than the work on them.

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby

import msgspec

from sfm_stream import names, reading
from sfm_stream.archive.at_rest import FilesAtRest
from sfm_stream.archive.outcome import Reporter
from sfm_stream.archive.placement import Loose, day_of
from sfm_stream.archive.tree import IRREGULAR, YEAR, kind_of, scan

BATCH_FILES = 20_000
BATCH_BYTES = 1 << 30
"""A batch ends at this many files, or this many bytes to read; memory and repeated work after a crash depend on it."""


class Vetted(msgspec.Struct, frozen=True):
    """A loose file that may be moved.

    Attributes:
        loose: The file.
        recorded: The sha256 that its program recorded, if any.
        read: The sha256 of what it holds, where it was read.
    """

    loose: Loose
    recorded: str = ""
    read: str = ""

    @property
    def damaged(self) -> bool:
        """Whether it is known not to hold what its program recorded."""
        return bool(self.recorded and self.read) and self.recorded != self.read


def batches(data: str, reporter: Reporter | None) -> Iterator[list[Loose]]:
    """The capture files that lie loose in a data directory, batch by batch; `reporter` gets what is none."""
    batch: list[Loose] = []
    size = 0
    with os.scandir(data) as entries:
        for found in entries:
            name = found.name
            if name.startswith(".") or name.endswith(names.PART):
                continue
            capture = names.parse(name)
            if capture is None or not found.is_file(follow_symlinks=False):
                if reporter is not None:
                    _report_unknown(found, reporter)
                continue
            try:
                status = found.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            batch.append(Loose(name, capture, day_of(capture), status.st_size, status.st_mtime_ns, status.st_ino))
            size += status.st_size
            if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _report_unknown(found: os.DirEntry[str], reporter: Reporter) -> None:
    if found.name == "lost+found":
        return
    kind = kind_of(found)
    detail = "not the name of a capture file; left where it is"
    if names.is_damaged(found.name):
        detail = "a damaged segment, kept beside the file with what is certain of it: look at it, then remove it"
    if kind == "directory":
        try:
            inner = scan(found.path)
        except OSError as error:
            reporter.trouble(found.path, "unreadable", f"cannot be listed: {error.strerror}")
            return
        if not names.parse(found.name) and (not inner or any(map(YEAR.fullmatch, inner))):
            return
        detail = "a directory that is no date tree; left as it is"
    elif kind != "file":
        detail = f"{IRREGULAR[kind]}; left as it is"
    reporter.find("unknown", found.path, detail)


def vet(batch: list[Loose], data: str, files: FilesAtRest, reporter: Reporter) -> Iterator[Vetted]:
    """The files of a batch that may be moved; `batch` is sorted by program."""
    for program, group in groupby(batch, key=lambda loose: loose.capture.program):
        of_program = list(group)
        try:
            known = files.recorded(program, {loose.name for loose in of_program})
        except reading.UnreadableError as error:
            journal = f"{files.state_dir}/journal/{program}.jsonl"
            reporter.blocked(journal, f"{error}; files of {program} stay where they are")
            continue
        for loose in of_program:
            recorded = known.get(loose.name)
            sha256 = recorded.sha256 if recorded else ""
            if recorded and recorded.bytes in (loose.size, -1):
                # Its program finished it, as its size confirms; reading it all again is left to the audit.
                yield Vetted(loose, sha256)
                continue
            read = files.sha256(f"{data}/{loose.name}", (loose.size, loose.modified, loose.inode))
            if read is not None:
                yield Vetted(loose, sha256, read)
