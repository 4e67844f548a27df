"""Guarding functions: each call is admitted, performed with the arguments that were judged, and settled."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Optional, TypeVar, Union, overload

from seawall import _calls, _seawall
from seawall._context import RUN, WAIT
from seawall._effects import Effects, effects_of
from seawall._parameters import Arguments, Parameters
from seawall.contract import Contract, contract_of
from seawall.errors import ConfigError
from seawall.retry import Retry, retry_of
from seawall.run import Default, Money, RunContext, _money

__all__ = ["guard"]

F = TypeVar("F", bound=Callable[..., Any])


@overload
def guard(fn: F) -> F: ...


@overload
def guard(
    fn: None = None,
    *,
    name: Optional[str] = None,
    effects: Effects = None,
    timeout: Optional[float] = None,
    retry: Optional[Mapping[str, Any]] = None,
    output: Any = None,
    cost_usd: Money = None,
    idempotent: bool = False,
    isolate: bool = False,
) -> Callable[[F], F]: ...


def guard(fn: Any = None, **options: Any) -> Any:
    """Puts a function, sync or async, generator or method, behind the checkpoint of its run.

    A function that is guarded inside of a run stays bound to it, also when another thread calls it; one that is guarded
    outside of any run takes the run in which it is called.

    `effects` maps parameters to `fs_read`, `fs_write`, `fs_delete`, `net`, `exec` or `ignore`, or lists what the whole
    tool does; what is not said is derived from type hints, names and values. `timeout` is in seconds. `retry` is
    `{"attempts": 3, "backoff": 0.1, "max": 5, "on": [ConnectionError]}`. `output` is a type or a JSON Schema that the
    result must have. `cost_usd` is what one call costs. With `isolate=True` the function runs in a process that the
    kernel confines.
    """
    return _guard(RUN.get(), fn, options)


def guarded_in(run: Optional[RunContext], function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The function guarded in this run; one that is guarded already is guarded anew, by itself."""
    known = getattr(function, "__seawall__", None)
    return _guard(run, known.function if known is not None else function, options)


def _guard(run: Optional[RunContext], function: Any, options: Mapping[str, Any]) -> Any:
    if function is None:
        return lambda function: _guard(run, function, options)
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(_guard(run, function.__func__, options))
    if not callable(function):
        raise ConfigError(f"a {type(function).__name__} can't be called", remedy="guard a function")
    return wrapped(Tool(run, function, **options))


class Tool:
    """A guarded function with everything that its calls need."""

    __slots__ = (
        "admitted_as",
        "contract",
        "cost_usd",
        "effects",
        "function",
        "idempotent",
        "isolate",
        "name",
        "names_hosts",
        "parameters",
        "retry",
        "run",
        "timeout",
    )

    def __init__(
        self,
        run: Optional[RunContext],
        function: Callable[..., Any],
        *,
        name: Optional[str] = None,
        effects: Effects = None,
        timeout: Optional[float] = None,
        retry: Optional[Mapping[str, Any]] = None,
        output: Any = None,
        cost_usd: Money = None,
        idempotent: bool = False,
        isolate: bool = False,
    ) -> None:
        if timeout is not None and not timeout > 0:
            raise ConfigError(f"timeout is {timeout!r}", remedy="give a number of seconds above zero")
        self.run = run
        self.function = function
        self.name = name or getattr(function, "__name__", None) or type(function).__name__
        self.cost_usd = _money("cost_usd", cost_usd)
        self.effects = effects_of(function, self.name, effects)
        self.parameters = Parameters(function)
        self.timeout = timeout
        self.retry: Optional[Retry] = retry_of(retry)
        self.admitted_as = _seawall.Tool(self.name, self.effects, self.cost_usd)
        self.contract: Optional[Contract] = contract_of(output)
        self.idempotent = idempotent
        self.isolate = isolate
        self.names_hosts = _names_hosts(self)

    def native(self) -> Any:
        """The run that the call belongs to."""
        run = self.run or RUN.get() or Default.get()
        if run is None:
            raise ConfigError(
                f"{self.name} is guarded, and there is no run",
                remedy="call it inside of `with run(...)`, or call seawall.configure(default_policy='safe') once",
            )
        return run.native

    def admit(
        self, args: tuple[Any, ...], kwargs: Arguments, wait: Optional[_seawall.Wait] = None
    ) -> tuple[Any, tuple[Any, ...], Arguments]:
        """The permit, and the call with the arguments that it allows."""
        arguments = self.parameters.judged(args, kwargs)
        permit = self.native().admit(self.admitted_as, arguments, wait or WAIT.get())
        changed = permit.changed
        if changed is not None:
            args, kwargs = self.parameters.replaced(args, kwargs, changed)
        return permit, args, kwargs

    def asks(self, args: tuple[Any, ...], kwargs: Arguments) -> bool:
        """Whether admitting would ask a person, which async code has to leave to a thread of its own: it may take hours."""
        native = self.native()
        return native.may_ask and native.asks(self.admitted_as, self.parameters.judged(args, kwargs))

    def looks_up(self, args: tuple[Any, ...], kwargs: Arguments) -> bool:
        """Whether admitting may look up the name of a host, which async code has to leave to a thread."""
        if self.names_hosts:
            return True
        return any(isinstance(value, str) and "://" in value for value in (*args, *kwargs.values()))


#: Parts of the names of parameters that may name a host.
_HOSTS = ("url", "host", "endpoint", "link", "href", "webhook")


def _names_hosts(tool: Tool) -> bool:
    effects = tool.effects or ()
    declared = effects.values() if isinstance(effects, Mapping) else effects
    return "net" in declared or any(part in name.lower() for name in tool.parameters.names for part in _HOSTS)


def wrapped(tool: Tool) -> Callable[..., Any]:
    """The function that stands in the tool's place."""
    function: Union[Callable[..., Any], Any] = tool.function
    called = function if inspect.isroutine(function) or isinstance(function, functools.partial) else function.__call__
    if inspect.isasyncgenfunction(called):
        stand_in = _calls.async_generator(tool)
    elif inspect.iscoroutinefunction(called):
        stand_in = _calls.coroutine(tool)
    elif inspect.isgeneratorfunction(called):
        stand_in = _calls.generator(tool)
    else:
        stand_in = _calls.plain(tool)
    if not hasattr(function, "__name__"):
        stand_in.__name__ = tool.name
    guarded = functools.wraps(function)(stand_in)
    guarded.__seawall__ = tool
    return guarded
