"""CrewAI: `guard_tools(tools)` gives tools to be used in the place of the given ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Union

from crewai.tools import BaseTool
from crewai.tools.base_tool import Tool

from seawall.guard import guard
from seawall.integrations._copied import guarded_copy

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
    return guarded_copy(tool, _functions(tool), _INJECTED, options)


def _functions(tool: BaseTool) -> tuple[str, ...]:
    if isinstance(tool, Tool):
        return ("func",)
    # The async half of a class that has none of its own only says so.
    return ("_run",) if type(tool)._arun is BaseTool._arun else ("_run", "_arun")
