"""What agents see of servers behind the proxy, through the SDK: once over standard streams, once over HTTP."""

import asyncio
import os
import signal
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from harness.waiting import until
from mcp import Client, MCPError

from mcp_proxy import SERVER, Proxy, is_alive, proxying

BOTH = pytest.mark.parametrize("server", ["files", "web"])
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])


def run(url: str, work, mode: str = "legacy"):
    """What `work` gives, with a client of this server."""

    async def connected():
        async with Client(url, mode=mode) as client:
            return await work(client)

    return asyncio.run(asyncio.wait_for(connected(), 50))


def call(url: str, tool: str, **arguments):
    return run(url, lambda client: client.call_tool(tool, arguments))


def told(result) -> str:
    return result.content[0].text


@BOTH
@ERAS
def test_tools_are_listed_but_those_that_are_denied(proxy: Proxy, server: str, mode: str) -> None:
    listed = run(proxy.url(server), lambda client: client.list_tools(), mode)
    names = {tool.name for tool in listed.tools}
    assert "read_file" in names and "forbidden" not in names
    # What instructs the model is told, and stays where it only warns.

    def notes() -> list[dict]:
        said = [event["data"] for event in proxy.gateway.events() if event["kind"] == "note"]
        return [note for note in said if note.get("mcp") == f"{server}.poisoned"]

    assert until("a note", notes)[0]["findings"][0]["code"] == "INJECTION_SUSPECTED"


@BOTH
@ERAS
def test_a_call_passes_and_is_an_action(proxy: Proxy, server: str, mode: str) -> None:
    path = str(proxy.root / "notes.txt")
    result = run(proxy.url(server), lambda client: client.call_tool("read_file", {"path": path}), mode)
    assert (told(result), result.is_error) == ("buy milk", False)
    admitted = proxy.last(f"{server}.read_file", "action.admitted")
    settled = proxy.last(f"{server}.read_file", "action.settled")
    assert admitted["data"]["kind"] == "tool_call" and admitted["action"] == settled["action"]


@BOTH
def test_a_path_that_leads_out_is_refused_in_words_for_the_model(proxy: Proxy, server: str) -> None:
    for path, code in [("../../../etc/passwd", "FS_TRAVERSAL"), ("/etc/passwd", "FS_OUTSIDE_ROOT")]:
        result = call(proxy.url(server), "read_file", path=path)
        assert result.is_error and told(result).startswith(f"[seawall] denied {code}: ")
        assert "root" not in told(result).split(":")[0] and "daemon" not in told(result)
    assert proxy.last(f"{server}.read_file", "action.denied")["data"]["findings"][0]["code"] == "FS_OUTSIDE_ROOT"


@BOTH
def test_a_denied_tool_that_is_called_all_the_same_does_not_run(proxy: Proxy, server: str) -> None:
    result = call(proxy.url(server), "forbidden")
    assert result.is_error and "TOOL_NOT_ALLOWED" in told(result) and "nobody needs it" in told(result)


@BOTH
def test_a_secret_in_a_result_is_taken_out_of_text_and_structure(proxy: Proxy, server: str) -> None:
    result = call(proxy.url(server), "config")
    assert "AKIA" not in told(result) and "[REDACTED:aws_access_key]" in told(result)
    assert result.structured_content["access_key"] == "[REDACTED:aws_access_key]"
    assert result.structured_content["region"] == "eu-west-1"
    settled = proxy.last(f"{server}.config", "action.settled")["data"]
    assert settled["verdict"] == "redact" and settled["findings"][0]["code"] == "SECRET_FOUND"


@BOTH
def test_a_secret_in_arguments_does_not_reach_the_server(proxy: Proxy, server: str) -> None:
    result = call(proxy.url(server), "environment", name="AKIA" + "QWERTYUIOPASDFGH")
    assert result.is_error and "SECRET_FOUND" in told(result)


@BOTH
def test_an_unknown_tool_is_the_servers_to_answer(proxy: Proxy, server: str) -> None:
    assert "Unknown tool" in told(call(proxy.url(server), "nothing_like_it"))


@BOTH
@ERAS
def test_progress_arrives_while_the_tool_runs(proxy: Proxy, server: str, mode: str) -> None:
    seen = []

    async def walk(client):
        async def on_progress(progress, total, message):
            seen.append((progress, total, message))

        arguments = {"count": 3, "seconds": 0.05}
        return await client.call_tool("steps", arguments, progress_callback=on_progress)

    assert told(run(proxy.url(server), walk, mode)) == "arrived"
    assert seen == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]


@BOTH
def test_resources_are_read_and_files_among_them_judged(proxy: Proxy, server: str) -> None:
    async def read(client):
        note = await client.read_resource("note://greeting")
        with pytest.raises(MCPError, match="FS_OUTSIDE_ROOT"):
            await client.read_resource("file:///etc/passwd")
        return note.contents[0].text

    assert run(proxy.url(server), read) == "good morning"


@BOTH
@ERAS
def test_a_cancelled_call_is_cancelled_at_the_server(proxy: Proxy, server: str, mode: str) -> None:
    mark = proxy.root / f"cancelled-{server}-{mode}"

    async def cancel(client):
        calling = asyncio.create_task(client.call_tool("endless", {"mark": str(mark)}))
        running = Path(f"{mark}.running")
        await asyncio.to_thread(until, "the tool runs", running.exists)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await asyncio.to_thread(until, "the tool is cancelled", mark.exists)
        # The session goes on.
        return await client.call_tool("process", {})

    assert told(run(proxy.url(server), cancel, mode)).isdigit()
    assert mark.read_text() == "cancelled"


