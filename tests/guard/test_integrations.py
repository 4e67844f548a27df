"""The frameworks themselves, with guarded tools: a good call, a refused one, and what the model is told."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from seawall import BudgetExceeded, PolicyDenied, run


def test_langchain_tools_of_every_kind(home):
    from langchain_core.tools import BaseTool, StructuredTool, tool
    from seawall.integrations.langchain import guard_tools

    @tool
    def save(path: str, text: str) -> str:
        """Saves."""
        Path(path).write_text(text)
        return path

    async def asave(path: str) -> str:
        """Saves."""
        return path

    class Reader(BaseTool):
        name: str = "read"
        description: str = "Reads."

        def _run(self, path: str) -> str:
            return Path(path).read_text()

    both = StructuredTool.from_function(coroutine=asave, name="asave")
    with run(policy="fs_safe", sandbox="sb") as ctx:
        save, both, read = guard_tools([save, both, Reader()])
        assert save.invoke({"path": "a.txt", "text": "hello"}) == f"{ctx.sandbox}/a.txt"
        assert read.invoke({"path": "a.txt"}) == "hello" == asyncio.run(read.ainvoke({"path": "a.txt"}))
        assert asyncio.run(both.ainvoke({"path": "b"})) == f"{ctx.sandbox}/b"
        for refused in (lambda: save.invoke({"path": "../x", "text": ""}), lambda: read.invoke({"path": "/etc/passwd"})):
            with pytest.raises(PolicyDenied):
                refused()
    assert (home / "sb/a.txt").exists()


def test_langgraph_tells_the_model_what_was_refused():
    from langchain_core.messages import AIMessage
    from langchain_core.tools import tool
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode
    from seawall.integrations.langchain import guard_tools

    @tool
    def read(path: str) -> str:
        """Reads."""
        return Path(path).read_text()

    with run(policy="fs_safe", sandbox="sb"):
        graph = StateGraph(MessagesState)
        graph.add_node("tools", ToolNode(guard_tools([read]), handle_tool_errors=True))
        graph.add_edge(START, "tools")
        graph.add_edge("tools", END)
        call = {"name": "read", "args": {"path": "/etc/passwd"}, "id": "1", "type": "tool_call"}
        answer = graph.compile().invoke({"messages": [AIMessage("", tool_calls=[call])]})
    assert "FS_OUTSIDE_ROOT" in answer["messages"][-1].content


@contextmanager
def spent() -> Iterator[None]:
    """A run whose money is spent, in which no tool may be called any more."""
    with run(policy="fs_safe", sandbox="sb", max_cost_usd=0.01) as ctx:
        ctx.record_usage(model="sim-1", input_tokens=1, output_tokens=1, cost_usd="0.01")
        yield


def test_a_spent_budget_stops_tools_of_langchain():
    from langchain_core.tools import tool
    from seawall.integrations.langchain import guard_tools

    called = []

    @tool
    def where(path: str) -> str:
        """Tells."""
        called.append(path)
        return path

    with spent(), pytest.raises(BudgetExceeded):
        guard_tools([where])[0].invoke({"path": "a"})
    assert not called


def test_a_spent_budget_stops_an_agent_of_openai():
    from agents import Agent, FunctionTool, function_tool
    from agents.tool_context import ToolContext
    from seawall.integrations.openai_agents import guard_tools

    called = []

    @function_tool
    def where(path: str) -> str:
        """Tells."""
        called.append(path)
        return path

    with spent():
        (tool,) = guard_tools([where])
        assert isinstance(tool, FunctionTool) and Agent(name="a", tools=[tool])
        context = ToolContext(context=None, tool_name="where", tool_call_id="1", tool_arguments='{"path": "a"}')
        with pytest.raises(BudgetExceeded):
            asyncio.run(tool.on_invoke_tool(context, '{"path": "a"}'))
    assert not called


def test_a_spent_budget_stops_an_agent_of_pydantic_ai():
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelResponse, ToolCallPart
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.toolsets import FunctionToolset
    from seawall.integrations.pydantic_ai import guard_toolset

    called = []

    def where(path: str) -> str:
        called.append(path)
        return path

    model = FunctionModel(lambda messages, info: ModelResponse(parts=[ToolCallPart("where", {"path": "a"})]))
    with spent(), pytest.raises(BudgetExceeded):
        Agent(model, toolsets=[guard_toolset(FunctionToolset([where]))]).run_sync("go")
    assert not called


def test_openai_agents_tell_the_model_what_was_refused():
    from agents import function_tool
    from agents.tool_context import ToolContext
    from seawall.integrations.openai_agents import guard_tools

    @function_tool
    def where(path: str) -> str:
        """Tells."""
        return path

    def invoke(tool, **arguments):
        written = json.dumps(arguments)
        context = ToolContext(context=None, tool_name=tool.name, tool_call_id="1", tool_arguments=written)
        return asyncio.run(tool.on_invoke_tool(context, written))

    with run(policy="fs_safe", sandbox="sb") as ctx:
        (tool,) = guard_tools([where])
        assert invoke(tool, path="a") == f"{ctx.sandbox}/a"
        assert invoke(tool, path="/etc/passwd").startswith("[FS_OUTSIDE_ROOT]")
        (tool,) = guard_tools([where], tell_model=False)
        with pytest.raises(PolicyDenied):
            invoke(tool, path="/etc/passwd")


def test_pydantic_ai_asks_the_model_again(home):
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.toolsets import FunctionToolset
    from seawall.integrations.pydantic_ai import guard_toolset

    told = []

    def model(messages, info):
        if len(messages) == 1:
            return ModelResponse(parts=[ToolCallPart("where", {"path": "/etc/passwd"})])
        content = str(messages[-1].parts[0].content)
        if content.startswith("["):
            told.append(content)
            return ModelResponse(parts=[ToolCallPart("where", {"path": "a"})])
        return ModelResponse(parts=[TextPart(content)])

    def where(path: str) -> str:
        return path

    with run(policy="fs_safe", sandbox="sb") as ctx:
        agent = Agent(FunctionModel(model), toolsets=[guard_toolset(FunctionToolset([where]))])
        assert agent.run_sync("go").output == f"{ctx.sandbox}/a"
    assert len(told) == 1 and "FS_OUTSIDE_ROOT" in told[0]


SERVER = """
from mcp.server import MCPServer
server = MCPServer("files")

@server.tool()
def where(path: str) -> str:
    return path

@server.tool()
def config() -> str:
    return "key sk-proj-" + "a1B2c3D4e5F6g7H8" * 3

server.run("stdio")
"""


def test_mcp_sessions_are_guarded_on_both_sides(home):
    import sys

    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client
    from seawall.integrations.mcp import guard_session

    (home / "server.py").write_text(SERVER)

    async def main():
        parameters = StdioServerParameters(command=sys.executable, args=[str(home / "server.py")])
        async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
            await session.initialize()
            async with run(policy="strict", sandbox="sb") as ctx:
                guarded = guard_session(session)
                result = await guarded.call_tool("where", {"path": "a"})
                assert result.content[0].text == f"{ctx.sandbox}/a"
                with pytest.raises(PolicyDenied):
                    await guarded.call_tool("where", {"path": "/etc/passwd"})
                result = await guarded.call_tool("config")
                assert "[REDACTED" in result.content[0].text and "a1B2c3" not in str(result)
                assert (await guarded.list_tools()).tools
            with spent(), pytest.raises(BudgetExceeded):
                await guard_session(session).call_tool("where", {"path": "a"})

    asyncio.run(main())
