"""Kinds of functions, time-outs, retries, contracts, and what a call is bound to."""

import asyncio
import threading
import time
from decimal import Decimal
from typing import Optional, TypedDict

import pytest
import seawall
from seawall._context import RUN
from seawall import ConfigError, ContractViolation, PolicyDenied, ToolTimeout, guard, run

KEY = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 3


class Files:
    @guard
    def read(self, path: str) -> str:
        return path

    @guard()
    @classmethod
    def of(cls, path: str) -> str:
        return path


def test_methods_are_guarded_and_their_object_is_not_judged():
    with run(policy="fs_safe", sandbox="sb") as ctx:
        assert Files().read("a") == f"{ctx.sandbox}/a" == Files.of("a")
        with pytest.raises(PolicyDenied):
            Files().read("/etc/passwd")


def test_async_functions_and_generators_are_what_they_were():
    @guard
    async def one(path: str):
        await asyncio.sleep(0)
        return path

    @guard
    async def several(path: str):
        for n in range(3):
            yield n, path

    @guard
    def lines(path: str):
        got = yield path
        return got

    async def main():
        return await one("a"), [item async for item in several("b")]

    with run(policy="fs_safe", sandbox="sb") as ctx:
        first, rest = asyncio.run(main())
        assert first == f"{ctx.sandbox}/a" and rest == [(n, f"{ctx.sandbox}/b") for n in range(3)]
        stepped = lines("c")
        assert next(stepped) == f"{ctx.sandbox}/c"
        with pytest.raises(StopIteration, match="sent"):
            stepped.send("sent")
        with pytest.raises(PolicyDenied):
            next(lines("/etc/passwd"))


def test_the_steps_of_a_generator_are_watched_and_what_lies_between_is_not():
    @guard
    def reading():
        yield 1
        yield open("/etc/passwd").read()

    with run(policy="fs_safe", sandbox="sb"):
        stepped = reading()
        next(stepped)
        assert open("/etc/passwd").read()
        with pytest.raises(PolicyDenied):
            next(stepped)


def test_a_secret_is_taken_out_of_what_a_tool_gives(home):
    @guard
    def config():
        return {"keys": [KEY], "n": 1}

    @guard
    def parts():
        yield KEY[:20]
        yield KEY

    with run(policy="strict"):
        given = config()
        assert KEY not in str(given) and given["n"] == 1
        assert KEY not in "".join(parts())


def test_a_time_out_returns_at_once_and_takes_the_rights_away():
    caught, go = [], threading.Event()

    def slow():
        go.wait()
        try:
            caught.append(open("/etc/passwd"))
        except ToolTimeout as error:
            caught.append(error.code)
        finally:
            go.clear()

    with run(policy="fs_safe", sandbox="sb") as ctx:
        ctx.tool(slow, timeout=0.05)
        began = time.monotonic()
        with pytest.raises(ToolTimeout, match="took longer than 0.05 s") as timed_out:
            ctx.call("slow")
        assert time.monotonic() - began < 2 and timed_out.value.retryable
        go.set()
        while go.is_set():
            threading.Event().wait(0.001)
    assert caught == ["TIMEOUT"]


def test_an_async_time_out_does_not_wait_for_a_task_that_ignores_it():
    async def stubborn():
        while True:
            try:
                await asyncio.sleep(0.3)
                return
            except asyncio.CancelledError:
                pass

    async def main():
        async with run(policy="safe") as ctx:
            ctx.tool(stubborn, timeout=0.05)
            with pytest.raises(ToolTimeout):
                await ctx.acall("stubborn")

    asyncio.run(main())


def test_a_tools_own_exception_passes_unchanged():
    error = KeyError("mine")

    def bad():
        raise error

    with run(policy="safe") as ctx:
        for timeout in (None, 5):
            ctx.tool(bad, timeout=timeout)
            with pytest.raises(KeyError) as caught:
                ctx.call("bad")
            assert caught.value is error


def test_retries_are_for_what_was_named_and_each_is_an_action(events):
    tries = []

    def flaky():
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("again")
        return "done"

    with run(policy="safe") as ctx:
        ctx.tool(flaky, retry={"attempts": 3, "backoff": 0.001, "max": 1, "on": [ConnectionError]})
        assert ctx.call("flaky") == "done" and len(tries) == 3
        tries.clear()
        ctx.tool(flaky, retry={"on": [ValueError]})
        with pytest.raises(ConnectionError):
            ctx.call("flaky")
        with pytest.raises(ConfigError, match="after which errors"):
            ctx.tool(flaky, retry={"attempts": 3})
    assert sum(event["kind"] == "action.admitted" for event in events(ctx)) == 4


class Row(TypedDict):
    name: str
    size: int


