"""CrewAI itself, with guarded tools: called directly, and by an agent of a crew whose model is the simulated provider behind the
gateway. The framework is a gigabyte, so this runs in the long form only."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from seawall import BudgetExceeded, PolicyDenied, run

from harness.gateway import Gateway


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No word to anybody outside, and no folder but the test's own."""
    for name, value in {
        "OTEL_SDK_DISABLED": "true",
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_DISABLE_TRACKING": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "CREWAI_STORAGE_DIR": str(tmp_path / "crewai"),
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    yield


def tools() -> list:
    from crewai.tools import BaseTool, tool

    @tool("save")
    def save(path: str, text: str) -> str:
        """Saves a text."""
        Path(path).write_text(text)
        return path

    class Reader(BaseTool):
        name: str = "read"
        description: str = "Reads a file."

        def _run(self, path: str) -> str:
            return Path(path).read_text()

    return [save, Reader()]


def test_tools_of_both_kinds() -> None:
    from seawall.integrations.crewai import guard_tools

    plain = tools()
    with run(policy="fs_safe", sandbox="sb") as ctx:
        save, read = guard_tools(plain)
        assert save.run(path="a.txt", text="hello") == f"{ctx.sandbox}/a.txt"
        assert read.run(path="a.txt") == "hello"
        structured = read.to_structured_tool()
        assert structured.invoke({"path": "a.txt"}) == "hello"
        for refused in (
            lambda: save.run(path="../x", text=""),
            lambda: read.run(path="/etc/passwd"),
            lambda: structured.invoke({"path": "/etc/passwd"}),
        ):
            with pytest.raises(PolicyDenied, check=lambda error: error.code.startswith("FS_")):
                refused()
    assert plain[0].run(path="a.txt", text="x") == "a.txt", "the given ones stay as they are"


def test_a_spent_budget_stops_the_next_call() -> None:
    from seawall.integrations.crewai import guard_tools

    with run(policy="fs_safe", sandbox="sb", max_cost_usd=0.01) as ctx:
        save, _ = guard_tools(tools())
        save.run(path="a.txt", text="hello")
        ctx.record_usage(model="sim-1", input_tokens=1, output_tokens=1, cost_usd="0.01")
        with pytest.raises(BudgetExceeded):
            save.run(path="b.txt", text="hello")
    assert not Path("sb/b.txt").exists()


def test_an_agent_of_a_crew_is_told_what_was_refused_and_goes_on(gateway: Gateway) -> None:
    from crewai import LLM, Agent, Crew, Task
    from seawall.integrations.crewai import guard_tools

    script = "\n".join(
        [
            'sim:turn 0 sim:tool read {"path": "/etc/passwd"}',
            'sim:turn 1 sim:tool save {"path": "note.txt", "text": "written"}',
            "sim:turn 2 sim:text Final Answer: done",
        ]
    )
    with run(policy="fs_safe", sandbox="sb") as ctx:
        model = LLM(model="openai/sim-1", base_url=f"{gateway.url}/v1", api_key="any")
        agent = Agent(role="clerk", goal="write", backstory="none", llm=model, tools=guard_tools(tools()))
        task = Task(description=script, expected_output="a note", agent=agent)
        Crew(agents=[agent], tasks=[task], verbose=False).kickoff()
    assert Path("sb/note.txt").read_text() == "written"
    events = [json.loads(line) for line in Path(ctx.trace_path).read_text().splitlines()]
    denied = [event["data"] for event in events if event["kind"] == "action.denied"]
    assert [finding["code"] for data in denied for finding in data["findings"]] == ["FS_OUTSIDE_ROOT"]
    asked = [event["data"]["name"] for event in gateway.events() if event["kind"] == "tool.called"]
    assert asked == ["read", "save"]
