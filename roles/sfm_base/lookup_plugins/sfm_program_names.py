"""The names that programs of ours can have, as the package of this checkout knows them from its sources."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: sfm_program_names
short_description: A regular expression of the names that programs of ours can have
description:
  - Each source names its programs; all roles take the names from here, so that none changes for a new source.
options:
  _terms:
    description: Which programs, C(streams) or C(simulators), or both.
    type: list
    elements: str
    required: true
author: The sfm-stream authors
"""

EXAMPLES = """
- name: Find settings of streams
  ansible.builtin.debug:
    msg: "({{ lookup('sfm_program_names', 'streams') }})[.]json"
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
        from sfm_stream.sources import registry

        kinds = {"streams": registry.programs, "simulators": registry.simulator_programs}
        if unknown := [term for term in terms if term not in kinds]:
            raise AnsibleLookupError(f"sfm_program_names: found {unknown[0]!r}; allowed are {', '.join(kinds)}")
        return ["|".join(kinds[term]() for term in terms)]
