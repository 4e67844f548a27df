"""A run: a policy, a sandbox, budgets and a trace, in force between its beginning and its end."""

from __future__ import annotations

import atexit
import contextlib
import functools
import inspect
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping
from contextvars import Token, copy_context
from decimal import Decimal
from typing import Any, Optional, TypeVar, Union

from seawall import _seawall, audit
from seawall._context import RUN, WAIT
from seawall._gateway import Routed, address_of
from seawall.errors import ConfigError
from seawall.policy import PathLike, Policy

__all__ = ["RunContext", "configure", "run"]

#: The runs that have begun and not ended, for the end of the process.
_OPEN: weakref.WeakSet[RunContext] = weakref.WeakSet()

F = TypeVar("F", bound=Callable[..., Any])
PolicyChoice = Union[str, "os.PathLike[str]", Policy, None]
Money = Union[str, int, float, Decimal, None]


def run(
    policy: PolicyChoice = "safe",
    sandbox: Optional[PathLike] = None,
    trace: Optional[PathLike] = "auto",
    strict: bool = True,
    run_id: Optional[str] = None,
    tags: Optional[Mapping[str, str]] = None,
    max_cost_usd: Money = None,
    max_tokens: Optional[int] = None,
    max_usd_per_minute: Money = None,
    allow_outside_root: bool = False,
    data_dir: Optional[PathLike] = None,
    content: Optional[str] = None,
    approvals: Iterable[str] = (),
    wait_for_approval: float = 0,
    approval_expires_after: float = 3600,
    gateway: Union[bool, str, None] = None,
) -> RunContext:
    """A run for `with`, `async with`, or as a decorator, which makes a run of each call.

    `policy` is a preset's name, a file's path, a `Policy`, or `None` for none; a name that means nothing is a
    `ConfigError`. `sandbox` is the folder that relative paths mean; without one it is a folder of the run's own.
    `trace` is `"auto"` (in the data folder), `None`, or a path where a copy is put when the run ends. With `strict=False`
    findings are recorded and refuse nothing. Money is exact: floats count as they are printed. `content` is what the trace
    keeps of what tools are given and give: `"none"`, `"redacted"` (the default) or `"full"`.

    Where the policy wants a person to decide, a call raises `ApprovalRequired` and passes when it is made again after it was
    allowed. With `wait_for_approval` it waits so many seconds for the person instead. `approvals` are the `approval_id`s
    that earlier runs were given, each good for the call that it was asked for.

    With `gateway`, clients of OpenAI, Anthropic and Google that are made while the run lasts send their calls through the
    gateway at this address (`True`: `$SEAWALL_GATEWAY`, else 127.0.0.1:8000), whose budgets and policy hold for them.
    """
    policy, sandbox = _policy_and_sandbox(policy, sandbox)
    _seawall.check_policy(policy)
    is_copied = trace is not None and trace != "auto"
    return RunContext(
        {
            "policy": policy,
            "sandbox": sandbox,
            "trace": trace is not None,
            "strict": bool(strict),
            "run_id": run_id,
            "tags": {str(name): str(value) for name, value in (tags or {}).items()},
            "max_cost_usd": _money("max_cost_usd", max_cost_usd),
            "max_tokens": max_tokens,
            "max_usd_per_minute": _money("max_usd_per_minute", max_usd_per_minute),
            "allow_outside_root": bool(allow_outside_root),
            "data_dir": None if data_dir is None else os.fspath(data_dir),
            "content": content,
            "approvals": [str(approval) for approval in approvals],
            "wait_for_approval": _seconds("wait_for_approval", wait_for_approval),
            "approval_expires_after": _seconds("approval_expires_after", approval_expires_after),
        },
        trace_copy=os.path.abspath(os.fspath(trace)) if is_copied else None,
        gateway=address_of(gateway),
    )


def configure(*, default_policy: PolicyChoice = None, **options: Any) -> None:
    """What guarded functions do outside of any run: with a policy, they run in one that lasts as long as the process.

    Takes what `run` takes. Without a policy, calls outside of a run are refused again, which is how it begins.
    """
    Default.replace(None if default_policy is None else run(default_policy, **options))


def _policy_and_sandbox(policy: PolicyChoice, sandbox: Optional[PathLike]) -> tuple[str, Optional[str]]:
    inside = None if sandbox is None else os.fspath(sandbox)
    if policy is None:
        return "off", inside  # Money and the trace alone.
    if isinstance(policy, Policy):
        return policy.source, inside or policy.sandbox
    if isinstance(policy, (str, os.PathLike)):
        return os.fspath(policy), inside
    raise ConfigError(
        f"a policy is a preset's name, a path or a Policy, not {type(policy).__name__}",
        remedy="use Policy.load(FILE) or a name such as 'safe'",
    )


