"""What an inventory says of the report that a host makes each night, judged before any host is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sfm_stream.settings.faults import Fault, show

LISTS = ("accounts", "links", "tags")
"""What a report may leave out."""


def report_faults(variables: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the variables of sfm_report besides names of directories, users and groups.

    Args:
        variables: Those of one host. A value of another type is left to the check of types.
    """
    without = variables.get("sfm_report_without")
    for index, name in enumerate(without if isinstance(without, list | tuple) else ()):
        if isinstance(name, str) and name not in LISTS:
            where = f"sfm_report_without[{index}]"
            yield Fault(where=where, problem=f"found {show(name)}", fix=f"allowed are {', '.join(LISTS)}")
