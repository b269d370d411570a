"""The sources by name. A source's modules are imported when it is first asked for: a capture loads its own alone."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sfm_stream.sources.base import Source

if TYPE_CHECKING:
    import click

DEFAULT = "x"
"""The source of a filter that names none, as before there were others."""
_MODULES = {
    "bluesky": "sfm_stream.sources.bluesky.source",
    "wikimedia": "sfm_stream.sources.wikimedia.source",
    "x": "sfm_stream.sources.x.source",
}


def program(name: str, stream: str) -> str:
    """The supervisor program of a filter: ``<source>-<filter>``, but for X, which keeps SFM's names."""
    return f"{'twitterfilter' if name == 'x' else name}-{stream}"


def source_of(program_name: str) -> str:
    """The source whose program bears that name; X's, if it is none that this version knows: SFM had no other."""
    return next((each for each in names() if program_name.startswith(f"{each}-")), DEFAULT)


def filter_of(program_name: str) -> str:
    """The name of the filter of a program; that of a program that is no filter's is its own."""
    return program_name.removeprefix(program(source_of(program_name), ""))


def programs() -> str:
    """A regular expression of the names that the programs of streams can have."""
    return "|".join([*(f"{program(name, '')}[A-Za-z0-9_-]+" for name in names()), "streamsample"])


def simulator_program(name: str) -> str:
    """The supervisor program of a source's simulator."""
    return "sfm-simulator" if name == DEFAULT else f"sfm-simulator-{name}"


def simulator_programs() -> str:
    """A regular expression of the names that the programs of simulators can have."""
    return "|".join(map(simulator_program, names()))


def names() -> tuple[str, ...]:
    """All sources, in order of their names."""
    return tuple(sorted(_MODULES))


def source(name: str) -> Source:
    """The source of that name.

    Raises:
        KeyError: There is none.
    """
    found: Source = importlib.import_module(_MODULES[name]).SOURCE
    return found


def simulator(name: str) -> click.Command | None:
    """The command that simulates a source: ``simulate`` in its ``simulator/command.py``; None where it has none.

    Raises:
        KeyError: There is no such source.
    """
    package = _MODULES[name].rpartition(".")[0]
    try:
        found: click.Command = importlib.import_module(f"{package}.simulator.command").simulate
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(package):
            return None
        raise
    return found
