"""Programs as FailCore's deployment guides write them: word for word, but for the name that is imported."""

import datetime
import os
from pathlib import Path


def test_the_guarded_write_of_deployment_patterns(home):
    from seawall import run, guard

    with run(policy="fs_safe", sandbox="./data") as ctx:
        @guard()
        def write_file(path: str, content: str):
            with open(path, "w") as f:
                f.write(content)

        write_file("test.txt", "Hello, FailCore!")
    assert (home / "data/test.txt").read_text() == "Hello, FailCore!"
    assert not (home / "test.txt").exists()


def test_the_configured_run_of_deployment_patterns(home):
    from seawall import run

    with run(
        policy="fs_safe",
        sandbox="./workspace",
        trace="custom_trace.jsonl",
        strict=True,
        max_cost_usd=5.0,
        max_tokens=10000
    ) as ctx:
        pass
    assert (home / "custom_trace.jsonl").read_text() == Path(ctx.trace_path).read_text()


def test_the_custom_tool_of_the_hybrid():
    from seawall import run, guard

    with run(policy="fs_safe") as ctx:
        @guard()
        def custom_tool(data: str):
            pass

        custom_tool("data")
    assert os.path.isfile(ctx.trace_path)


def test_the_tool_without_arguments_of_deployment():
    from seawall import run, guard

    with run(policy="fs_safe", sandbox="./data") as ctx:
        @guard()
        def my_tool():
            pass
    assert ctx.sandbox.endswith("/data")


def test_the_production_policy_of_deployment():
    from seawall import run

    with run(
        policy="fs_safe",
        strict=True,
        sandbox="./workspace"
    ) as ctx:
        pass
    assert ctx.sandbox.endswith("/workspace")


def test_the_dated_trace_of_deployment(home):
    from seawall import run

    trace_path = f"traces/trace_{datetime.datetime.now().strftime('%Y%m%d')}.jsonl"
    with run(trace=trace_path) as ctx:
        pass
    assert (home / trace_path).is_file()


def test_the_limits_of_deployment():
    from seawall import run

    with run(
        max_cost_usd=100.0,
        max_tokens=100000,
        max_usd_per_minute=1.0
    ) as ctx:
        pass
    assert ctx.spent_usd == 0


def test_the_reused_policy_of_deployment(home):
    from seawall.core.validate.templates import fs_safe_policy

    policy = fs_safe_policy(sandbox_root="./data")

    from seawall import run
    for _ in range(2):
        with run(policy=policy) as ctx:
            assert ctx.sandbox == str(home / "data")
