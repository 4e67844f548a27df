"""`guard(isolate=True)`: what hooks can't see is refused by the kernel."""

import asyncio
import datetime
import errno
import time
from decimal import Decimal
from pathlib import Path

import pytest
from seawall import ConfigError, PolicyDenied, ToolTimeout, run

from . import isolated_tools as tools
from .conftest import denied


@pytest.fixture
def secret(tmp_path) -> Path:
    path = tmp_path / "secret.db"
    path.write_text("x")
    return path


def isolated(function, *args, **kwargs):
    with run(policy="fs_safe", sandbox="sb") as ctx:
        return ctx.tool(function, isolate=True, effects={"path": "ignore", "name": "ignore"})(*args, **kwargs)


def test_values_go_there_and_back_without_pickle():
    value = {"a": [1, 2.5, None, True, "ä"], "b": (b"\xff", {3}, Path("x")), 7: Decimal("1.1"), "$": "mark",
             "d": datetime.datetime(2026, 1, 2, 3, 4, 5)}
    assert isolated(tools.echo, value=value) == value
    with pytest.raises(TypeError, match="can't be sent"):
        isolated(tools.echo, object())


def test_it_writes_into_the_sandbox(home):
    with run(policy="fs_safe", sandbox="sb") as ctx:
        assert ctx.tool(tools.write, isolate=True)("a.txt", "hello") == ctx.sandbox
    assert (home / "sb/a.txt").read_text() == "hello"


def test_a_file_outside_is_refused_by_the_kernel(secret):
    with denied("SANDBOX_VIOLATION"):
        isolated(tools.read, str(secret))


def test_ctypes_and_an_extension_in_c_are_held_too(secret):
    assert isolated(tools.by_ctypes, str(secret)) == (-1, errno.EACCES)
    assert "unable to open" in isolated(tools.by_extension, str(secret))


def test_a_shell_is_held_with_all_that_it_starts(secret):
    assert isolated(tools.shell, f"cat {secret}; echo on") == "on\n"


def test_without_network_rules_to_keep_there_is_none_under_safe():
    with run(policy="safe", sandbox="sb") as ctx, denied("SANDBOX_VIOLATION"):
        ctx.tool(tools.connect, isolate=True)()


def test_its_time_is_up_for_everything_that_it_started():
    with run(policy="safe", sandbox="sb") as ctx:
        began = time.monotonic()
        with pytest.raises(ToolTimeout):
            ctx.tool(tools.slow, isolate=True, timeout=0.5)()
    assert time.monotonic() - began < 10


def test_errors_and_async_functions_come_back():
    with pytest.raises(KeyError, match="mine"):
        isolated(tools.fails)
    with run(policy="safe", sandbox="sb") as ctx:
        assert asyncio.run(ctx.tool(tools.later, isolate=True)(1)) == 2


def test_a_function_without_a_place_is_refused_at_once():
    with run(policy="safe") as ctx, pytest.raises(ConfigError, match="top of a module"):
        ctx.tool(lambda: 1, name="nowhere", isolate=True)
