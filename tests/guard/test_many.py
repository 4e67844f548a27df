"""Many callers at once: each call counts in its own run, each run has one trace, and no cent is lost or made up."""

import asyncio
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

from seawall import BudgetExceeded, guard, run

THREADS, CALLS = 16, 1_000
CENT = Decimal("0.01")


def kinds(trace: str) -> Counter:
    events = [json.loads(line) for line in Path(trace).read_text().splitlines()]
    assert [event["seq"] for event in events] == list(range(len(events)))
    return Counter(event["kind"] for event in events)


def test_threads_with_a_run_each_do_not_meet():
    def work(number: int) -> tuple[str, Decimal, str]:
        with run(policy="fs_safe", sandbox=f"sb{number}", max_cost_usd=CALLS * CENT) as ctx:

            @guard(cost_usd=CENT)
            def note(path: str, text: str) -> str:
                if text == "0":
                    Path(path).write_text(str(number))
                return path

            for call in range(CALLS):
                assert note("a.txt", str(call)) == f"{ctx.sandbox}/a.txt"
            try:
                note("b.txt", "0")
            except BudgetExceeded as refused:
                assert refused.scope == f"run:{ctx.run_id}"
            else:
                raise AssertionError("a call more than was paid for")
        return ctx.trace_path, ctx.spent_usd, ctx.run_id

    with ThreadPoolExecutor(THREADS) as pool:
        runs = list(pool.map(work, range(THREADS)))
    assert len({run_id for _, _, run_id in runs}) == THREADS
    for number, (trace, spent, _) in enumerate(runs):
        assert spent == CALLS * CENT
        found = kinds(trace)
        assert (found["action.admitted"], found["action.settled"], found["action.denied"]) == (CALLS, CALLS, 1)
        assert (found["run.started"], found["run.finished"]) == (1, 1)
        assert Path(f"sb{number}/a.txt").read_text() == str(number)
        assert not Path(f"sb{number}/b.txt").exists()


def test_threads_in_one_run_spend_what_it_has_and_no_more():
    paid_for = 10_000

    with run(policy="fs_safe", sandbox="sb", max_cost_usd=paid_for * CENT) as ctx:

        @guard(cost_usd=CENT)
        def work(number: int) -> int:
            return number

        def calls(thread: int) -> int:
            done = 0
            for call in range(CALLS):
                try:
                    assert work(thread * CALLS + call) == thread * CALLS + call
                    done += 1
                except BudgetExceeded:
                    pass
            return done

        with ThreadPoolExecutor(THREADS) as pool:
            done = sum(pool.map(calls, range(THREADS)))
        assert (done, ctx.spent_usd) == (paid_for, paid_for * CENT)
    found = kinds(ctx.trace_path)
    assert found["action.admitted"] == found["action.settled"] == paid_for
    assert found["action.denied"] == THREADS * CALLS - paid_for


def test_a_thousand_tasks_in_nested_runs_keep_apart():
    families, children = 100, 10

    async def family(number: int) -> tuple[str, Decimal]:
        async with run(policy="fs_safe", sandbox=f"sb{number}", max_cost_usd=children * CENT) as ctx:

            @guard(cost_usd=CENT)
            async def work(path: str) -> str:
                await asyncio.sleep(0)
                return path

            async def child(place: int) -> None:
                assert await work(f"{place}.txt") == f"{ctx.sandbox}/{place}.txt"

            await asyncio.gather(*(child(place) for place in range(children)))
        return ctx.trace_path, ctx.spent_usd

    async def main() -> list[tuple[str, Decimal]]:
        return await asyncio.gather(*(family(number) for number in range(families)))

    with run(policy="fs_safe", sandbox="outer", max_cost_usd=families * children * CENT) as outer:
        runs = asyncio.run(main())
        assert outer.spent_usd == families * children * CENT, "the outer run pays too"
    for trace, spent in runs:
        assert spent == children * CENT
        found = kinds(trace)
        assert found["action.admitted"] == found["action.settled"] == children
    assert len({trace for trace, _ in runs}) == families
