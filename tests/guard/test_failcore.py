"""What FailCore was measured to get wrong, each with the opposite result."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from seawall import BudgetExceeded, ConfigError, PolicyDenied, guard, run

from .conftest import denied


def test_an_unknown_policy_is_an_error_and_not_no_policy():
    with pytest.raises(ConfigError, match="no_such_policy"):
        run(policy="no_such_policy")


def test_a_relative_path_lands_in_the_sandbox_and_not_in_the_working_folder(home):
    with run(policy="fs_safe", sandbox="sb") as ctx:
        ctx.tool(lambda path: Path(path).write_text("x"), name="write")
        ctx.call("write", path="a.txt")
    assert (home / "sb/a.txt").exists() and not (home / "a.txt").exists()


@pytest.mark.parametrize("arguments", [
    {"path": "ok.txt", "file_path": "/etc/passwd"},
    {"src": "/etc/passwd", "dst": "ok"},
    {"filename": "/etc/passwd"},
    {"data": "../../../etc/passwd"},
    {"options": {"output": ["ok", "/etc/passwd"]}},
])
def test_every_parameter_counts_and_not_the_first_of_three_names(arguments):
    with run(policy="fs_safe", sandbox="sb") as ctx:
        ctx.tool(lambda **given: pytest.fail("it ran"), name="copy")
        with pytest.raises(PolicyDenied) as caught:
            ctx.call("copy", **arguments)
    assert caught.value.code in ("FS_OUTSIDE_ROOT", "FS_TRAVERSAL")
    assert caught.value.remedy and caught.value.findings[0]["where"].startswith("/")


@pytest.mark.parametrize("url", [
    "http://2130706433/", "http://0x7f.0.0.1/", "http://127.1/", "http://0177.0.0.1/", "http://localhost./",
    "http://foo.localhost/", "http://127.0.0.1.nip.io/", "http://metadata.google.internal/", "http://100.64.0.1/",
    "http://[::ffff:127.0.0.1]/",
])
@pytest.mark.parametrize("parameter", ["url", "link", "whatever"])
def test_an_address_in_disguise_is_refused_by_any_name(url, parameter):
    with run(policy="net_safe") as ctx:
        ctx.tool(lambda **given: pytest.fail("it ran"), name="fetch")
        with pytest.raises(PolicyDenied) as caught:
            ctx.call("fetch", **{parameter: url})
    assert caught.value.code.startswith("NET_")


def test_declared_effects_change_what_is_judged():
    with run(policy="fs_safe", sandbox="sb") as ctx:
        ctx.tool(lambda where: where, name="save", effects={"where": "fs_write"})
        assert ctx.call("save", where="a.txt") == f"{ctx.sandbox}/a.txt"
        ctx.tool(lambda note: note, name="say", effects={"note": "ignore"})
        assert ctx.call("say", note="/etc/passwd") == "/etc/passwd"
        with pytest.raises(ConfigError, match="fs_wirte"):
            ctx.tool(lambda where: where, name="typo", effects={"where": "fs_wirte"})


def test_no_alarm_is_left_behind_by_a_tool_that_raises():
    # The runner of these tests has an alarm of its own, which must neither be taken nor set anew.
    before, left = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with run(policy="safe") as ctx:
        ctx.tool(lambda: 1 / 0, name="bad", timeout=5)
        with pytest.raises(ZeroDivisionError):
            ctx.call("bad")
    assert signal.getitimer(signal.ITIMER_REAL) <= left and signal.getsignal(signal.SIGALRM) is before


def test_a_call_from_another_thread_works():
    found = []
    with run(policy="safe"):
        @guard()
        def add(a: int, b: int) -> int:
            return a + b

        threads = [threading.Thread(target=lambda n=n: found.append(add(n, 1))) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == list(range(1, 9))


def test_acall_awaits_async_tools_and_runs_sync_ones_in_a_thread():
    async def slow(n: int) -> int:
        await asyncio.sleep(0)
        return n + 1

    async def main():
        async with run(policy="safe") as ctx:
            ctx.tool(slow)
            ctx.tool(threading.get_ident, name="where")
            return await ctx.acall("slow", n=1), await ctx.acall("where")

    result, thread = asyncio.run(main())
    assert result == 2 and thread != threading.get_ident()


@dataclass
class Order:
    item: str
    path: str


@pytest.mark.parametrize("value", [b"\xff\x00", object(), {1, 2}, 10**40, float("nan"), Order("a", "b"), Decimal("1")])
def test_an_argument_that_is_no_json_is_judged_and_passes_unchanged(value):
    with run(policy="safe") as ctx:
        ctx.tool(lambda value: value, name="same")
        assert ctx.call("same", value=value) is value or isinstance(value, Order)


def test_a_path_inside_of_an_object_is_judged_and_replaced():
    with run(policy="fs_safe", sandbox="sb") as ctx:
        ctx.tool(lambda order: order, name="write_order")
        order = Order("a", "b.txt")
        assert ctx.call("write_order", order=order) == Order("a", f"{ctx.sandbox}/b.txt")
        assert order.path == "b.txt"
        with pytest.raises(PolicyDenied):
            ctx.call("write_order", order=Order("a", "/etc/passwd"))


def test_a_path_object_stays_one_and_leads_into_the_sandbox():
    with run(policy="fs_safe", sandbox="sb") as ctx:
        @guard()
        def save(where: Path, content: bytes):
            return where

        assert save(Path("a.txt"), b"x") == Path(ctx.sandbox, "a.txt")
        with denied("FS_OUTSIDE_ROOT"):
            save(Path("/etc/x"), b"x")


def test_a_budget_stops_the_next_call_and_real_usage_is_priced():
    with run(policy="safe", max_cost_usd="0.01") as ctx:
        ctx.tool(lambda: "ok", name="work")
        ctx.call("work")
        ctx.record_usage(model="sim-small", input_tokens=5000, output_tokens=5000)
        assert ctx.spent_usd == Decimal("0.015")
        with pytest.raises(BudgetExceeded) as caught:
            ctx.call("work")
    assert caught.value.limit_usd == Decimal("0.01") and caught.value.spent_usd == Decimal("0.015")


def test_a_token_limit_holds():
    with run(policy="safe", max_tokens=1500) as ctx:
        ctx.tool(lambda: "ok", name="work")
        ctx.record_usage(model="gpt-4o", input_tokens=1000, output_tokens=1000, cost_usd=0)
        with pytest.raises(BudgetExceeded) as caught:
            ctx.call("work")
    assert caught.value.code == "TOKENS_EXCEEDED"


def test_a_declared_cost_is_reserved_before_the_call():
    with run(policy="safe", max_cost_usd=0.25) as ctx:
        ctx.tool(lambda: "ok", name="search", cost_usd=0.1)
        ctx.call("search"), ctx.call("search")
        with pytest.raises(BudgetExceeded):
            ctx.call("search")
        assert ctx.spent_usd == Decimal("0.2")


def test_no_secret_is_written_into_the_trace():
    key = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 3
    with run(policy="safe") as ctx:
        ctx.tool(lambda text: text, name="say")
        ctx.call("say", text=f"my key is {key}")
    assert key not in Path(ctx.trace_path).read_text()


def test_every_block_has_its_own_code_and_words_that_a_model_can_act_on():
    with run(policy="fs_safe", sandbox="sb") as ctx:
        ctx.tool(lambda path: path, name="read")
        with pytest.raises(PolicyDenied) as caught:
            ctx.call("read", path="../x")
    error = caught.value
    assert error.code == "FS_TRAVERSAL" and str(error).startswith("[FS_TRAVERSAL] ") and "Remedy: " in str(error)
    assert error.to_dict()["error"] == "FS_TRAVERSAL" and error.retryable is False


def test_a_run_has_a_beginning_and_an_end_and_each_call_both(events):
    with run(policy="fs_safe", sandbox="sb", tags={"job": "7"}) as ctx:
        ctx.tool(lambda path: path, name="read")
        ctx.call("read", path="a")
        with pytest.raises(PolicyDenied):
            ctx.call("read", path="/etc/passwd")
    kinds = [event["kind"] for event in events(ctx)]
    assert kinds[0] == "run.started" and kinds[-1] == "run.finished"
    assert [kinds.count(f"action.{end}") for end in ("admitted", "settled", "denied")] == [1, 1, 1]
    assert events(ctx)[0]["data"]["tags"] == {"job": "7"}


def test_warn_mode_never_raises_for_policy(home, events):
    (home / "outside.txt").write_text("x")
    with run(policy="fs_safe", sandbox="sb", strict=False) as ctx:
        ctx.tool(lambda path: open(home / "outside.txt").read(), name="read")
        assert ctx.call("read", path="/etc/passwd") == "x"
    text = json.dumps(events(ctx))
    assert "FS_OUTSIDE_ROOT" in text and "outside.txt" in text


def test_the_host_goes_on_after_everything(home):
    """A program that had refusals, time-outs and errors ends by itself and with its own code."""
    program = home / "host.py"
    program.write_text(
        "import time\nfrom seawall import *\n"
        "with run(policy='fs_safe', sandbox='sb') as ctx:\n"
        "    ctx.tool(lambda: open('/etc/passwd'), name='peek')\n"
        "    ctx.tool(lambda: time.sleep(60), name='slow', timeout=0.05)\n"
        "    for name in ('peek', 'slow'):\n"
        "        try: ctx.call(name)\n"
        "        except SeawallError as error: print(error.code)\n"
        "print(open('/etc/passwd').read() != '')\n"
    )
    began = time.monotonic()
    ended = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=30)
    assert ended.stdout.split() == ["FS_OUTSIDE_ROOT", "TIMEOUT", "True"], ended.stderr
    assert ended.returncode == 0 and time.monotonic() - began < 20
