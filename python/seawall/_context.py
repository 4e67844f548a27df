"""What is in force here and now: the run, and the guarded calls that are under way. Both follow threads' and tasks' contexts."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from seawall._seawall import Permit, Wait
    from seawall.run import RunContext

#: The innermost run that was entered.
RUN: ContextVar[Optional[RunContext]] = ContextVar("seawall_run", default=None)

#: How calls wait for a person that async code has handed to a thread; `None` where they wait in the thread that makes them.
WAIT: ContextVar[Optional[Wait]] = ContextVar("seawall_wait", default=None)

#: The guarded calls under way, the innermost first. What a tool does has to please all of them, so that a tool can't widen
#: its rights by opening a run of its own.
WATCHES: ContextVar[tuple[Permit, ...]] = ContextVar("seawall_watches", default=())
