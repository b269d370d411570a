"""The faults in the names of directories, users and groups, found by the package of this checkout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError


def name_faults(variables: Mapping[str, Any]) -> list[str]:
    """What is wrong with these variables, a line each."""
    checkout = str(Path(__file__).resolve().parents[3])
    if checkout not in sys.path:
        sys.path.insert(0, checkout)
    try:
        from sfm_stream.settings.directories import directory_faults
        from sfm_stream.settings.users import user_faults
    except ImportError as error:
        raise AnsibleFilterError(
            f"Ansible's Python ({sys.executable}) cannot examine the inventory: {error}"
        ) from error
    return [str(fault) for fault in (*directory_faults(variables), *user_faults(variables))]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Their names."""
        return {"sfm_name_faults": name_faults}
