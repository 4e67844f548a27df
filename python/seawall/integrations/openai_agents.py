"""OpenAI's Agents SDK: `guard_tools(tools)` gives tools to be used in the place of the given ones."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from agents import FunctionTool
from agents.tool_context import ToolContext

from seawall.errors import BudgetExceeded, ConfigError, SeawallError
from seawall.integrations._named import Named

__all__ = ["guard_tools"]


def guard_tools(tools: Iterable[FunctionTool], *, tell_model: bool = True, **options: Any) -> list[FunctionTool]:
    """The same tools, guarded, with the options of `seawall.guard`.

    A refusal is told to the model as the tool's answer, so that it can correct itself; an empty budget is raised, and with
    `tell_model=False` every refusal is.
    """
    named = Named(options)
    return [_guarded(tool, named, tell_model) for tool in tools]


def _guarded(tool: FunctionTool, named: Named, tell_model: bool) -> FunctionTool:
    if not isinstance(tool, FunctionTool):
        kind = type(tool).__name__
        raise ConfigError(f"a {kind} runs at the provider or elsewhere", remedy="guard function tools only")

    async def invoke(context: ToolContext[Any], written: str) -> Any:
        async def perform(arguments: dict[str, Any]) -> Any:
            return await tool.on_invoke_tool(context, json.dumps(arguments))

        try:
            arguments = json.loads(written or "{}")
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            return f"the arguments of {tool.name} are no JSON object"
        try:
            return await named.call(tool.name, arguments, perform)
        except (BudgetExceeded, ConfigError):
            raise
        except SeawallError as error:
            if not tell_model:
                raise
            return str(error)

    return dataclasses.replace(tool, on_invoke_tool=invoke)
