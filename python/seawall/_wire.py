"""Values between a program and the confined process of a tool: JSON, with marks for what JSON has no form for.

Only data crosses, in both directions: nothing that is read here can make code run. It stands alone, since the child reads
it before it has any packages.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import pathlib
from typing import Any

#: The key of a mark. A mapping that has it itself is sent as its items.
_MARK = "$"


def encoded(value: Any) -> bytes:
    """The value as bytes. What can't be sent is a `TypeError` that names it."""
    return json.dumps(_marked(value)).encode()


def decoded(data: bytes) -> Any:
    """The value again. What is no such data is a `ValueError`."""
    try:
        return _unmarked(json.loads(data))
    except (ArithmeticError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no value of a tool: {error}") from None


def _marked(value: Any) -> Any:
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [_marked(item) for item in value]
    if kind is dict:
        if all(type(key) is str and key != _MARK for key in value):
            return {key: _marked(item) for key, item in value.items()}
        return {_MARK: "dict", "of": [[_marked(key), _marked(item)] for key, item in value.items()]}
    if kind in (tuple, set, frozenset):
        return {_MARK: kind.__name__, "of": [_marked(item) for item in value]}
    if kind in (bytes, bytearray):
        return {_MARK: kind.__name__, "of": base64.b64encode(value).decode()}
    if isinstance(value, pathlib.PurePath):
        return {_MARK: "path", "of": str(value)}
    if kind is decimal.Decimal:
        return {_MARK: "decimal", "of": str(value)}
    if kind in (datetime.datetime, datetime.date, datetime.time):
        return {_MARK: kind.__name__, "of": value.isoformat()}
    raise TypeError(f"a {kind.__qualname__} can't be sent to or from an isolated tool; send plain data")


_MADE = {
    "dict": lambda items: {_unmarked(key): _unmarked(item) for key, item in items},
    "tuple": lambda items: tuple(map(_unmarked, items)),
    "set": lambda items: set(map(_unmarked, items)),
    "frozenset": lambda items: frozenset(map(_unmarked, items)),
    "bytes": base64.b64decode,
    "bytearray": lambda text: bytearray(base64.b64decode(text)),
    "path": pathlib.Path,
    "decimal": decimal.Decimal,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
}


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(item) for item in value]
    if isinstance(value, dict):
        if _MARK in value:
            return _MADE[value[_MARK]](value["of"])
        return {key: _unmarked(item) for key, item in value.items()}
    return value
