"""JSON that is not quite JSON, and parts that are not as a service describes them: what can be read of both is read.

A post with one odd part is a post all the same.
"""

from __future__ import annotations

import codecs
import json
import math
import types
import typing
from typing import Any

import msgspec

_DEPTH = 64
"""Levels of objects and lists; no service sends half as many."""


_DIGITS = 300
"""Digits of a number; readers that keep no more than a float's 17 read it all the same."""


def loads(line: bytes) -> object:
    """What Python's own reader makes of a line, made into what strict JSON can say.

    Half surrogates and NUL become U+FFFD, NaN and infinities None, numbers that are too long text.

    Raises:
        ValueError: It is no JSON at all, or nested too deep.
    """
    text = line.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    try:
        return _clean(json.loads(text, strict=False, parse_constant=lambda _: None, parse_int=_integer), _DEPTH)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _DIGITS else digits


def _clean(value: object, depth: int) -> object:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict | list) and not depth:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {_text(key): _clean(each, depth - 1) for key, each in value.items()}
    return [_clean(each, depth - 1) for each in value] if isinstance(value, list) else value


def _text(value: str) -> str:
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    try:
        value.encode()
    except UnicodeEncodeError:
        # Two halves that belong together are one character.
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def fit(kind: Any, value: object) -> Any:  # noqa: ANN401 - whatever `kind` says
    """`value` as a type of msgspec's, without those parts of structs that are of another type.

    Raises:
        msgspec.ValidationError: It is not of the type itself.
    """
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if not isinstance(value, dict):
            raise msgspec.ValidationError(f"expected an object, got {type(value).__name__}")
        found = {}
        for field in msgspec.structs.fields(kind):
            if field.encode_name in value:
                try:
                    found[field.name] = fit(field.type, value[field.encode_name])
                except msgspec.ValidationError:
                    continue
        return kind(**found)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return fit(next(each for each in arguments if each is not types.NoneType), value)
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise msgspec.ValidationError(f"expected a list, got {type(value).__name__}")
        items = []
        for each in value:
            try:
                items.append(fit(arguments[0], each))
            except msgspec.ValidationError:
                continue
        return origin(items)
    if kind is msgspec.Raw:
        return msgspec.Raw(msgspec.json.encode(value))
    if kind is str and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return msgspec.convert(value, kind)
