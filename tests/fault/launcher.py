"""Runs ``sfm-stream`` after a snippet of Python: ``launcher.py SNIPPET ARGUMENT...``.

The snippet shortens a constant or slows a system call of this one process, as a slow disk or a stepping clock would.
"""

import sys

exec(sys.argv[1])  # the tests' own text
sys.argv = ["sfm-stream", *sys.argv[2:]]

from sfm_stream.__main__ import main  # noqa: E402 - after the snippet

main()
