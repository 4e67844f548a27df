"""Waiting for something that another process does."""

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def until(what: str, look: Callable[[], Seen | None], seconds: float = 10.0) -> Seen:
    """What `look` sees as soon as it sees something. Fails, naming what was waited for, when the time is over.

    For conditions that must come to hold, never for repeating a test that failed.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain: {what} (last seen: {seen!r})")
        time.sleep(0.01)