def test_a_server_gets_its_variables_and_no_others(proxy: Proxy) -> None:
    assert told(call(proxy.url("files"), "environment", name="TOKEN")) == "for the server"
    assert told(call(proxy.url("files"), "environment", name="PATH")) != "nothing"
    assert told(call(proxy.url("files"), "environment", name="SEAWALL_HOME")) == "nothing"


def test_each_session_has_a_process_that_ends_with_it(proxy: Proxy) -> None:
    async def two():
        async with Client(proxy.url("files"), mode="legacy") as one, Client(proxy.url("files"), mode="legacy") as two:
            return [int(told(await client.call_tool("process", {}))) for client in (one, two)]

    first, second = asyncio.run(two())
    assert first != second
    until("both are gone", lambda: not is_alive(first) and not is_alive(second))


def test_a_killed_server_is_started_again_in_the_same_session(proxy: Proxy) -> None:
    async def kill(client):
        first = int(told(await client.call_tool("process", {})))
        mark = proxy.root / "never"
        waiting = asyncio.create_task(client.call_tool("endless", {"mark": str(mark)}))
        await asyncio.to_thread(until, "the tool runs", Path(f"{mark}.running").exists)
        os.kill(first, signal.SIGKILL)
        # Who waits is told at once.
        with pytest.raises(MCPError, match="started again"):
            await asyncio.wait_for(waiting, 10)
        second = int(told(await client.call_tool("process", {})))
        return first, second, await client.list_tools()

    first, second, listed = run(proxy.url("files"), kill)
    assert first != second and len(listed.tools) > 5


def test_no_process_outlives_a_killed_proxy(tmp_path: Path) -> None:
    server = {"command": [sys.executable, str(SERVER)]}

    with proxying(tmp_path, {"files": server}, "--pid-file", str(tmp_path / "pid")) as proxy:
        pid = int((tmp_path / "pid").read_text())
        processes = []

        async def kill(client):
            processes.append(int(told(await client.call_tool("process", {}))))
            os.kill(pid, signal.SIGKILL)

        # A client may say goodbye in vain, or not.
        with suppress(Exception):
            run(proxy.url("files"), kill)
    until("the server is gone", lambda: not is_alive(processes[0]))


def test_a_budget_with_nothing_left_stops_tools_too(tmp_path: Path) -> None:
    server = {"command": [sys.executable, str(SERVER)]}
    budgets = [{"scope": "global", "window": "total", "usd": "0"}]
    with proxying(tmp_path, {"files": server}, budgets=budgets) as proxy:
        result = call(proxy.url("files"), "process")
        assert result.is_error and "BUDGET_EXCEEDED" in told(result)


def test_a_call_that_takes_too_long_ends_and_is_told(tmp_path: Path) -> None:
    server = {"command": [sys.executable, str(SERVER)], "timeout": "8s"}
    mark = tmp_path / "mark"
    with proxying(tmp_path, {"files": server}, policy={"version": 1, "mode": "strict"}) as proxy:

        async def wait(client):
            result = await client.call_tool("endless", {"mark": str(mark)})
            await asyncio.to_thread(until, "the tool is cancelled", mark.exists)
            return result

        result = run(proxy.url("files"), wait)
        assert result.is_error and "TIMEOUT" in told(result)
        assert mark.read_text() == "cancelled"
        assert proxy.last("files.endless", "action.settled")["data"]["status"] == 504


def test_a_server_that_is_away_is_told_and_the_proxy_stays_ready(tmp_path: Path) -> None:
    servers = {"gone": {"url": "http://127.0.0.1:9/mcp"}, "broken": {"command": ["/nonexistent/program"]}}
    with proxying(tmp_path, servers) as proxy:
        for server, said in [("gone", "can't be reached"), ("broken", "ended before it answered")]:
            with pytest.raises(BaseException) as raised:
                call(proxy.url(server), "anything")
            assert said in repr(flattened(raised.value)), raised.value
        with urllib.request.urlopen(f"{proxy.gateway.url}/ready") as ready:
            assert ready.status == 200


def flattened(error: BaseException) -> list[BaseException]:
    """The exceptions of a group, and of groups in it."""
    inner = getattr(error, "exceptions", None)
    return [error] if inner is None else [one for each in inner for one in flattened(each)]


def test_a_sandboxed_server_reads_its_folder_and_nothing_else(tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.mkdir()
    (box / "inside.txt").write_text("inside")
    # The server's own program is granted too. In warn mode nothing but the kernel refuses.
    readable = [f"{folder}:ro" for folder in (sys.prefix, sys.base_prefix, SERVER.parent)]
    policy = {"version": 1, "mode": "warn", "files": {"also": readable}}
    server = {"command": [sys.executable, str(SERVER)], "sandbox": str(box), "timeout": "30s"}
    with proxying(tmp_path, {"boxed": server}, policy=policy) as proxy:

        async def read(client):
            inside = await client.call_tool("read_file", {"path": "inside.txt"})
            outside = await client.call_tool("read_file", {"path": str(proxy.root / "notes.txt")})
            return inside, outside

        inside, outside = run(proxy.url("boxed"), read)
        assert told(inside) == "inside"
        assert outside.is_error and "buy milk" not in told(outside)
