"""Trying again, where the one who guarded the tool has said for which errors that makes sense."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from seawall.errors import ConfigError, SeawallError


@dataclass(frozen=True)
class Retry:
    """How often, how long apart, and after which errors. Every attempt is an action of its own: judged, paid, traced."""

    attempts: int
    backoff: float
    longest: float
    on: tuple[type[BaseException], ...]

    def pause(self, attempt: int, error: BaseException) -> Optional[float]:
        """The seconds to wait after this attempt, the first being 1; `None` when the error stands.

        The pause doubles, up to the longest, and lies at random between its half and its whole, so that callers that
        failed together don't come back together.
        """
        if attempt >= self.attempts or isinstance(error, SeawallError) or not isinstance(error, self.on):
            return None
        whole = min(self.longest, self.backoff * 2 ** (attempt - 1))
        return whole * random.uniform(0.5, 1)


_KEYS = {"attempts", "backoff", "max", "on"}


def retry_of(declared: Optional[Mapping[str, Any]]) -> Optional[Retry]:
    """What `guard(retry=…)` was given, checked."""
    if declared is None:
        return None
    unknown = set(declared) - _KEYS
    on = tuple(declared.get("on", ()))
    attempts, backoff, longest = declared.get("attempts", 3), declared.get("backoff", 0.1), declared.get("max", 5)
    if unknown:
        raise ConfigError(f"retry has no {', '.join(sorted(unknown))}", remedy="it takes attempts, backoff, max and on")
    if not on or not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in on):
        raise ConfigError("retry does not say after which errors", remedy="add 'on': [ConnectionError]")
    if attempts < 1 or backoff < 0 or longest < 0:
        raise ConfigError("retry needs attempts of at least 1, and pauses of at least 0", remedy="change the numbers")
    return Retry(attempts, backoff, longest, on)
