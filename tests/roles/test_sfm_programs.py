"""What the deployment takes for a stream that runs."""

from __future__ import annotations

import ast
from pathlib import Path

from sfm_stream.sources.x.refusals import MONEY

MODULE = Path(__file__).resolve().parents[2] / "roles/sfm_streams/library/sfm_programs.py"


def test_every_state_in_which_a_program_waits_is_known_to_the_deployment() -> None:
    """A stream without credits is no failed deployment; a state that the module does not know would be waited for."""
    (lasting,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(MODULE.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "LASTING"
    )
    assert set(lasting) == {"connected", "waiting", "credential", "budget", "disk", *map(str, MONEY)}
