"""What a tool's result must be: a type, or a JSON Schema."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Mapping
from typing import Any, Optional, Protocol

from seawall import _seawall


class Contract(Protocol):
    """What a result is held to."""

    def problem(self, value: Any) -> Optional[str]:
        """What is wrong with it; `None` when nothing is."""


def contract_of(output: Any) -> Optional[Contract]:
    """What `guard(output=…)` was given."""
    if output is None:
        return None
    if isinstance(output, Mapping):
        return _seawall.Schema(output)
    return OfType(output)


class OfType:
    """A type hint, checked as far down as it says something: also inside of lists, mappings, unions and typed dicts."""

    def __init__(self, hint: Any) -> None:
        self._hint = hint

    def problem(self, value: Any) -> Optional[str]:
        return _problem(value, self._hint, "it")


def _problem(value: Any, hint: Any, where: str) -> Optional[str]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _problem(value, arguments[0], where)
    if hasattr(hint, "__supertype__"):
        return _problem(value, hint.__supertype__, where)
    if hint is Any or isinstance(hint, typing.TypeVar):
        return None
    if origin is typing.Union or isinstance(hint, getattr(types, "UnionType", ())):
        fits = any(_problem(value, option, where) is None for option in arguments)
        return None if fits else _differs(value, hint, where)
    if origin is typing.Literal:
        # 1 == True and 1 == 1.0, which a literal does not mean.
        fits = any(type(value) is type(option) and value == option for option in arguments)
        return None if fits else _differs(value, hint, where)
    if typing.is_typeddict(hint) if hasattr(typing, "is_typeddict") else hasattr(hint, "__required_keys__"):
        return _problem_of_typed_dict(value, hint, where)
    if origin is not None:
        return _problem(value, origin, where) or _problem_inside(value, origin, arguments, where)
    return None if _is_instance(value, hint) else _differs(value, hint, where)


def _is_instance(value: Any, hint: Any) -> bool:
    if hint is None:
        return value is None
    if isinstance(value, bool):
        return hint in (bool, object)
    if hint is float:
        return isinstance(value, (int, float))
    return isinstance(hint, type) and isinstance(value, hint)


def _problem_inside(value: Any, origin: type, arguments: tuple[Any, ...], where: str) -> Optional[str]:
    if issubclass(origin, collections.abc.Mapping) and len(arguments) == 2:
        return _first(
            _problem(key, arguments[0], f"a key of {where}") or _problem(item, arguments[1], f"{where}[{key!r}]")
            for key, item in value.items()
        )
    if issubclass(origin, tuple) and arguments[-1:] != (...,):
        if len(value) != len(arguments):
            return f"{where} has {len(value)} items, not {len(arguments)}"
        pairs = zip(value, arguments)
    elif issubclass(origin, (collections.abc.Sequence, collections.abc.Set)) and arguments:
        pairs = ((item, arguments[0]) for item in value)
    else:
        return None
    return _first(_problem(item, hint, f"{where}[{index}]") for index, (item, hint) in enumerate(pairs))


def _problem_of_typed_dict(value: Any, hint: Any, where: str) -> Optional[str]:
    if not isinstance(value, dict):
        return _differs(value, hint, where)
    missing = sorted(hint.__required_keys__ - value.keys())
    if missing:
        return f"{where} has no {', '.join(missing)}"
    hints = typing.get_type_hints(hint)
    unknown = sorted(map(str, value.keys() - hints.keys()))
    if unknown:
        return f"{where} has {', '.join(unknown)}, which {hint.__name__} has not"
    return _first(_problem(item, hints[key], f"{where}[{key!r}]") for key, item in value.items())


def _first(problems: typing.Iterable[Optional[str]]) -> Optional[str]:
    return next(filter(None, problems), None)


def _differs(value: Any, hint: Any, where: str) -> str:
    name = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
    return f"{where} is of type {type(value).__name__}, not {name}"
