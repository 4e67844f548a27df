"""Each test has a working folder, a data folder and a default run of its own."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import seawall

# A shell that starts something in the background has it ignore interrupts, and so do all its children. Tests of
# interrupts mean a program that was started by a person.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder of the test, with a policy's worth of nothing in it."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("SEAWALL_HOME", raising=False)
    yield work
    seawall.configure(default_policy=None)


@pytest.fixture
def events() -> Callable[[seawall.RunContext], list[dict]]:
    """The trace of a run that has ended."""

    def read(ctx: seawall.RunContext) -> list[dict]:
        return [json.loads(line) for line in Path(ctx.trace_path).read_text().splitlines()]

    return read


def denied(code: str):
    """Raises unless the block is refused with this code."""
    return pytest.raises(seawall.PolicyDenied, check=lambda error: error.code == code and error.remedy)
