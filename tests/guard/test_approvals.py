"""Calls that a person has to allow: asked in one process, decided by the command line, let through as it was said."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
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
