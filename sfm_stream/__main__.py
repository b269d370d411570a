"""Where every command begins: the console script, and `python -m sfm_stream`."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Runs the command line.

    A deployment tells a capture program of other rules by SIGHUP, which ends a process that has no handler yet. It has
    one only when all is imported, a third of a second later: until then, a hangup waits (see `capture.signals`).
    """
    if {"filterstream", "streamsample"} & set(sys.argv):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    from sfm_stream.cli import main as run

    run()


if __name__ == "__main__":
    main()
