"""Work that leaves the thread it was asked for in: it takes along what is in force there."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Any, Optional, TypeVar

from seawall._context import WATCHES

T = TypeVar("T")


class TimeIsUp(Exception):
    """The work is not done in time."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """Does the work in a thread of its own and waits for it at most so long.

    A thread can't be ended: what is not done in time goes on, and what it tries under watch is refused. No signal is
    used, so that it works in any thread and leaves the program's own signals alone.
    """
    done: concurrent.futures.Future[T] = concurrent.futures.Future()

    def fulfil() -> None:
        try:
            result = work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=in_this_context(fulfil), name="seawall-tool", daemon=True).start()
    # Not `result(timeout)`: a tool may itself raise that TimeoutError.
    if not concurrent.futures.wait((done,), timeout=seconds).done:
        raise TimeIsUp
    return done.result()


async def apart(work: Callable[[], T], left: Callable[[T], object] = lambda result: None) -> T:
    """Does the work in a thread of its own, which may take as long as it likes: neither the event loop nor the pool that the
    program shares has one thread less, and the end of the program waits for nobody.

    When the task that waits is cancelled, the work goes on, and `left` gets what comes of it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def deliver(result: Optional[T], error: Optional[BaseException]) -> None:
        if done.done():
            if error is None:
                left(result)  # type: ignore[arg-type]
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def fulfil() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(deliver, result, error)
        except RuntimeError:  # The loop has ended, and whoever waited with it.
            if error is None:
                left(result)  # type: ignore[arg-type]

    threading.Thread(target=in_this_context(fulfil), name="seawall-wait", daemon=True).start()
    return await done


def in_this_context(work: Callable[..., T]) -> Callable[..., T]:
    """The work as it would run here, wherever it is called."""
    return functools.partial(contextvars.copy_context().run, work)


def _start(start: Callable[[threading.Thread], None], thread: threading.Thread) -> None:
    if WATCHES.get():
        # Only while a guarded call is under way: elsewhere threads begin with an empty context, as ever.
        vars(thread)["run"] = in_this_context(thread.run)
    start(thread)


def _submit(submit: Callable[..., Any], pool: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    if not WATCHES.get():
        return submit(pool, function, *args, **kwargs)
    function = in_this_context(function)
    # The pool's threads outlive the call and work for others: the watch goes with the work and not with them.
    token = WATCHES.set(())
    try:
        return submit(pool, function, *args, **kwargs)
    finally:
        WATCHES.reset(token)


def carry_watches() -> None:
    """From now on threads and pools that a guarded call uses are watched with it."""
    _replace(threading.Thread, "start", _start)
    _replace(concurrent.futures.ThreadPoolExecutor, "submit", _submit)


def _replace(kind: type, name: str, stand_in: Callable[..., Any]) -> None:
    original = getattr(kind, name)

    @functools.wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        return stand_in(original, *args, **kwargs)

    setattr(kind, name, method)
