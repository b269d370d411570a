"""The types of the inventory's variables, as the argument specifications of the roles declare them.

What ``--extra-vars name=value`` gives and what an INI inventory holds is text, whatever was meant by it. Ansible judges
such text by the specification and hands it on as it is, so a role would take ``false`` for a word, and a word for true.
Here it becomes what is declared; the roles say ``| bool`` wherever they read one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from sfm_stream.settings.faults import QUOTE, Fault, nearest, show

Option = Mapping[str, Any]
"""An entry of a specification: ``type``, perhaps ``default``, ``choices``, ``elements``, ``options``, ``no_log``."""

_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_NOTHING = ("", "null", "none", "~")
_NUMBERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "int": (r"[+-]?[0-9]+", int),
    "float": (r"[+-]?[0-9]+(\.[0-9]*)?", float),
}
_KINDS: dict[str, tuple[Any, str]] = {
    "bool": (bool, "true or false is needed"),
    "dict": (Mapping, "a mapping of keys to values is needed"),
    "float": ((float, int), "a number is needed"),
    "int": (int, "a whole number is needed"),
    "list": (list, "a list ([...], even for one entry) is needed"),
    "path": (str, "text is needed"),
    "str": (str, "text is needed"),
}


def typed(variables: Mapping[str, Any], options: Mapping[str, Option]) -> dict[str, Any]:
    """The variables with text in place of a boolean or a number turned into what it says; the rest as it is."""
    return {name: _typed(value, options[name]) if name in options else value for name, value in variables.items()}


def kind_faults(
    variables: Mapping[str, Any], options: Mapping[str, Option], judged: Collection[str]
) -> Iterator[Fault]:
    """The variables, as `typed` returns them, whose values are not what is declared.

    Args:
        variables: The values by name.
        options: What is declared of each.
        judged: Names to leave out, since others judge them.
    """
    for name in sorted((variables.keys() & options.keys()) - set(judged)):
        yield from _kind_faults(name, variables[name], options[name])


def _typed(value: Any, option: Option) -> Any:  # noqa: ANN401 - any plain data
    kind = option.get("type", "str")
    if isinstance(value, Mapping) and "options" in option:
        return typed(value, option["options"])
    if kind == "bool" and isinstance(value, int) and value in (0, 1):
        return bool(value)
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if kind in ("bool", *_NUMBERS) and option.get("default") is None and text in _NOTHING:
        return None
    if kind == "bool":
        return _BOOLEANS.get(text, value)
    if kind in _NUMBERS:
        pattern, convert = _NUMBERS[kind]
        return convert(text) if re.fullmatch(pattern, text) else value
    return value


def _kind_faults(where: str, value: object, option: Option) -> Iterator[Fault]:
    kind, needed = _KINDS.get(option.get("type", "str"), (object, ""))
    found = "found a value" if option.get("no_log") else f"found {show(value)}"
    if value is None and option.get("default") is None:
        return
    if not isinstance(value, kind) or (isinstance(value, bool) and kind not in (bool, object)):
        if kind is str and not isinstance(value, Mapping | list):
            needed = QUOTE
        elif isinstance(value, str) and kind in (Mapping, list) and where.isidentifier():
            example = json.dumps({where: ["..."] if kind is list else {"key": "..."}})
            needed += f", which the command line takes as JSON: -e '{example}'"
        yield Fault(where=where, problem=found, fix=needed)
    elif "choices" in option and value not in option["choices"]:
        yield Fault(where=where, problem=found, fix=f"allowed are {', '.join(map(str, option['choices']))}")
    elif isinstance(value, Mapping) and "options" in option:
        for key, each in value.items():
            if key in option["options"]:
                yield from _kind_faults(f"{where}: {key}", each, option["options"][key])
            else:
                fix = nearest(str(key), option["options"])
                yield Fault(where=where, problem=f"unknown key {key!r}", fix=fix)
    elif isinstance(value, list) and "elements" in option:
        for index, each in enumerate(value):
            yield from _kind_faults(f"{where}[{index}]", each, {"type": option["elements"]})
