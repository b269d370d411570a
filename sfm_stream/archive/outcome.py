"""What a run of organizedata did, and what it found that a person should look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from sfm_stream.archive import findings
from sfm_stream.archive.tree import Trouble

FindingKind = Literal["unknown", "renamed", "damaged", "unreadable", "blocked"]
"""``unknown`` name; ``renamed`` because another content has its name; ``damaged``: not as its program recorded it;
``unreadable``; ``blocked``: a directory or manifest that files belong in cannot be used."""


class OrganizeOutcome(msgspec.Struct):
    """What a run did.

    Attributes:
        moved: Files that are now in the date tree (in a dry run: that would be).
        bytes: Their size in all.
        known: Files removed because the tree has the same content under the same name.
        waiting: Files left alone because a process still writes them.
        adopted: Files that lay in the tree already, put there by SFM or by hand, and are now in a manifest.
        unknown: Names that were not recognized.
        renamed: Files kept under a new name, because another content has theirs.
        damaged: Files that are not as their program recorded them.
        unreadable: Files and directories that could not be read.
        blocked: Directories and manifests that files belong in, and that cannot be used; their files stay loose.
        findings: The first of the last five kinds, one each.
    """

    moved: int = 0
    bytes: int = 0
    known: int = 0
    waiting: int = 0
    adopted: int = 0
    unknown: int = 0
    renamed: int = 0
    damaged: int = 0
    unreadable: int = 0
    blocked: int = 0
    findings: list[findings.Finding] = []

    @property
    def faults(self) -> int:
        """How many things a person should look at."""
        return self.unknown + self.renamed + self.damaged + self.unreadable + self.blocked


class Reporter:
    """Counts in an `OrganizeOutcome`, and tells each thing once: a run passes over the same directories several times.

    Args:
        tell: Gets one line for each thing done (True) or found (False: worth telling always).
    """

    def __init__(self, tell: Callable[[str, bool], None]) -> None:
        self.outcome = OrganizeOutcome(findings=[])
        self.tell = tell
        self._told: set[str] = set()

    def is_new(self, path: str) -> bool:
        """Whether nothing was told of a path yet; something is from now on."""
        if path in self._told:
            return False
        self._told.add(path)
        return True

    def find(self, kind: FindingKind, file: str, detail: str) -> None:
        """A person should look at a file."""
        setattr(self.outcome, kind, getattr(self.outcome, kind) + 1)
        findings.keep(self.outcome.findings, kind, file, detail)
        self.tell(f"{file}: {detail}", False)

    def waiting(self, path: str) -> None:
        """A file is left alone, since a process still writes it."""
        if self.is_new(path):
            self.outcome.waiting += 1
            self.tell(f"{path}: still being written, left alone", True)

    def unreadable(self, path: str, error: OSError) -> None:
        """A file could not be read."""
        if self.is_new(path):
            self.find("unreadable", path, f"cannot be read: {error.strerror}; left where it is")

    def trouble(self, path: str, kind: Trouble, why: str) -> None:
        """A directory could not be walked. What else lies in the tree, and does not belong there, the audit reports."""
        if kind != "unexpected" and self.is_new(path):
            self.find("unreadable" if kind == "unreadable" else "unknown", path, why)

    def blocked(self, path: str, why: str) -> None:
        """Files cannot go where they belong."""
        if self.is_new(path):
            self.find("blocked", path, why)

    def adopted(self, tree: str, day: str, files: int) -> None:
        """Files that lay in a day of the tree are in its manifest from now on."""
        if files and self.is_new(day):
            self.outcome.adopted += files
            self.tell(f"{tree}/{day}: {files} files that lay there are now listed", True)
