"""What a tool touches: what its type hints tell where its names and values don't, and what was declared, which wins."""

from __future__ import annotations

import os
import pathlib
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, Union

from seawall.errors import ConfigError

Effects = Union[Mapping[str, str], Sequence[str], None]

EFFECTS = ("fs_read", "fs_write", "fs_delete", "net", "exec")
_IGNORE = "ignore"

#: Words of a tool's name that say that it only reads; else a path is taken to be written.
_READS = frozenset("read get list ls cat open view show stat search find grep glob load head tail".split())
_WRITES = frozenset("write edit save move mv copy cp create append update".split())
_DELETES = frozenset("delete remove rm unlink rmdir erase purge".split())


def effects_of(function: Callable[..., Any], name: str, declared: Effects) -> Effects:
    """The effects for the native half: a list for the whole tool, or a mapping of parameters, or nothing."""
    if declared is not None and not isinstance(declared, Mapping):
        return [_checked(effect, EFFECTS) for effect in ([declared] if isinstance(declared, str) else declared)]
    allowed = (*EFFECTS, _IGNORE)
    explicit = {parameter: _checked(effect, allowed) for parameter, effect in (declared or {}).items()}
    return {**_by_hints(function, name), **explicit} or None


def _checked(effect: str, allowed: tuple[str, ...]) -> str:
    if effect not in allowed:
        raise ConfigError(f"{effect!r} is no effect", remedy=f"use one of {', '.join(allowed)}")
    return effect


def _by_hints(function: Callable[..., Any], name: str) -> dict[str, str]:
    effects = {}
    for parameter, hint in _hints(function).items():
        effect = _effect_of_hint(hint, name)
        if effect is not None and parameter != "return":
            effects[parameter] = effect
    return effects


def _hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # A hint that can't be evaluated here tells nothing; names and values still do.
        return getattr(function, "__annotations__", {})


def _effect_of_hint(hint: Any, name: str) -> Optional[str]:
    arguments = typing.get_args(hint)
    if arguments and typing.get_origin(hint) is not os.PathLike:
        return next(filter(None, (_effect_of_hint(argument, name) for argument in arguments)), None)
    origin = typing.get_origin(hint) or hint
    if isinstance(origin, type):
        if issubclass(origin, (pathlib.PurePath, os.PathLike)):
            return _file_effect(name)
        hint = origin.__name__
    # Pydantic's AnyUrl, HttpUrl and their kind, yarl's URL: known by name, since none of them has to be installed.
    return "net" if isinstance(hint, str) and re.search(r"(Url|URL)\b", hint) else None


def _file_effect(name: str) -> str:
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    if words & _DELETES:
        return "fs_delete"
    return "fs_read" if words & _READS and not words & _WRITES else "fs_write"
