"""MCP: `guard_session(session)` gives a client session whose tool calls are guarded."""

from __future__ import annotations

from typing import Any, Optional

from mcp import ClientSession

from seawall.integrations._named import Named

__all__ = ["GuardedSession", "guard_session"]


class GuardedSession:
    """A client session with everything that the given one has. What a server runs is out of sight: its arguments and its
    results are judged."""

    def __init__(self, session: ClientSession, named: Named) -> None:
        self._session = session
        self._named = named

    async def call_tool(self, name: str, arguments: Optional[dict[str, Any]] = None, *args: Any, **kwargs: Any) -> Any:
        """As `ClientSession.call_tool`; raises when the call or its result is refused."""

        async def perform(arguments: dict[str, Any]) -> Any:
            return await self._session.call_tool(name, arguments, *args, **kwargs)

        return await self._named.call(name, arguments or {}, perform)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def guard_session(session: ClientSession, **options: Any) -> GuardedSession:
    """The session, guarded, with the options of `seawall.guard`."""
    return GuardedSession(session, Named(options))
