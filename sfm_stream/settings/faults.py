"""Turns plain data (from JSON or an inventory) into typed structs, and collects every fault on the way.

msgspec stops at the first error. A person who edits an inventory wants all of them at
once, each with the place, the value, what is allowed and what to do; so this walks the
declared type itself and lets msgspec judge the leaves.
"""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import json
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from sfm_stream.settings.secrecy import HIDDEN, SECRET_KEY, is_hidden, scrub, shown_name

SHOWN = 60
"""A value longer than this many characters is cut where a fault shows it."""

QUOTE = "text is needed: put quotes around what you wrote, which YAML may have read as another value (0123 as 83)"
"""The fix where YAML read text as another type. What was written cannot be known from the value."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. Its text shows nothing that looks like a secret, wherever that was put.

    Attributes:
        where: The item, in the user's own terms: ``filter 'storms': rules[1].query``.
        problem: What was found there and why it cannot be.
        fix: What is allowed, or what to do.
    """

    where: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return _visible(scrub(f"{self.where}: {self.problem}; {self.fix}"))


class UnknownKey(Fault, frozen=True, kw_only=True):
    """A key that this version knows nothing of; what is beside it can be used all the same."""


class Secret(str):
    """Text that must never be shown: ``repr`` and ``str.format`` give a mask."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"

    def __format__(self, _spec: str) -> str:
        return "***"


def show(value: object) -> str:
    """A value as a fault shows it: as JSON, with its type where that is the surprise, and what is unseen escaped."""
    if isinstance(value, Secret):
        return "a value (not shown, it may be a secret)"
    text = _visible(scrub(json.dumps(_without_secrets(value), ensure_ascii=False, default=str)))
    text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    if isinstance(value, bool):
        return f"{text} (true or false; YAML reads yes, no, on and off so)"
    if isinstance(value, int | float):
        return f"{text} (a number)"
    if isinstance(value, dt.date):
        return f"{value} (a date)"
    return text


def _visible(text: str) -> str:
    """Text on one line, with what is unseen escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _without_secrets(value: object) -> object:
    """Plain data, its keys as text, without what stands below the name of a secret."""
    if isinstance(value, Mapping):
        plain = {str(key): each for key, each in value.items()}
        return {key: HIDDEN if SECRET_KEY.search(key) else _without_secrets(each) for key, each in plain.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(each) for each in value]
    return HIDDEN if isinstance(value, Secret) else value


def nearest(word: str, known: Iterable[str]) -> str:
    """The fix for an unknown word: the nearest known one, or the list of all that do not look like secrets."""
    known = sorted(name for name in known if not is_hidden(name))
    close = closest(word, known)
    return f"did you mean {close!r}?" if close else f"known are: {', '.join(known)}"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def convert(kind: Any, raw: object, where: str, faults: list[Fault]) -> Any:  # noqa: ANN401 - as typed by `kind`
    """Converts plain data to `kind`, a struct, list, mapping or scalar type.

    Args:
        kind: The declared type: a `msgspec.Struct`, ``tuple[T, ...]``, ``dict[str, T]`` or what msgspec converts.
        raw: Data made of dicts, lists, strings, numbers, booleans and None.
        where: How a fault names this place.
        faults: Receives every fault found.

    Returns:
        The value. Where anything in it is at fault (then `faults` has grown), what is right of it: without the keys
        and items that are wrong; or None where nothing can be had without them.
    """
    kind, optional = without_none(kind)
    if raw is None and optional:
        return None
    origin = typing.get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, raw, where, faults)
    if origin is tuple and typing.get_args(kind)[1:] == (...,):
        return _sequence(typing.get_args(kind)[0], raw, where, faults)
    if origin is dict:
        return _mapping(typing.get_args(kind)[1], raw, where, faults)
    return _leaf(kind, raw, where, faults)


