"""What a program under supervisor must take into account."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from sfm_stream.supervised import Supervision

supervision = Supervision()
print(supervision.gone, flush=True)
sys.stdin.readline()
print(supervision.gone, flush=True)
"""
PARENT = """
import subprocess, sys

subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=0, stdout=1)
sys.stdin.close()
import time

time.sleep(60)
"""


@pytest.mark.parametrize("supervised", [True, False])
def test_a_program_notices_that_its_supervisord_was_killed(supervised: bool) -> None:
    """One that nobody supervises goes on when its parent ends."""
    environment = {key: value for key, value in os.environ.items() if key != "SUPERVISOR_ENABLED"}
    if supervised:
        environment["SUPERVISOR_ENABLED"] = "1"
    reader, writer = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, PROGRAM], env=environment, stdin=reader, stdout=subprocess.PIPE, text=True
    )
    os.close(reader)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "False\n"
    parent.kill()
    parent.wait()
    os.write(writer, b"\n")
    assert parent.stdout.readline() == f"{supervised}\n"
    os.close(writer)
    parent.stdout.close()
