"""The steps of a fault plan that Jetstream has beside those of `sfm_stream.simulator.plan`.

===============  ======================================================================================
``do``           and its keys; ``after`` counts the events sent on the connection before it begins (0)
===============  ======================================================================================
``refuse``       ``status``, ``error``, ``message``, ``headers``: an answer in place of the upgrade
``drop``         the TCP connection is reset before any answer
``close``        ``code`` (1000), ``reason``
``error``        ``error`` (ConsumerTooSlow), ``message``: Jetstream's own last message, then closes
``cut``          sends half of the next event's frame, then ends
``quiet``        ``seconds``: no events, but pings are answered
``inject``       ``text``: a frame that is no event; ``binary`` sends it as bytes
===============  ======================================================================================
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from sfm_stream.simulator.plan import Page, Pass, Repeat, Reset, Stall, Step, reader


class Refuse(Step, tag="refuse", frozen=True):
    """An answer in place of the upgrade."""

    status: int
    error: str = ""
    message: str = ""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    before_answer: ClassVar[bool] = True


class Drop(Step, tag="drop", frozen=True):
    """No answer."""

    before_answer: ClassVar[bool] = True


class Close(Step, tag="close", frozen=True):
    """A close frame."""

    code: int = 1000
    reason: str = ""


class Error(Step, tag="error", frozen=True):
    """An error message, and then the end."""

    error: str = "ConsumerTooSlow"
    message: str = "consumer fell too far behind"


class Cut(Step, tag="cut", frozen=True):
    """Half a frame."""


class Quiet(Step, tag="quiet", frozen=True):
    """No events for a while."""

    seconds: float = 5.0


class Inject(Step, tag="inject", frozen=True):
    """A frame that is no event."""

    text: str
    binary: bool = False


AnyStep = Pass | Refuse | Page | Drop | Close | Error | Reset | Cut | Stall | Quiet | Repeat | Inject

read_plan = reader(AnyStep, "sfm_stream/sources/bluesky/simulator/faults.py")
