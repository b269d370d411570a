"""The names that programs of streams can have, as the package of this checkout knows them from its sources."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: sfm_stream_names
short_description: A regular expression of the names that programs of streams can have
description:
  - Each source has names of its own; this is where all roles take them from.
options: {}
author: The sfm-stream authors
"""

EXAMPLES = """
- name: Find settings of streams
  ansible.builtin.debug:
    msg: "({{ lookup('sfm_stream_names') }})[.]json"
"""

RETURN = """
_raw:
  description: The regular expression.
  type: list
  elements: str
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[str]:  # noqa: ARG002, ANN401
        """The regular expression."""
        checkout = str(Path(__file__).resolve().parents[3])
        if checkout not in sys.path:
            sys.path.insert(0, checkout)
        from sfm_stream.sources.registry import programs

        return [programs()]
