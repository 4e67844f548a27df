"""Calls that a person has to allow: asked in one process, decided by the command line, let through as it was said."""

import asyncio
import dataclasses
import decimal
import enum
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import pytest
import seawall
from harness.places import seawall_binary
from seawall import ApprovalRequired, PolicyDenied, guard, run

POLICY = "version: 1\ntools: [{ name: pay, verdict: ask }]\n"


@pytest.fixture
def policy(home: Path) -> str:
    path = home / "policy.yaml"
    path.write_text(POLICY)
    return str(path)


@guard
def pay(amount: int, to: str = "x") -> str:
    return f"paid {amount} to {to}"


def command(*arguments: str) -> dict:
    """`seawall approvals …`, in a process of its own."""
    argv = [seawall_binary(), "approvals", *arguments, "--data-dir", ".seawall", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def asked(amount: int) -> str:
    with pytest.raises(ApprovalRequired) as caught:
        pay(amount)
    return caught.value.approval_id


def waiting() -> str:
    """The approval that waits, once there is one."""
    while not (pending := command("list")["approvals"]):
        pass
    return pending[0]["id"]


def test_what_is_allowed_once_lets_the_same_call_through_once(policy, events):
    with run(policy=policy) as ctx:
        with pytest.raises(ApprovalRequired) as caught:
            pay(5)
        error = caught.value
        assert error.code == "APPROVAL_REQUIRED" and error.retryable and error.approval_id in str(error)
        assert error.to_dict()["approval_id"] == error.approval_id
        assert error.expires_at > datetime.now(timezone.utc)
        assert asked(5) == error.approval_id, "the same question"

        shown = command("show", error.approval_id)
        assert shown["run"] == ctx.run_id and shown["arguments"] == {"amount": 5, "to": "x"}
        command("allow", error.approval_id)
        assert asked(6) != error.approval_id, "a changed argument is another question"
        assert pay(5) == "paid 5 to x"
        assert asked(5) != error.approval_id, "it is used up"
    kinds = [event["kind"] for event in events(ctx)]
    assert (kinds.count("approval.asked"), kinds.count("approval.decided")) == (3, 1)


def test_a_refusal_and_one_by_silence_are_denials(policy):
    with run(policy=policy):
        command("deny", asked(5), "--note", "not on a Friday")
        for _ in range(2):
            with pytest.raises(PolicyDenied, match="not on a Friday") as caught:
                pay(5)
            assert caught.value.code == "APPROVAL_DENIED"
    with run(policy=policy, approval_expires_after=0):
        first = asked(6)
        with pytest.raises(PolicyDenied) as caught:
            pay(6)
        assert caught.value.code == "APPROVAL_EXPIRED"
        assert asked(6) != first, "who asks again asks anew"


def test_a_new_run_names_the_approval_that_it_was_given(policy):
    with run(policy=policy):
        approval = asked(5)
    command("allow", approval)
    with run(policy=policy):
        assert asked(5) != approval, "it was allowed for another run"
    with run(policy=policy, approvals=[approval]):
        asked(6)
        assert pay(5) == "paid 5 to x"
        asked(5)
    with pytest.raises(seawall.ConfigError, match="no approval"):
        run(policy=policy, approvals=["nightly"]).__enter__()


def test_a_call_waits_for_the_person_if_that_is_wanted(policy):
    with run(policy=policy, wait_for_approval=60):
        decide = threading.Thread(target=lambda: command("allow", waiting()))
        decide.start()
        assert pay(5) == "paid 5 to x"
        decide.join()
    with run(policy=policy, wait_for_approval=0.05):
        asked(6)


def test_async_code_goes_on_while_a_call_waits(policy):
    @guard(name="pay")
    async def pay_later(amount: int) -> int:
        return amount

    async def main() -> int:
        call = asyncio.create_task(pay_later(5))
        approval = await asyncio.to_thread(waiting)
        await asyncio.to_thread(command, "allow", approval)
        return await call

    with run(policy=policy, wait_for_approval=60):
        assert asyncio.run(main()) == 5


@dataclasses.dataclass
class Preview:
    where: str


@dataclasses.dataclass
class Destroy:
    where: str


class Masked:
    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return "Masked(***)"


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


@guard(name="pay")
def deliver(what: object) -> object:
    return what


@pytest.mark.parametrize(
    ("allowed", "other"),
    [
        (b"\xff\xfe", b"\x80\x81"),
        (b"abc", "abc"),
        (b"abc", bytearray(b"abc")),
        (Preview("prod"), Destroy("prod")),
        ("/data/\udcff", "/data/\udcfe"),
        (10**30, str(10**30)),
        ({1: "a", "1": "b"}, {"1": "a", 1: "b"}),
        ({"x": [b"\xff"]}, {"x": [b"\xfe"]}),
        ([1, 2], (1, 2)),
        ({1, 2}, [1, 2]),
        (True, 1),
        (0.0, -0.0),
        (float("nan"), "nan"),
        (decimal.Decimal("1.10"), "Decimal('1.10')"),
        (datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 1)),
        (Colour.RED, Colour.GREEN),
        (Path("a"), "a"),
    ],
)
def test_what_is_allowed_is_the_value_and_not_its_description(policy, allowed, other):
    with run(policy=policy):
        with pytest.raises(ApprovalRequired) as caught:
            deliver(allowed)
        command("allow", caught.value.approval_id)
        with pytest.raises(ApprovalRequired):
            deliver(other)
        assert deliver(allowed) is allowed


