"""How a guarded call runs, by the kind of its function. The only place where a call is admitted, watched and settled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Optional

from seawall import _seawall, _threads, isolate
from seawall._context import WAIT, WATCHES
from seawall._parameters import Arguments
from seawall.errors import ConfigError, ContractViolation, ToolTimeout
from seawall.run import stepped

if TYPE_CHECKING:
    from seawall._seawall import Permit
    from seawall.guard import Tool

Args = tuple[Any, ...]

#: What is nothing but itself: neither to be awaited nor to be stepped through.
_PLAIN = frozenset({type(None), bool, int, float, str, bytes, tuple, list, dict})


def plain(tool: Tool) -> Callable[..., Any]:
    """For a sync function. Calls of these are the most, and the shortest: what every call needs is looked up here."""
    function, admit, is_free = tool.function, tool.admit, tool.contract is None
    watch, watched, unwatch = WATCHES.set, WATCHES.get, WATCHES.reset
    isolated = isolate.performer(function, tool.name) if tool.isolate else None

    def once(*args: Any, **kwargs: Any) -> Any:
        permit, args, kwargs = admit(args, kwargs)
        token = watch((permit, *watched()))
        try:
            limit = permit.time_limit if tool.timeout is None else _limit(tool, permit)
            if isolated is not None:
                result = isolated(permit, limit, *args, **kwargs)
            elif limit is None:
                result = function(*args, **kwargs)
            else:
                result = _in_a_thread(tool, permit, limit, args, kwargs)
        except BaseException as error:
            permit.failed(error)
            raise
        finally:
            unwatch(token)
        if is_free and type(result) in _PLAIN:
            return permit.settle(result)
        return _result(tool, permit, result)

    if tool.retry is None:
        return once
    retry = tool.retry

    def tried(*args: Any, **kwargs: Any) -> Any:
        attempt = 1
        while True:
            try:
                return once(*args, **kwargs)
            except BaseException as error:
                pause = retry.pause(attempt, error)
                if pause is None:
                    raise
            time.sleep(pause)
            attempt += 1

    return tried


def _limit(tool: Tool, permit: Permit) -> Optional[float]:
    """How many seconds the call may take: what the tool was guarded with, and what the policy gives every tool."""
    own, policys = tool.timeout, permit.time_limit
    if own is None or policys is None:
        return policys if own is None else own
    return min(own, policys)


def _in_a_thread(tool: Tool, permit: Permit, limit: float, args: Args, kwargs: Arguments) -> Any:
    try:
        return _threads.within(limit, lambda: tool.function(*args, **kwargs))
    except _threads.TimeIsUp:
        permit.timed_out()
        raise _too_long(tool, limit) from None


def _too_long(tool: Tool, limit: float) -> ToolTimeout:
    return ToolTimeout(
        f"{tool.name} took longer than {limit:g} s",
        remedy="let it do less at once, or give it longer: `timeout` of its guard, `limits.tool_seconds` of the policy",
    )


def _result(tool: Tool, permit: Permit, result: Any) -> Any:
    """What the caller gets. A sync function may also give what is still to be awaited or stepped through."""
    if hasattr(result, "__await__"):
        return _awaited(tool, permit, result)
    if type(result) is GeneratorType:
        return _generated(tool, permit, result)
    _hold_to_contract(tool, permit, result)
    return permit.settle(result)


def _hold_to_contract(tool: Tool, permit: Permit, result: Any) -> None:
    if tool.contract is None:
        return
    problem = tool.contract.problem(result)
    if problem is not None:
        error = ContractViolation(
            f"the result of {tool.name} is not what its contract says: {problem}",
            remedy="change the tool, or the `output` that it is guarded with",
        )
        permit.failed(error)
        raise error


async def _awaited(tool: Tool, permit: Permit, awaitable: Any) -> Any:
    token = WATCHES.set((permit, *WATCHES.get()))
    try:
        result = await awaitable
    except BaseException as error:
        permit.failed(error)
        raise
    finally:
        WATCHES.reset(token)
    _hold_to_contract(tool, permit, result)
    return permit.settle(result)


def coroutine(tool: Tool) -> Callable[..., Coroutine[Any, Any, Any]]:
    """For an async function."""
    isolated = isolate.performer(tool.function, tool.name) if tool.isolate else None

    async def once(args: Args, kwargs: Arguments) -> Any:
        permit, args, kwargs = await _admitted(tool, args, kwargs)
        limit = _limit(tool, permit)
        if isolated is not None:
            return await _awaited(tool, permit, asyncio.to_thread(isolated, permit, limit, *args, **kwargs))
        return await _awaited(tool, permit, _timed(tool, permit, tool.function(*args, **kwargs), limit, limit))

    async def tried(*args: Any, **kwargs: Any) -> Any:
        attempt = 1
        while True:
            try:
                return await once(args, kwargs)
            except BaseException as error:
                pause = tool.retry.pause(attempt, error) if tool.retry is not None else None
                if pause is None:
                    raise
            await asyncio.sleep(pause)
            attempt += 1

    return tried


#: Where nobody has decided yet, the caller is told what the call waits for.
_AT_ONCE = _seawall.Wait(is_long=False)

Admitted = tuple["Permit", Args, Arguments]


async def _admitted(tool: Tool, args: Args, kwargs: Arguments) -> Admitted:
    """The call, admitted without holding up the event loop, or the pool of threads that the whole program shares."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # Another event loop than asyncio's, which has threads of its own kind.
        return tool.admit(args, kwargs, _AT_ONCE)
    if tool.asks(args, kwargs):
        wait = WAIT.get() or _seawall.Wait(is_long=True)
        try:
            return await _threads.apart(lambda: tool.admit(args, kwargs, wait), _given_back)
        except asyncio.CancelledError:
            wait.give_up()
            raise
    if tool.looks_up(args, kwargs):
        admit = _threads.in_this_context(lambda: tool.admit(args, kwargs, _AT_ONCE))
        return await loop.run_in_executor(None, admit)
    return tool.admit(args, kwargs, _AT_ONCE)


