"""What can go wrong, as types. Each says what happened and what to do, in words that a model can act on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Optional

__all__ = [
    "ApprovalRequired",
    "BudgetExceeded",
    "ConfigError",
    "ContractViolation",
    "PolicyDenied",
    "SeawallError",
    "ToolTimeout",
]


class SeawallError(Exception):
    """Whatever Seawall raises. A tool's own exceptions are never wrapped in it.

    `str()` is one line with everything that an agent needs to correct itself: `[CODE] what happened. Remedy: what to do.`
    """

    #: A stable code of the documentation's list.
    code = "ERROR"
    #: Whether the same call may succeed later, unchanged.
    retryable = False

    def __init__(self, message: str, *, code: Optional[str] = None, remedy: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        text = f"[{self.code}] {self.message}"
        if self.remedy:
            text += f". Remedy: {self.remedy}"
        if self.retryable:
            text += ". The same call may be tried again later"
        return text

    def __repr__(self) -> str:
        # Some frameworks show a model the `repr` of what was raised: the remedy must be in it.
        return f"{type(self).__name__}({str(self)!r})"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, for a tool result or a log."""
        return {"error": self.code, "message": self.message, "remedy": self.remedy, "retryable": self.retryable}

    def __reduce__(self) -> Any:
        # Exceptions cross process borders in pools and task queues; their keyword arguments would be lost.
        return _restored, (type(self), dict(self.__dict__), self.args)


def _restored(kind: type[SeawallError], fields: dict[str, Any], args: tuple[Any, ...]) -> SeawallError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class ConfigError(SeawallError, ValueError):
    """A policy, an option or the place of a call is wrong; nothing has been done."""

    code = "CONFIG_ERROR"


class PolicyDenied(SeawallError):
    """The policy refuses the call, or something that the tool tried to do while it ran."""

    code = "TOOL_NOT_ALLOWED"

    def __init__(
        self,
        message: str,
        *,
        code: Optional[str] = None,
        remedy: Optional[str] = None,
        findings: Optional[list[dict[str, Any]]] = None,
        action: Optional[str] = None,
    ) -> None:
        super().__init__(message, code=code, remedy=remedy)
        #: Everything that was found, each with `rule, code, severity, message, where, remedy`.
        self.findings = findings or []
        #: The action's id in the trace.
        self.action = action

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "findings": self.findings}


class BudgetExceeded(SeawallError):
    """A budget has not enough left for the call."""

    code = "BUDGET_EXCEEDED"

    def __init__(
        self,
        message: str,
        *,
        code: Optional[str] = None,
        remedy: Optional[str] = None,
        scope: Optional[str] = None,
        limit_usd: Optional[Decimal] = None,
        spent_usd: Optional[Decimal] = None,
        held_usd: Optional[Decimal] = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message, code=code, remedy=remedy)
        self.scope = scope
        self.limit_usd = limit_usd
        self.spent_usd = spent_usd
        self.held_usd = held_usd
        self.retryable = retryable


class ApprovalRequired(SeawallError):
    """A person must approve the call first. The same call with the same arguments goes through once that is done, in another
    run (of another process, say) where `run(approvals=[error.approval_id])` names the approval."""

    code = "APPROVAL_REQUIRED"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        code: Optional[str] = None,
        remedy: Optional[str] = None,
        approval_id: Optional[str] = None,
        expires_at: Optional[datetime] = None,
    ) -> None:
        super().__init__(message, code=code, remedy=remedy)
        #: What a person decides on: `seawall approvals allow ID`.
        self.approval_id = approval_id
        #: When the call is refused by itself.
        self.expires_at = expires_at

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "approval_id": self.approval_id}


class ToolTimeout(SeawallError, TimeoutError):
    """The tool took longer than it may. It can't be ended in this process; what it still tries to do is refused."""

    code = "TIMEOUT"
    retryable = True


class ContractViolation(SeawallError):
    """The tool's result is not what its contract says."""

    code = "TOOL_CONTRACT"