def without_none(kind: Any) -> tuple[Any, bool]:  # noqa: ANN401
    """The type without None, and whether None was allowed."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        members = [m for m in typing.get_args(kind) if m is not types.NoneType]
        if len(members) < len(typing.get_args(kind)):
            return (members[0] if len(members) == 1 else typing.Union[tuple(members)]), True  # noqa: UP007
    return kind, False


def _struct(kind: type[msgspec.Struct], raw: object, where: str, faults: list[Fault]) -> object:
    fields, hints = _fields(kind), _hints(kind)
    # What stands in the place of a mapping of secrets, or of its keys, may be one.
    secret = any(without_none(hint)[0] is Secret for hint in hints.values())
    if not isinstance(raw, Mapping):
        found = "no mapping" if secret else show(raw)
        faults.append(Fault(where=where, problem=f"found {found}", fix="a mapping of keys to values is needed"))
        return None
    faults.extend(
        UnknownKey(
            where=where,
            problem="an unknown key (not shown, it may be a secret)"
            if secret and not closest(str(key), fields)
            else f"unknown key {shown_name(str(key))}",
            fix=nearest(str(key), fields),
        )
        for key in raw
        if key not in fields
    )
    values = {}
    for name, field in fields.items():
        if name in raw:
            before = len(faults)
            value = convert(hints[field.name], raw[name], f"{where}: {name}", faults)
            if value is not None or len(faults) == before:
                values[field.name] = value
        elif field.required:
            faults.append(Fault(where=where, problem=f"the key {name!r} is missing", fix="it must be given"))
    return kind(**values) if all(f.name in values for f in fields.values() if f.required) else None


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> Mapping[str, msgspec.structs.FieldInfo]:
    """Its fields, by the names that people write; kept, since msgspec finds them anew at each call."""
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


@functools.cache
def _hints(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The declared types; Python evaluates them anew at each call, which a hundred streams would feel."""
    return typing.get_type_hints(kind, include_extras=True)


def _sequence(kind: Any, raw: object, where: str, faults: list[Fault]) -> object:  # noqa: ANN401
    if not isinstance(raw, list | tuple):
        faults.append(
            Fault(where=where, problem=f"found {show(raw)}", fix="a list is needed, even for one entry: [...]")
        )
        return None
    values = (convert(kind, item, f"{where}[{index}]", faults) for index, item in enumerate(raw))
    return tuple(value for value in values if value is not None)


def _mapping(kind: Any, raw: object, where: str, faults: list[Fault]) -> object:  # noqa: ANN401
    if not isinstance(raw, Mapping):
        faults.append(Fault(where=where, problem=f"found {show(raw)}", fix="a mapping of names to values is needed"))
        return None
    return {str(key): convert(kind, item, f"{where}: {key}", faults) for key, item in raw.items()}


def _leaf(kind: Any, raw: object, where: str, faults: list[Fault]) -> object:  # noqa: ANN401
    if kind is Secret:
        if isinstance(raw, str):
            return Secret(raw)
        faults.append(Fault(where=where, problem="found no text", fix="the secret as quoted text is needed"))
        return None
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as error:
        problem = f"found {show(raw)}"
        fix = _allowed(str(error).partition(" - at ")[0])
        if typing.get_origin(kind) is typing.Literal:
            fix = f"allowed are {', '.join(map(str, typing.get_args(kind)))}"
        if "`str`" in str(error).partition(", got")[0] and not isinstance(raw, Mapping | list | tuple):
            fix = QUOTE
        faults.append(Fault(where=where, problem=problem, fix=fix))
        return None


def _allowed(message: str) -> str:
    """Gives a message of msgspec, ``Expected `int` >= 1, got `str```, in plain words."""
    words = {
        "`str`": "text",
        "`int`": "a whole number",
        "`float`": "a number",
        "`bool`": "true or false",
        "`array`": "a list",
    }
    allowed = message.partition(", got")[0].removeprefix("Expected ")
    for word, plain in words.items():
        allowed = allowed.replace(word, plain)
    allowed = re.sub(r"(\d)\.0\b", r"\1", allowed)
    return f"{allowed} is needed" if message.startswith("Expected") else allowed