def _given_back(admitted: Admitted) -> None:
    """The call was admitted, and nobody is there any more to make it."""
    admitted[0].failed(asyncio.CancelledError())


def _timed(tool: Tool, permit: Permit, awaitable: Any, left: Optional[float], limit: Optional[float]) -> Any:
    return awaitable if left is None or limit is None else _in_time(tool, permit, awaitable, left, limit)


async def _in_time(tool: Tool, permit: Permit, awaitable: Any, left: float, limit: float) -> Any:
    """Waits so long and no longer: a task that does not obey its cancellation is left behind, without its rights."""
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=max(left, 0))
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done():
        return task.result()
    permit.timed_out()
    task.cancel()
    # What it raises later is nobody's any more.
    task.add_done_callback(lambda task: task.cancelled() or task.exception())
    raise _too_long(tool, limit)


def generator(tool: Tool) -> Callable[..., Generator[Any, Any, Any]]:
    """For a generator function. The call is admitted with the first step; every item is looked at on its way out."""
    _takes_items_as_they_come(tool)

    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        permit, args, kwargs = tool.admit(args, kwargs)
        return (yield from _generated(tool, permit, tool.function(*args, **kwargs)))

    return guarded


def _takes_items_as_they_come(tool: Tool) -> None:
    for option in ("retry", "isolate"):
        if getattr(tool, option):
            raise ConfigError(
                f"{tool.name} is a generator, for which there is no {option}",
                remedy="let it return a list, or leave the option out",
            )


def _generated(
    tool: Tool, permit: Permit, inner: Generator[Any, Any, Any]
) -> Generator[Any, Any, Any]:
    limit = _limit(tool, permit)
    until = None if limit is None else time.monotonic() + limit

    def step(method: Callable[..., Any], *argument: Any) -> Any:
        token = WATCHES.set((permit, *WATCHES.get()))
        try:
            item = method(*argument)
        finally:
            WATCHES.reset(token)
        # Nothing can end a step that is under way in this thread; what came too late is not handed on.
        if until is not None and limit is not None and time.monotonic() > until:
            permit.timed_out()
            inner.close()
            raise _too_long(tool, limit)
        return item

    try:
        if permit.looks_into_result:
            # What is looked for may lie across two items, so that none goes on before all are known.
            items = list(stepped(inner, step, lambda item: _held(tool, permit, item)))
            yield from permit.settle(items)
            return None
        result = yield from stepped(inner, step, lambda item: _held(tool, permit, item))
    except GeneratorExit:
        permit.settle(None)
        raise
    except BaseException as error:
        permit.failed(error)
        raise
    return permit.settle(result)


def _held(tool: Tool, permit: Permit, item: Any) -> Any:
    _hold_to_contract(tool, permit, item)
    return item


def async_generator(tool: Tool) -> Callable[..., AsyncGenerator[Any, Any]]:
    """For an async generator function."""
    _takes_items_as_they_come(tool)

    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        permit, args, kwargs = await _admitted(tool, args, kwargs)
        inner = tool.function(*args, **kwargs)
        limit = _limit(tool, permit)
        until = None if limit is None else time.monotonic() + limit
        method, argument = inner.asend, None
        held_back: Optional[list[Any]] = [] if permit.looks_into_result else None
        try:
            while True:
                try:
                    item = await _step(tool, permit, method(argument), until, limit)
                except StopAsyncIteration:
                    break
                if held_back is not None:
                    held_back.append(item)
                    method, argument = inner.asend, None
                    continue
                try:
                    method, argument = inner.asend, (yield item)
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:
                    method, argument = inner.athrow, error
            for item in permit.settle(held_back) or ():
                yield item
        except GeneratorExit:
            permit.settle(None)
            raise
        except BaseException as error:
            permit.failed(error)
            raise

    return guarded


async def _step(
    tool: Tool, permit: Permit, awaitable: Any, until: Optional[float], limit: Optional[float]
) -> Any:
    token = WATCHES.set((permit, *WATCHES.get()))
    try:
        left = None if until is None else until - time.monotonic()
        item = await _timed(tool, permit, awaitable, left, limit)
    finally:
        WATCHES.reset(token)
    return _held(tool, permit, item)
