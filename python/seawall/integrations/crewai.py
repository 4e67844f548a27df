"""CrewAI: `guard_tools(tools)` gives tools to be used in the place of the given ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Union

from crewai.tools import BaseTool
from crewai.tools.base_tool import Tool

from seawall.guard import guard

__all__ = ["guard_tools"]

#: What the framework passes in beside the model's arguments. It is the program's own and is not judged.
_INJECTED = ("config",)


def guard_tools(tools: Iterable[Union[BaseTool, Callable[..., Any]]], **options: Any) -> list[Any]:
    """The same tools, guarded, with the options of `seawall.guard`. The given ones stay as they are.

    A refusal is raised as an exception, which a crew's agent is told as the outcome of its call.
    """
    return [_guarded(tool, options) for tool in tools]


def _guarded(tool: Union[BaseTool, Callable[..., Any]], options: dict[str, Any]) -> Any:
    if not isinstance(tool, BaseTool):
        return guard(**options)(tool)
    effects = options.get("effects")
    if effects is None or isinstance(effects, dict):
        effects = {**dict.fromkeys(_INJECTED, "ignore"), **(effects or {})}
    guarded = guard(**{**options, "name": tool.name, "effects": effects})
    copy = tool.model_copy()
    for name in ("func",) if isinstance(tool, Tool) else ("_run", "_arun"):
        # A class that has no async half of its own says so by itself.
        if not (name == "_arun" and type(tool)._arun is BaseTool._arun):
            object.__setattr__(copy, name, guarded(getattr(tool, name)))
    return copy
