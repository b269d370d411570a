"""A capture program from its first line of log to its exit code."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sfm_stream.capture.recorder import Recorder
from sfm_stream.capture.signals import Signals
from sfm_stream.errors import STOP_CODES, SfmError
from sfm_stream.settings.model import Credential, StreamSettings
from sfm_stream.supervised import STARTED, Supervision
from sfm_stream.table import printable


def run(
    settings: Callable[[], StreamSettings],
    credential: Credential | None,
    *,
    settings_path: Path,
    save: bool,
    verbose: bool,
) -> None:
    """Captures until a signal asks it to stop.

    Args:
        settings: Reads the stream's settings; called again at SIGHUP.
        credential: The secret.
        settings_path: The file that `settings` reads.
        save: Write files and a journal; otherwise print the lines.
        verbose: Log more.

    Raises:
        SfmError: What no retry can fix; the message is for a person.
    """
    logging.Formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%SZ"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("sfm_stream").setLevel(logging.DEBUG if verbose else logging.INFO)
    signals, supervision, begun = Signals(), Supervision(), time.monotonic()
    try:
        recorder = Recorder(settings, settings_path, save=save, signals=signals, supervision=supervision)
        recorder.run(credential)
    except BrokenPipeError:
        # The reader of our output has enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SfmError as error:
        if error.exit_code in STOP_CODES and supervision.active:
            while not signals.stop and time.monotonic() < begun + STARTED:
                signals.wait(begun + STARTED - time.monotonic())
        raise


class _OneLine(logging.Formatter):
    """Shows control characters as escapes: what a server says must not speak to the reader's terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = printable(record.message)
        return super().formatMessage(record)
