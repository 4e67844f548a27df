"""Tools that are objects with their functions in attributes: a copy of one, with guarded functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seawall.guard import guard


def guarded_copy(tool: Any, functions: Iterable[str], injected: Iterable[str], options: dict[str, Any]) -> Any:
    """A copy of a pydantic `tool` whose `functions` are guarded under its name; those that are `None` stay so.

    `injected` is what the framework passes in beside the model's arguments: the program's own, and not judged.
    """
    effects = options.get("effects")
    if effects is None or isinstance(effects, dict):
        effects = {**dict.fromkeys(injected, "ignore"), **(effects or {})}
    guarded = guard(**{**options, "name": tool.name, "effects": effects})
    copy = tool.model_copy()
    for name in functions:
        function = getattr(tool, name)
        if function is not None:
            object.__setattr__(copy, name, guarded(function))
    return copy