def test_the_same_value_made_anew_is_the_same_question(policy):
    def made(order: int) -> dict:
        fields = [("when", datetime(2026, 1, 1)), ("what", Preview("prod")), ("tags", {"a", "b"}), ("raw", b"\xff")]
        return dict(fields[::order])

    with run(policy=policy):
        with pytest.raises(ApprovalRequired) as caught:
            deliver(made(1))
        command("allow", caught.value.approval_id)
        assert deliver(made(-1)) == made(1)


@pytest.mark.parametrize("value", [Masked("a"), [Masked("a")], {Masked("a"): 1}, Preview(Masked("a")), memoryview(b"a")])
def test_nobody_is_asked_about_what_cant_be_seen(policy, value):
    with run(policy=policy):
        with pytest.raises(PolicyDenied, match="holds") as caught:
            deliver(value)
        assert caught.value.code == "APPROVAL_DENIED" and "plain data" in caught.value.remedy
        assert command("list")["approvals"] == []


def test_what_changes_while_a_call_waits_is_not_what_was_allowed(policy, events):
    order = {"to": "ann", "amounts": [5]}

    def change_and_allow() -> None:
        approval = waiting()
        order["amounts"].append(50_000)
        command("allow", approval)

    with run(policy=policy, wait_for_approval=60) as ctx:
        decide = threading.Thread(target=change_and_allow)
        decide.start()
        with pytest.raises(PolicyDenied, match="not any more") as caught:
            deliver(order)
        assert caught.value.code == "APPROVAL_DENIED"
        decide.join()
    assert [event["data"]["ended"] for event in events(ctx) if event["kind"] == "action.settled"] == ["failed"]


@pytest.mark.parametrize("option", ["wait_for_approval", "approval_expires_after"])
def test_what_is_no_time_is_named(option):
    with pytest.raises(seawall.ConfigError, match=f"{option} is no number of seconds: 'soon'"):
        run(**{option: "soon"})


@guard(name="pay")
async def pay_later(amount: int) -> int:
    return amount


