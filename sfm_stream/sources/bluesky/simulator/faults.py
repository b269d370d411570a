"""Faults to order, from a JSON file (``--plan``) or posted to ``/_simulator/plan``.

A plan is a list of steps; each connection takes the first that is left, and ``times`` counts down (0: for ever)::

    {"steps": [
      {"do": "refuse", "status": 503, "times": 2},
      {"do": "pass"},
      {"do": "close", "after": 20, "code": 1001}
    ]}

===============  ======================================================================================
``do``           and its keys; ``after`` counts the events sent on the connection before it begins (0)
===============  ======================================================================================
``pass``         nothing: lets one connection through
``refuse``       ``status``, ``error``, ``message``, ``headers``: an answer in place of the upgrade
``page``         ``body``: a 200 with a page, as a proxy or web filter answers
``drop``         the TCP connection is reset before any answer
``close``        ``code`` (1000), ``reason``
``error``        ``error`` (ConsumerTooSlow), ``message``: Jetstream's own last words, then closes
``reset``        resets the TCP connection
``cut``          sends half of the next event's frame, then ends
``stall``        ``seconds`` (for ever): sends nothing more and answers no ping
``quiet``        ``seconds``: no events, but pings are answered
``repeat``       ``events`` (5): sends the last events again
``inject``       ``text``: a frame that is no event; ``binary`` sends it as bytes
===============  ======================================================================================
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from sfm_stream.errors import ConfigError


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    """A step of a plan."""

    times: int = 1
    after: int = 0
    before_upgrade: ClassVar[bool] = False


class Pass(Step, tag="pass", frozen=True):
    """See the module's docstring; so for all of these."""


class Refuse(Step, tag="refuse", frozen=True):
    """An answer in place of the upgrade."""

    status: int
    error: str = ""
    message: str = ""
    headers: dict[str, str] = {}
    before_upgrade: ClassVar[bool] = True


class Page(Step, tag="page", frozen=True):
    """A page of somebody else's."""

    body: str = "<html><body>Blocked by policy</body></html>"
    before_upgrade: ClassVar[bool] = True


class Drop(Step, tag="drop", frozen=True):
    """No answer."""

    before_upgrade: ClassVar[bool] = True


class Close(Step, tag="close", frozen=True):
    """A close frame."""

    code: int = 1000
    reason: str = ""


class Error(Step, tag="error", frozen=True):
    """Last words."""

    error: str = "ConsumerTooSlow"
    message: str = "consumer fell too far behind"


class Reset(Step, tag="reset", frozen=True):
    """A reset."""


class Cut(Step, tag="cut", frozen=True):
    """Half a frame."""


class Stall(Step, tag="stall", frozen=True):
    """A dead host."""

    seconds: float = 3600.0


class Quiet(Step, tag="quiet", frozen=True):
    """Nothing happens."""

    seconds: float = 5.0


class Repeat(Step, tag="repeat", frozen=True):
    """Events twice."""

    events: int = 5


class Inject(Step, tag="inject", frozen=True):
    """No event."""

    text: str
    binary: bool = False


AnyStep = Pass | Refuse | Page | Drop | Close | Error | Reset | Cut | Stall | Quiet | Repeat | Inject


class _Plan(msgspec.Struct, forbid_unknown_fields=True):
    steps: list[AnyStep]


class Plan:
    """Steps in order, used up as connections come."""

    def __init__(self, steps: list[AnyStep]) -> None:
        self.steps = steps

    def take(self) -> AnyStep:
        """What is to go wrong with this connection."""
        if not self.steps:
            return Pass()
        step = self.steps[0]
        if step.times == 1:
            self.steps.pop(0)
        elif step.times > 1:
            self.steps[0] = msgspec.structs.replace(step, times=step.times - 1)
        return step


def read_plan(text: bytes, where: str) -> list[AnyStep]:
    """The steps of a plan written as JSON.

    Raises:
        ConfigError: What is wrong with it, and where.
    """
    try:
        return msgspec.json.decode(text, type=_Plan).steps
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {error}; see sources/bluesky/simulator/faults.py") from error
