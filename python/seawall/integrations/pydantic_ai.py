"""Pydantic AI: `guard_toolset(toolset)` gives a toolset to be used in the place of the given one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic_ai import ModelRetry
from pydantic_ai.toolsets import AbstractToolset, WrapperToolset

from seawall.errors import BudgetExceeded, ConfigError, SeawallError
from seawall.integrations._named import Named

__all__ = ["GuardedToolset", "guard_toolset"]


@dataclass
class GuardedToolset(WrapperToolset[Any]):
    """A toolset whose calls are guarded. A refusal asks the model to do better; an empty budget is raised."""

    named: Named = field(default_factory=lambda: Named({}))

    async def call_tool(self, name: str, tool_args: dict[str, Any], ctx: Any, tool: Any) -> Any:
        async def perform(arguments: dict[str, Any]) -> Any:
            return await self.wrapped.call_tool(name, arguments, ctx, tool)

        try:
            return await self.named.call(name, tool_args, perform)
        except (BudgetExceeded, ConfigError):
            raise
        except SeawallError as error:
            raise ModelRetry(str(error)) from error


def guard_toolset(toolset: AbstractToolset[Any], **options: Any) -> GuardedToolset:
    """The toolset, guarded, with the options of `seawall.guard`."""
    return GuardedToolset(toolset, Named(options))
