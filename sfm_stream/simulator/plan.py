"""Faults to order, from a JSON file (``--plan``) or posted to ``/_simulator/plan``.

A plan is a list of steps; each connection takes the first that is left, and ``times`` counts down (0: for ever)::

    {"steps": [
      {"do": "refuse", "status": 503, "times": 2},
      {"do": "pass"},
      {"do": "close", "after": 20}
    ]}

Every source that is simulated adds steps of its own to these:

==========  ==========================================================================================
``do``      and its keys; ``after`` counts the events sent on the connection before it begins (0)
==========  ==========================================================================================
``pass``    nothing: lets one connection through
``page``    ``body``: a 200 with a page, as a proxy or web filter answers
``reset``   resets the TCP connection
``stall``   ``seconds`` (for ever): sends nothing more, and answers no ping
``repeat``  ``events`` (5): sends the last events again
==========  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from sfm_stream.errors import ConfigError

S = TypeVar("S", bound="Step")


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    """A step of a plan; the tables of the modules say what each does."""

    times: int = 1
    after: int = 0
    before_answer: ClassVar[bool] = False
    """Whether it takes the place of the answer, so that no stream begins."""

    @property
    def name(self) -> str:
        """What stands in ``do``."""
        return str(self.__struct_config__.tag)


class Pass(Step, tag="pass", frozen=True):
    """Lets a connection through."""


class Page(Step, tag="page", frozen=True):
    """The page of a proxy or web filter."""

    body: str = "<html><body>Blocked by policy</body></html>"
    before_answer: ClassVar[bool] = True


class Reset(Step, tag="reset", frozen=True):
    """A reset of the TCP connection."""


class Stall(Step, tag="stall", frozen=True):
    """Silence."""

    seconds: float = 3600.0


class Repeat(Step, tag="repeat", frozen=True):
    """The last events once more."""

    events: int = 5


class Plan(Generic[S]):
    """Steps in order, used up as connections come."""

    def __init__(self, steps: list[S]) -> None:
        self.steps = steps

    def take(self) -> S | Pass:
        """What is to go wrong with this connection."""
        if not self.steps:
            return Pass()
        step = self.steps[0]
        if step.times == 1:
            self.steps.pop(0)
        elif step.times > 1:
            self.steps[0] = msgspec.structs.replace(step, times=step.times - 1)
        return step


def reader(steps: Any, module: str) -> Callable[[bytes, str], list[Any]]:  # noqa: ANN401 - a union of types
    """A function that reads plans made of these types of steps; `module` is where they are described.

    It raises `ConfigError`, with what is wrong and where.
    """
    kind = msgspec.defstruct("Plan", [("steps", list[steps])], forbid_unknown_fields=True)

    def read(text: bytes, where: str) -> list[Any]:
        try:
            return list(msgspec.json.decode(text, type=kind).steps)  # type: ignore[attr-defined]  # declared above
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where}: {error}; see {module}") from error

    return read