def _seconds(name: str, seconds: float) -> float:
    try:
        return float(seconds)
    except (TypeError, ValueError):
        raise ConfigError(f"{name} is no number of seconds: {seconds!r}", remedy="give a number such as 120") from None


def _money(name: str, amount: Money) -> Optional[str]:
    if amount is None:
        return None
    try:
        usd = Decimal(str(amount))
    except ArithmeticError:
        usd = Decimal("NaN")
    if isinstance(amount, bool) or not usd.is_finite() or usd < 0:
        raise ConfigError(f"{name} is no amount of dollars: {amount!r}", remedy="give a number such as 5.0")
    return f"{usd:f}"


class RunContext:
    """One run. It begins when it is entered and ends with the block; what is bound to it can't be called after that."""

    def __init__(
        self, options: Mapping[str, Any], *, trace_copy: Optional[str] = None, gateway: Optional[str] = None
    ) -> None:
        self._options = options
        self._trace_copy = trace_copy
        self._gateway = gateway
        self._native: Optional[_seawall.Run] = None
        self._tools: dict[str, Callable[..., Any]] = {}
        self._token: Optional[Token[Optional[RunContext]]] = None
        self._state = threading.Lock()
        self._ended = False

    # Beginning and end

    def __enter__(self) -> RunContext:
        self._begin()
        self._token = RUN.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        token, self._token = self._token, None
        if token is not None:
            # An event loop may leave an `async with` in another context than it entered it in; then the one in which
            # the run was set is gone, and there is nothing to be put back.
            with contextlib.suppress(ValueError):
                RUN.reset(token)
        self.close()

    async def __aenter__(self) -> RunContext:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _begin(self) -> None:
        with self._state:
            if self._native is not None:
                raise ConfigError("the run has begun already", remedy="make a new one with run(...)")
            audit.install()
            outer = RUN.get()
            inside = None if outer is None or outer._ended else outer._native
            native = _seawall.Run(inside, **self._options)
            if self._gateway is not None:
                try:
                    Routed.begin(self._gateway)
                except BaseException:
                    native.finish()
                    raise
            self._native = native
            _OPEN.add(self)

    def close(self) -> None:
        """Ends the run. Leaving the block does it; doing it twice changes nothing."""
        with self._state:
            if self._native is None or self._ended:
                return
            self._ended = True
            _OPEN.discard(self)
            if self._gateway is not None:
                Routed.end()
            self._native.finish()
        if self._trace_copy is not None and self.trace_path is not None:
            os.makedirs(os.path.dirname(self._trace_copy), exist_ok=True)
            shutil.copyfile(self.trace_path, self._trace_copy)

    def __call__(self, function: F) -> F:
        """As a decorator: each call of the function is a run of its own."""
        return _in_a_run_of_its_own(function, self._another)

    def _another(self) -> RunContext:
        return RunContext(self._options, trace_copy=self._trace_copy, gateway=self._gateway)

    @property
    def native(self) -> _seawall.Run:
        """The native half, while the run lasts."""
        if self._native is None:
            raise ConfigError("the run has not begun", remedy="enter it with `with run(...) as ctx:`")
        if self._ended:
            raise ConfigError("the run has ended", remedy="call the tool inside of its run, or guard it in another")
        return self._native

    @property
    def _begun(self) -> _seawall.Run:
        return self._native if self._native is not None else self.native

    # Tools

    def tool(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Guards a function in this run, with the options of `guard`, and makes it known by its name for `call`."""
        from seawall.guard import guarded_in

        guarded = guarded_in(self, function, **options)
        self._tools[guarded.__seawall__.name] = guarded
        return guarded

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Calls a tool by its name. For an async tool it gives what is to be awaited, as calling it would."""
        return self._tool(name)(**arguments)

    async def acall(self, name: str, /, **arguments: Any) -> Any:
        """Calls a tool by its name from async code. A sync tool runs in a thread, so that it holds up nobody."""
        import asyncio

        from seawall._threads import apart, in_this_context

        tool = self._tool(name)
        if inspect.iscoroutinefunction(tool):
            return await tool(**arguments)
        call = functools.partial(tool, **arguments)
        wait = _seawall.Wait(is_long=True)
        token = WAIT.set(wait)
        try:
            if tool.__seawall__.asks((), arguments):
                result = await apart(call)
            else:
                result = await asyncio.get_running_loop().run_in_executor(None, in_this_context(call))
        except asyncio.CancelledError:
            wait.give_up()
            raise
        finally:
            WAIT.reset(token)
        return await result if inspect.isawaitable(result) else result

    def _tool(self, name: str) -> Callable[..., Any]:
        try:
            return self._tools[name]
        except KeyError:
            known = ", ".join(sorted(self._tools)) or "none yet"
            raise ConfigError(
                f"no tool is called {name!r}", remedy=f"give it to ctx.tool first; known are: {known}"
            ) from None

    # Money and what is known of the run

    def record_usage(
        self,
        *,
        model: str,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cost_usd: Money = None,
    ) -> None:
        """Charges a model call that was made by other means. Without a cost it is priced by the built-in table.

        What has been spent is always recorded; when a budget is used up by it, the next call is refused.
        """
        self.native.record_usage(model, input_tokens, output_tokens, _money("cost_usd", cost_usd))

    @property
    def spent_usd(self) -> Decimal:
        """What the run has cost so far, exactly."""
        return Decimal(self._begun.spent_usd)

    @property
    def run_id(self) -> str:
        """The run's id in the trace and the console."""
        return self._begun.run_id

    @property
    def trace_path(self) -> Optional[str]:
        """The file that the trace is written to; `None` when there is none."""
        return self._begun.trace_path

    @property
    def sandbox(self) -> str:
        """The folder that relative paths mean."""
        return self._begun.sandbox

    def report(self, format: str = "md") -> str:
        """The run on one page: `md`, `html` or `json`."""
        return self._begun.report(format)

    def __repr__(self) -> str:
        if self._native is None:
            return f"<run of policy {self._options['policy']!r}, not begun>"
        return f"<run {self.run_id}{', ended' if self._ended else ''}>"


def _in_a_run_of_its_own(function: F, new: Callable[[], RunContext]) -> F:
    if inspect.isasyncgenfunction(function):
        raise ConfigError(
            f"{function.__qualname__} is an async generator, which can't be a run by itself",
            remedy="use `async with run(...)` inside of it",
        )
    wrapped: Any
    if inspect.iscoroutinefunction(function):

        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            with new():
                return await function(*args, **kwargs)

    elif inspect.isgeneratorfunction(function):

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            def generator() -> Any:
                with new():
                    return (yield from function(*args, **kwargs))

            # In a context of its own, or the run would be in force between two steps too, where it is not meant.
            return stepped(generator(), copy_context().run)

    else:

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with new():
                return function(*args, **kwargs)

    return functools.wraps(function)(wrapped)


def stepped(
    generator: Generator[Any, Any, Any],
    step: Callable[..., Any],
    passed: Callable[[Any], Any] = lambda item: item,
) -> Generator[Any, Any, Any]:
    """A generator each of whose steps is made by `step(method, *arguments)`, and each of whose items is what `passed` gives."""
    method, argument = generator.send, None
    while True:
        try:
            item = step(method, argument)
        except StopIteration as end:
            return end.value
        item = passed(item)
        try:
            method, argument = generator.send, (yield item)
        except GeneratorExit:
            step(generator.close)
            raise
        except BaseException as error:
            method, argument = generator.throw, error


class Default:
    """The run of the calls outside of any run, once `configure` has asked for one. It begins with the first of them."""

    _run: Optional[RunContext] = None
    _lock = threading.Lock()

    @classmethod
    def replace(cls, new: Optional[RunContext]) -> None:
        with cls._lock:
            old, cls._run = cls._run, new
        if old is not None:
            old.close()

    @classmethod
    def get(cls) -> Optional[RunContext]:
        with cls._lock:
            if cls._run is not None and cls._run._native is None:
                cls._run._begin()
            return cls._run


def _end_with_the_process() -> None:
    for open_run in list(_OPEN):
        open_run.close()


#: Native runs that a fork has copied. Their writer threads are the parent's; dropping them here would wait for them.
_COPIED: list[_seawall.Run] = []


def _end_in_a_fork() -> None:
    for copied in list(_OPEN):
        copied._state = threading.Lock()
        copied._ended = True
        if copied._native is not None:
            _COPIED.append(copied._native)
    _OPEN.clear()


atexit.register(_end_with_the_process)
os.register_at_fork(after_in_child=_end_in_a_fork)
