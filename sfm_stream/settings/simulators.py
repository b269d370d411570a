"""The services that a host simulates: what ``sfm_simulator`` may say, and the programs that come of it.

It maps sources to the options of their simulators. Options alone, ``{port: 8970, rate: 20}``, are those of the default
source's simulator, as before there were others. The commands ``sfm-stream simulate SOURCE`` declare the options, with
their types and ranges; nothing here repeats them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import click

from sfm_stream.settings.faults import Fault, show
from sfm_stream.settings.variables import Option
from sfm_stream.sources import registry

VARIABLE = "sfm_simulator"
_FIXED = ("host",)
"""Options that are no choice of an inventory: a simulator listens on loopback."""


class SimulatorProgram(NamedTuple):
    """A simulated service, as one more program of its host.

    Attributes:
        source: The source that it stands for.
        program: The supervisor program.
        arguments: Those of ``sfm-stream``.
    """

    source: str
    program: str
    arguments: tuple[str, ...]


def simulator_option() -> Option:
    """What is declared of ``sfm_simulator``, in the way of a role's argument specification."""
    each = {name: {"type": "dict", "options": _declared(name)} for name in registry.names()}
    return {"type": "dict", "default": {}, "options": {**_declared(registry.DEFAULT), **each}}


def simulator_faults(value: object) -> Iterator[Fault]:
    """What is wrong with the value of ``sfm_simulator`` besides unknown keys and wrong types."""
    if not isinstance(value, Mapping):
        return
    sources = [name for name in value if name in registry.names()]
    if sources and len(sources) < len(value):
        others = ", ".join(str(key) for key in value if key not in sources)
        fix = f"move them below the source whose simulator they are for: {{{registry.DEFAULT}: {{{others}: ...}}}}"
        yield Fault(where=VARIABLE, problem=f"options ({others}) stand beside sources ({', '.join(sources)})", fix=fix)
        return
    ports: dict[str, list[str]] = defaultdict(list)
    for source, options in _by_source(value).items():
        where = f"{VARIABLE}: {source}" if sources else VARIABLE
        parameters = _parameters(source)
        for name, chosen in options.items():
            if name in parameters:
                yield from _range_faults(f"{where}: {name}", chosen, parameters[name])
        ports[str(options.get("port", parameters["port"].default))].append(source)
    for port, users in ports.items():
        if len(users) > 1:
            yield Fault(
                where=VARIABLE,
                problem=f"the simulators of {' and '.join(users)} listen on port {port}",
                fix="give each a port of its own",
            )


def simulators(value: Mapping[str, Any]) -> list[SimulatorProgram]:
    """The simulators that a value of ``sfm_simulator`` without faults declares."""
    found = []
    for source, options in _by_source(value).items():
        # The default source is not named: program files of deployed hosts say `simulate --port 8970`.
        arguments = ["simulate"] if source == registry.DEFAULT else ["simulate", source]
        for name, chosen in options.items():
            option = f"--{name.replace('_', '-')}"
            if chosen is True:
                arguments.append(option)
            elif chosen is not False and chosen is not None:
                arguments += [option, str(chosen)]
        found.append(SimulatorProgram(source, registry.simulator_program(source), tuple(arguments)))
    return found


def _by_source(value: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The options of each simulator; a source without any has the defaults."""
    if not value:
        return {}
    if not any(name in registry.names() for name in value):
        return {registry.DEFAULT: value}
    return {name: value[name] if isinstance(value[name], Mapping) else {} for name in registry.names() if name in value}


def _parameters(source: str) -> dict[str, click.Option]:
    """The options of a source's simulator that an inventory may give, each by the name that it has there."""
    command = registry.simulator(source)
    parameters = command.params if command is not None else []
    named = {
        each.opts[0].removeprefix("--").replace("-", "_"): each
        for each in parameters
        # Those that may be repeated are secrets of apps, which have no place on a command line.
        if isinstance(each, click.Option) and not each.multiple
    }
    return {name: each for name, each in named.items() if name not in _FIXED}


def _declared(source: str) -> dict[str, Option]:
    return {name: {"type": _kind(each)} for name, each in _parameters(source).items()}


def _kind(option: click.Option) -> str:
    """A click type in the words of argument specifications."""
    if option.is_flag:
        return "bool"
    if isinstance(option.type, click.types.IntParamType):
        return "int"
    if isinstance(option.type, click.types.FloatParamType):
        return "float"
    return "path" if isinstance(option.type, click.Path | click.File) else "str"


def _range_faults(where: str, value: object, option: click.Option) -> Iterator[Fault]:
    if isinstance(option.type, click.IntRange | click.FloatRange) and type(value) in (int, float):
        try:
            option.type(value, option)
        except click.BadParameter:
            yield Fault(where=where, problem=f"found {show(value)}", fix=f"allowed is {_allowed(option.type)}")


def _allowed(kind: click.IntRange | click.FloatRange) -> str:
    low = f"{'more than' if kind.min_open else 'at least'} {kind.min:g}" if kind.min is not None else ""
    high = f"{'less than' if kind.max_open else 'at most'} {kind.max:g}" if kind.max is not None else ""
    return " and ".join(filter(None, (low, high)))
