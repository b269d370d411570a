"""What a job of the archive found that a person should look at."""

from __future__ import annotations

import msgspec

from sfm_stream.table import printable

KEPT = 1000
"""So many findings are kept in full; all are counted."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that a person should look at.

    Attributes:
        kind: See `outcome.FindingKind` and `audit_outcome.FaultKind` beside this module.
        file: The file or directory.
        detail: What was found, and what was done, should be, or is to do.
    """

    kind: str
    file: str
    detail: str


def keep(findings: list[Finding], kind: str, file: str, detail: str) -> None:
    """Adds one, while there are fewer than `KEPT`."""
    if len(findings) < KEPT:
        findings.append(Finding(kind, printable(file), printable(detail)))
