"""What an audit looked at, and what it found that a person should look at."""

from __future__ import annotations

from typing import Literal

import msgspec

from sfm_stream.archive import findings

FaultKind = Literal["missing", "changed", "unreadable", "irregular", "unexpected", "manifest", "journal", "empty"]
"""``missing``: listed, recorded or counted before, but not there; ``changed``: other content than listed;
``unreadable``; ``irregular``: a link, or another thing than the file or directory that belongs there; ``unexpected``:
there, but not listed; ``manifest``: the manifest itself is at fault, or other than it was; ``journal``: the same of a
program's journal; ``empty``: there is nothing to audit."""


class AuditOutcome(msgspec.Struct):
    """What an audit looked at, and what it found.

    Attributes:
        days: Days looked at.
        files: Files that the manifests list.
        verified: Files whose content was read and is as listed.
        bytes: Bytes read.
        waiting: Listed or recorded files that organizedata has yet to move in.
        accepted: Days that are not there any more, and were accepted as gone.
        missing: Findings of each kind.
        changed: The same.
        unreadable: The same.
        irregular: The same.
        unexpected: The same.
        manifest: The same.
        journal: The same.
        empty: The same.
        findings: The first of the faults.
    """

    days: int = 0
    files: int = 0
    verified: int = 0
    bytes: int = 0
    waiting: int = 0
    accepted: int = 0
    missing: int = 0
    changed: int = 0
    unreadable: int = 0
    irregular: int = 0
    unexpected: int = 0
    manifest: int = 0
    journal: int = 0
    empty: int = 0
    findings: list[findings.Finding] = []

    @property
    def faults(self) -> int:
        """How many things are not as they should be."""
        return (
            self.missing
            + self.changed
            + self.unreadable
            + self.irregular
            + self.unexpected
            + self.manifest
            + self.journal
            + self.empty
        )

    def add(self, kind: FaultKind, file: str, detail: str) -> None:
        """Counts a finding; the first ones are kept in full."""
        setattr(self, kind, getattr(self, kind) + 1)
        findings.keep(self.findings, kind, file, detail)
