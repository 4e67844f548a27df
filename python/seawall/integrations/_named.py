"""Calls that a framework makes by a name and a mapping of arguments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Optional

from seawall._context import RUN
from seawall.guard import guarded_in
from seawall.run import RunContext

Perform = Callable[[dict[str, Any]], Awaitable[Any]]


class Named:
    """Guards calls of tools that are told apart by their names. Bound to a run as `seawall.guard` binds."""

    def __init__(self, options: dict[str, Any], run: Optional[RunContext] = None) -> None:
        self._run = run or RUN.get()
        self._options = options

    async def call(self, name: str, arguments: dict[str, Any], perform: Perform) -> Any:
        """Has the call performed with the arguments that the policy decided on, and gives what may be given."""

        async def tool(**arguments: Any) -> Any:
            return await perform(arguments)

        return await guarded_in(self._run, tool, **{**self._options, "name": name})(**arguments)