@pytest.mark.parametrize("output, good, bad", [
    (int, 1, "1"),
    (int, 1, True),
    (Optional[str], None, 1),
    (list[dict[str, int]], [{"a": 1}], [{"a": "1"}]),
    (tuple[int, str], (1, "a"), (1, 2)),
    (Row, {"name": "a", "size": 1}, {"name": "a"}),
    ({"type": "object", "required": ["a"], "properties": {"a": {"enum": [1, 2]}}}, {"a": 2}, {"a": 3}),
    ({"type": "array", "items": {"type": "string", "pattern": "^a"}}, ["ab"], ["b"]),
])
def test_a_result_is_held_to_its_contract(output, good, bad):
    with run(policy="safe") as ctx:
        ctx.tool(lambda value: value, name="give", output=output)
        assert ctx.call("give", value=good) == good
        with pytest.raises(ContractViolation) as caught:
            ctx.call("give", value=bad)
    assert caught.value.code == "TOOL_CONTRACT"


def test_no_schema_and_no_schema_from_elsewhere_is_an_error():
    for output in ({"type": 1}, {"$ref": "https://example.com/schema.json"}):
        with run(policy="safe") as ctx, pytest.raises(ConfigError):
            ctx.tool(lambda: 1, name="give", output=output)


def test_a_guarded_function_stays_in_its_run_and_ends_with_it():
    with run(policy="safe") as outer:
        @guard
        def who(n: int) -> int:
            return n

        with run(policy="safe"):
            assert who(1) == 1
    assert "who" in outer.report()
    with pytest.raises(ConfigError, match="has ended"):
        who(1)


def test_made_outside_of_any_run_it_takes_the_one_of_the_call():
    @guard
    def free(path: str) -> str:
        return path

    with pytest.raises(ConfigError, match="there is no run"):
        free("a")
    with run(policy="fs_safe", sandbox="sb") as ctx:
        assert free("a") == f"{ctx.sandbox}/a"
    seawall.configure(default_policy="fs_safe", sandbox="other")
    assert free("a").endswith("/other/a")


def test_runs_nest_and_the_outer_one_pays_too():
    with run(policy="safe") as outer:
        with run(policy="safe") as inner:
            inner.tool(lambda: 1, name="work", cost_usd="0.5")
            inner.call("work")
        assert inner.spent_usd == outer.spent_usd == Decimal("0.5")


def test_a_decorated_function_has_a_run_for_each_call():
    ids = []

    @run(policy="safe")
    def job():
        ids.append(RUN.get().run_id)

    @run(policy="safe")
    async def async_job():
        job()
        ids.append(RUN.get().run_id)

    job()
    asyncio.run(async_job())
    assert len(set(ids)) == 3 and RUN.get() is None


def test_many_threads_share_a_run(events):
    with run(policy="fs_safe", sandbox="sb") as ctx:
        ctx.tool(lambda path: path, name="read")
        threads = [threading.Thread(target=lambda: [ctx.call("read", path="a") for _ in range(50)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(event["kind"] == "action.settled" for event in events(ctx)) == 400


def test_what_is_replaced_reaches_the_tool_however_it_was_given():
    with run(policy="fs_safe", sandbox="sb") as ctx:
        tool = ctx.tool(lambda path, other_path="b.txt", *, log_file="c.log": (path, other_path, log_file), name="write")
        there = tuple(f"{ctx.sandbox}/{name}" for name in ("a.txt", "b.txt", "c.log"))
        assert tool("a.txt") == there
        assert tool("a.txt", "b.txt") == there
        assert tool("a.txt", log_file="c.log") == there
        assert tool(other_path="b.txt", path="a.txt", log_file="c.log") == there
        with pytest.raises(TypeError, match="multiple values"):
            tool("a.txt", path="a.txt")
        with pytest.raises(TypeError):
            tool("a.txt", "b.txt", "c.log")
        # Of parts alone the rest stays as it was, and what was given is not changed.
        given = {"paths": ["a.txt", "b.txt"], "note": object()}
        got = ctx.tool(lambda **many: many, name="write_many")(**given, path="c.log")
        assert got == {"paths": list(there[:2]), "note": given["note"], "path": there[2]}
        assert given["paths"] == ["a.txt", "b.txt"]


def test_names_that_are_no_text_are_refused_where_something_is_replaced():
    with run(policy="fs_safe", sandbox="sb") as ctx:
        tool = ctx.tool(lambda **many: pytest.fail("it ran"), name="write")
        with pytest.raises(PolicyDenied) as caught:
            tool(**{"path\ud800_path": "a.txt", "path\ufffd_path": "b.txt"})
        assert caught.value.code == "TOOL_CONTRACT"


def test_wrong_arguments_are_a_type_error():
    with run(policy="safe") as ctx:
        ctx.tool(lambda path: path, name="read")
        with pytest.raises(TypeError):
            ctx.call("read", nothing=1)