def test_who_is_cancelled_while_waiting_leaves_the_approval_where_it_is(policy):
    async def main() -> str:
        call = asyncio.create_task(pay_later(5))
        approval = await asyncio.to_thread(waiting)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.to_thread(command, "allow", approval)
        while any(thread.name == "seawall-wait" for thread in threading.enumerate()):
            await asyncio.sleep(0.01)
        return approval

    with run(policy=policy, wait_for_approval=60):
        approval = asyncio.run(main())
        assert "used_at" not in command("show", approval)
        assert asyncio.run(pay_later(5)) == 5
        assert "used_at" in command("show", approval)


def test_an_interrupt_ends_a_program_that_waits(policy, home):
    program = textwrap.dedent(
        f"""
        import asyncio, seawall

        @seawall.guard
        async def pay(amount: int):
            return amount

        with seawall.run(policy={policy!r}, wait_for_approval=3600):
            asyncio.run(pay(5))
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL, cwd=home)
    waiting()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0


@pytest.mark.parametrize("by_name", [False, True])
def test_any_number_of_calls_may_wait_while_the_program_goes_on(policy, by_name):
    @guard
    async def harmless(url: str) -> str:
        return url

    async def main(ctx) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
        ctx.tool(pay)
        calls = [ctx.acall("pay", amount=amount) if by_name else pay_later(amount) for amount in range(6)]
        tasks = [asyncio.create_task(call) for call in calls]
        while len((await asyncio.to_thread(command, "list"))["approvals"]) < len(tasks):
            pass
        assert await harmless("x") == "x"
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(error, asyncio.CancelledError) for error in ended)

    with run(policy=policy, wait_for_approval=3600) as ctx:
        asyncio.run(asyncio.wait_for(main(ctx), timeout=60))


def test_on_other_event_loops_nothing_waits(policy):
    call = pay_later(5)
    with run(policy=policy, wait_for_approval=3600), pytest.raises(ApprovalRequired):
        call.send(None)


def test_a_signal_ends_the_wait(policy):
    def interrupt() -> None:
        waiting()
        os.kill(os.getpid(), signal.SIGINT)

    with run(policy=policy, wait_for_approval=3600):
        thread = threading.Thread(target=interrupt)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            pay(5)
        assert time.monotonic() - begun < 60
        thread.join()


def test_a_question_outlives_the_process_that_asked_it(policy, home):
    program = textwrap.dedent(
        f"""
        import seawall, time

        @seawall.guard
        def pay(amount: int, to: str = "x"):
            return amount

        with seawall.run(policy={policy!r}):
            try:
                pay(5)
            except seawall.ApprovalRequired as error:
                print(error.approval_id, flush=True)
                time.sleep(600)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=home)
    approval = process.stdout.readline().strip()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    command("allow", approval)
    with run(policy=policy, approvals=[approval]):
        assert pay(5) == "paid 5 to x"
        asked(5)


def test_the_trace_has_what_tools_were_given_and_gave(policy, events):
    @guard
    def read(path: str, password: str):
        return {"rows": [1, 2.5, None, True], "mail": "ann@corp-mail.com", "object": object(), "long": "x" * 100_000}

    def data(ctx, kind):
        return next(event["data"] for event in events(ctx) if event["kind"] == kind)

    with run(policy="off") as ctx:
        assert len(read("a", password="correct-horse-7")["long"]) == 100_000
    assert data(ctx, "action.admitted")["arguments"] == {"path": "a", "password": "[REDACTED:secret]"}
    output = data(ctx, "action.settled")["output"]
    assert output["rows"] == [1, 2.5, None, True] and output["mail"] == "[REDACTED:email]"
    assert output["object"] == "<object>" and output["long"].endswith("(100000 bytes in all)")
    for content, kept in [("none", False), ("full", True)]:
        with run(policy="off", content=content) as ctx:
            read("a", password="correct-horse-7")
        admitted = data(ctx, "action.admitted")
        assert ("arguments" in admitted) == kept
        assert not kept or admitted["arguments"]["password"] == "correct-horse-7"
    with run(policy="off"), pytest.raises(seawall.ConfigError, match="content"):
        run(policy="off", content="full").__enter__()
