"""Faults to order, from a JSON file (``--plan``) or posted to ``/_simulator/plan``.

A plan is a list of steps. Each request takes the first step that is meant for it and not used up; the
others wait for their turn, so steps for the same endpoint apply in the order written::

    {"steps": [
      {"on": "stream", "do": "refuse", "status": 503},
      {"on": "stream", "do": "refuse", "problem": "too-many-connections", "times": 2},
      {"on": "stream", "do": "pass"},
      {"on": "stream", "actions": [{"do": "gzip"}, {"do": "close", "after": 20}]},
      {"on": "rules", "method": "POST", "do": "refuse", "problem": "rule-cap"}
    ]}

A step:

============  =========================================================================================
key           meaning
============  =========================================================================================
``on``        ``stream`` (default; both), ``filtered_stream``, ``sample_stream``, ``rules``, ``counts``,
              ``connections``, ``usage``, ``token``, ``any``
``method``    only requests with this method
``app``       only requests of the app with this name
``times``     how many requests it applies to (default 1; 0 for all to come)
``actions``   what is done, in order; or, for a single one, its keys stand in the step itself
============  =========================================================================================

Actions of any request:

======================  ===============================================================================
``do``                  and its keys
======================  ===============================================================================
``pass``                nothing: lets one request through
``refuse``              ``status`` and/or ``problem`` (`sfm_stream.sources.x.simulator.problems.PROBLEMS`: rate-limit,
                        too-many-connections, usage-capped, unauthorized, ...), ``reset`` (seconds from now,
                        as x-rate-limit-reset), ``headers``, ``body`` (any JSON in place of X's; with
                        status 200 it is another answer, such as usage in its other shape)
``redirect``            ``location``, ``status`` (302)
``slow_headers``        ``seconds`` before the answer begins
``drop``                the TCP connection is reset before any answer
======================  ===============================================================================

Actions of a stream; each begins when ``after`` (default 0) posts were sent on the connection:

======================  ===============================================================================
``content_type``        ``value``, ``body``: a 200 that is no stream (a proxy's HTML page by default)
``gzip``                the stream is gzip-encoded, flushed after each line
``close``               ends cleanly; ``finish: false`` leaves the last HTTP chunk out
``close_mid_line``      sends half of the next post, then closes
``reset``               resets the TCP connection, after the client's kernel has all that was sent
``stall``               sends nothing more, not even keep-alives; ``seconds`` (default: for ever)
``keep_alives_only``    no more posts; ``seconds`` (default: for ever)
``dribble``             the next post byte by byte, one every ``every`` (1) seconds; ``bytes``: stop after so many
                        and stall
``disconnect_message``  ``kind`` (OperationalDisconnect or UpstreamOperationalDisconnect), then closes;
                        ``close: false`` goes on
``inject``              ``what``: invalid-utf8, long, unknown, errors, errors-beside-data, not-json, blank or raw;
                        ``size`` (10,000,000) of a long line, ``text`` of a raw one
``duplicate``           the next ``posts`` (1) are sent twice
``shuffle``             the next ``posts`` (10) are held back and sent in reverse order
``delete_rules``        all rules of the app vanish
``foreign_rule``        ``value``, ``tag``: a rule appears that the client did not add
``linger``              after the client has gone, its connection still counts for ``seconds`` (60)
======================  ===============================================================================
"""

from __future__ import annotations

import typing
from typing import Literal

import msgspec

from sfm_stream.errors import ConfigError
from sfm_stream.settings.faults import Fault, convert, nearest, show
from sfm_stream.sources.x.simulator.actions import ACTIONS, Action, Refuse
from sfm_stream.sources.x.simulator.problems import PROBLEMS

Endpoint = Literal[
    "stream",
    "filtered_stream",
    "sample_stream",
    "rules",
    "counts",
    "post_counts",
    "connections",
    "usage",
    "token",
    "any",
]


class Step(msgspec.Struct):
    """Actions, and the requests that they are for; `times` counts down (0: for ever)."""

    on: Endpoint = "stream"
    method: str | None = None
    app: str | None = None
    times: int = 1
    actions: tuple[Action, ...] = ()


class _Head(msgspec.Struct, frozen=True):
    """A step without its actions, as written."""

    on: Endpoint = "stream"
    method: str | None = None
    app: str | None = None
    times: int = 1


class RequestPlan:
    """Steps in order, used up as requests come."""

    def __init__(self, steps: list[Step] | None = None) -> None:
        self.steps = steps or []

    def take(self, endpoint: str, method: str, app: str) -> tuple[Action, ...]:
        """What is to go wrong with this request."""
        for step in self.steps:
            if (
                (step.on in {endpoint, "any"} or (step.on == "stream" and endpoint.endswith("_stream")))
                and step.method in {None, method}
                and step.app in {None, app}
            ):
                if step.times:
                    step.times -= 1
                    if not step.times:
                        self.steps.remove(step)
                return step.actions
        return ()


def read_plan(text: bytes, where: str) -> list[Step]:
    """The steps of a plan written as JSON.

    Raises:
        ConfigError: One line for each fault, with the place, what was found and what is allowed.
    """
    try:
        raw = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{where}: is not JSON: {error}") from error
    faults: list[Fault] = []
    listed = raw.get("steps") if isinstance(raw, dict) else raw
    if not isinstance(listed, list):
        raise ConfigError(f'{where}: found {show(raw)}; {{"steps": [...]}} is needed')
    steps = [_read_step(each, f"{where}: steps[{index}]", faults) for index, each in enumerate(listed)]
    if faults:
        raise ConfigError("\n".join(map(str, faults)))
    return [step for step in steps if step]


def _read_step(raw: object, where: str, faults: list[Fault]) -> Step | None:
    if not isinstance(raw, dict):
        faults.append(Fault(where=where, problem=f"found {show(raw)}", fix="a mapping is needed"))
        return None
    keys = {field.name for field in msgspec.structs.fields(_Head)}
    head = {key: value for key, value in raw.items() if key in keys}
    rest = {key: value for key, value in raw.items() if key not in keys}
    listed = rest.get("actions", [rest])
    if "actions" in rest and (len(rest) > 1 or not isinstance(listed, list)):
        faults.append(
            Fault(where=where, problem="found actions beside other keys", fix='"actions": [...] stands alone')
        )
        return None
    step = convert(_Head, head, where, faults)
    actions = [_read_action(each, where, faults) for each in listed]
    if step is None or None in actions:
        return None
    return Step(**msgspec.structs.asdict(step), actions=typing.cast(tuple[Action, ...], tuple(actions)))


def _read_action(raw: object, where: str, faults: list[Fault]) -> Action | None:
    name = raw.get("do") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(name, str) or name not in ACTIONS:
        known = nearest(str(name), ACTIONS)
        faults.append(Fault(where=f"{where}: do", problem=f"found {show(name)}", fix=known))
        return None
    action = convert(ACTIONS[name], {key: raw[key] for key in raw if key != "do"}, f"{where}: {name}", faults)
    if isinstance(action, Refuse):
        if action.problem is not None and action.problem not in PROBLEMS:
            fix = nearest(action.problem, PROBLEMS)
            faults.append(Fault(where=f"{where}: problem", problem=f"found {show(action.problem)}", fix=fix))
            return None
        if action.problem is None and action.status is None:
            faults.append(Fault(where=where, problem="it refuses without saying how", fix="give status or problem"))
            return None
    return typing.cast("Action | None", action)
