"""The client of durable agents against the real server: tools of this process, streams, people's decisions."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Optional

import pytest
from seawall.agents import Agents, AgentError
from seawall.agents.tools import Host, effect, schema

from harness.process import Server, serving

TEMPLATE = """
id: helper
model: { provider: openai, name: sim-small }
permission: { require_approval_tools: [pay] }
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "server"
    (folder / "templates").mkdir(parents=True)
    (folder / "templates" / "helper.yaml").write_text(TEMPLATE)
    arguments = ("up", "--listen", "127.0.0.1:0", "--upstream", "sim:", "--data-dir", str(folder / "data"))
    with serving(*arguments, folder=folder) as server:
        yield server


@pytest.fixture
def agents(server: Server) -> Iterator[Agents]:
    with Agents(server.url) as agents:
        yield agents


def test_a_function_of_this_process_is_a_tool(agents: Agents):
    called = []

    @effect("keyed")
    def weather(city: str, days: int = 1, *, idempotency_key: str) -> dict:
        """The weather in a city."""
        called.append((city, days, idempotency_key))
        return {"city": city, "sky": "clear"}

    agent = agents.create("helper", id="w", tools=[weather])
    reply = agent.complete('sim:tool weather {"city": "Oslo"}\nsim:turn 1 sim:text take no umbrella')
    assert (reply.status, reply.text) == ("ok", "take no umbrella")
    (call,) = agent.tool_calls()
    assert (call["state"], call["effect"]) == ("completed", "keyed")
    assert '"sky":"clear"' in call["result"][0]["text"].replace(" ", "")
    ((city, days, key),) = called
    assert (city, days) == ("Oslo", 1)
    assert key.endswith("/1/1")


def test_what_a_function_raises_is_told_to_the_model(agents: Agents):
    def broken() -> None:
        raise RuntimeError("no such luck")

    agent = agents.create("helper", tools=[broken])
    assert agent.complete("sim:tool broken {}\nsim:turn 1 sim:text sorry").text == "sorry"
    (call,) = agent.tool_calls()
    assert call["state"] == "failed"
    assert "no such luck" in call["error"]


def test_a_person_decides_from_another_thread(agents: Agents):
    def pay(amount: int) -> str:
        """Pays."""
        return f"paid {amount}"

    agent = agents.create("helper", tools=[pay])
    paused = agent.complete('sim:tool pay {"amount": 5}\nsim:turn 1 sim:text done')
    assert paused.status == "paused"
    (waiting,) = agents.approvals()
    assert (waiting["tool"], waiting["arguments"]) == ("pay", {"amount": 5})
    ended = []

    def follow() -> None:
        for event in agent.events(since=paused.seq, channels=("progress",)):
            ended.append(event.type)
            if event.type == "done":
                return

    thread = threading.Thread(target=follow)
    thread.start()
    agent.decide(paused.approvals[0], "allow")
    thread.join(20)
    assert ended[-1] == "done"
    with pytest.raises(AgentError) as refused:
        agent.decide(paused.approvals[0], "deny")
    assert refused.value.status == 409


def test_words_come_as_they_are_said(agents: Agents):
    agent = agents.create("helper")
    pieces = list(agent.stream("sim:pace 15ms\nsim:chunk 10\nsim:repeat 40 word"))
    assert len(pieces) > 1
    assert "".join(pieces).split() == ["word"] * 40
    assert list(agent.stream("sim:text at once"))[-1:]


def test_a_message_with_a_key_is_one_message(agents: Agents):
    agent = agents.create("helper", id="once")
    first = agent.send("sim:text once", idempotency_key="k1")
    assert agent.send("sim:text once", idempotency_key="k1").message_id == first.message_id
    with pytest.raises(AgentError) as refused:
        agent.send("something else", idempotency_key="k1")
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"


def test_agents_are_found_by_their_names_forked_and_removed(agents: Agents):
    agent = agents.create("helper", id="a")
    agent.complete("sim:text one")
    assert agents.get("a").info()["message_count"] == 2
    fork = agent.fork()
    assert [message["role"] for message in fork.messages()] == ["user", "assistant"]
    assert {shown["id"] for shown in agents.list()} == {"a", fork.id}
    fork.delete(purge=True)
    with pytest.raises(AgentError) as missing:
        agents.get(fork.id)
    assert missing.value.code == "AGENT_NOT_FOUND"


def test_schemas_keep_what_annotations_say():
    def search(query: str, limit: int = 10, kind: Literal["web", "news"] = "web", tags: Optional[list[str]] = None):
        """Searches."""

    assert schema(search) == {
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "limit": {"type": "integer"},
            "kind": {"enum": ["web", "news"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["query"],
        "additionalProperties": False,
    }


def test_a_server_that_is_not_there_is_an_error_with_words():
    with pytest.raises(AgentError, match="does not answer"):
        Agents("http://127.0.0.1:9").list()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"arguments": 7}', b'{"x": {}}', b"\xff"])
def test_what_is_no_call_is_answered_in_words(body: bytes, capfd):
    def twice(text: str) -> str:
        return text * 2

    host = Host()
    try:
        url = host.add(twice)["url"]
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, body, method="POST"), timeout=30)
        assert refused.value.code == 400
        assert "this is no call" in json.loads(refused.value.read())["error"]
    finally:
        host.close()
    assert capfd.readouterr().err == ""
