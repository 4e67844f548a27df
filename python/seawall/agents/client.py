"""The server's agents, and one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Optional, Union

from seawall.agents import events as following
from seawall.agents.events import CHANNELS, Event
from seawall.agents.http import AgentError, Server, query, segment
from seawall.agents.tools import Host

__all__ = ["Agent", "AgentError", "Agents", "Reply", "Sent"]

Content = Union[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Sent:
    """A message that was accepted: it is durable."""

    message_id: str
    seq: int
    """The agent's number by then: follow from here to see what comes of it."""


@dataclass(frozen=True)
class Reply:
    """How a turn ended."""

    status: str
    """`ok`, `paused` (people have to decide), `failed`, `interrupted`; `working` when the time was up before."""
    text: Optional[str] = None
    error: Optional[Mapping[str, str]] = None
    approvals: Sequence[str] = field(default_factory=tuple)
    seq: int = 0


class Agents:
    """The agents of a server. Closing it ends the tools that are functions of this process, and no agent."""

    def __init__(self, url: str = "http://127.0.0.1:8000", api_key: Optional[str] = None) -> None:
        self._server = Server(url, api_key)
        self._host: Optional[Host] = None

    def create(
        self,
        template: str,
        *,
        id: Optional[str] = None,  # noqa: A002  the word of the API
        tools: Sequence[Callable[..., Any]] = (),
        overrides: Optional[Mapping[str, Any]] = None,
        metadata: Optional[Mapping[str, Any]] = None,
    ) -> Agent:
        """Makes an agent; the same request with the same id again finds it. `tools` are functions of this process: they
        can be called for as long as this object is open, so an agent with tools is one of this process."""
        changed: dict[str, Any] = dict(overrides or {})
        if tools:
            declared = [self._tools().add(function) for function in tools]
            changed["http_tools"] = [*changed.get("http_tools", ()), *declared]
        body = {"id": id, "template": template, "overrides": changed or None, "metadata": metadata}
        _, made = self._server.ask("POST", "/api/agents", {k: v for k, v in body.items() if v is not None})
        return Agent(self._server, made["id"])

    def get(self, id: str) -> Agent:  # noqa: A002  the word of the API
        """An agent that is there."""
        agent = Agent(self._server, id)
        agent.info()
        return agent

    def list(self, **filters: Any) -> list[dict[str, Any]]:
        """Agents by `template`, `state`, `prefix`, `limit`, `offset`."""
        return self._server.ask("GET", f"/api/agents{query(**filters)}")[1]["agents"]

    def approvals(self) -> list[dict[str, Any]]:
        """What waits for people."""
        return self._server.ask("GET", "/api/approvals?state=pending")[1]["approvals"]

    def _tools(self) -> Host:
        if self._host is None:
            self._host = Host()
        return self._host

    def close(self) -> None:
        """Ends the tools of this process."""
        if self._host is not None:
            self._host.close()
            self._host = None

    def __enter__(self) -> Agents:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class Agent:
    """One agent, by its name."""

    def __init__(self, server: Server, id: str) -> None:  # noqa: A002  the word of the API
        self.id = id
        self._server = server
        self._path = f"/api/agents/{segment(id)}"

    def __repr__(self) -> str:
        return f"Agent({self.id!r})"

    def info(self) -> dict[str, Any]:
        """What it is and does."""
        return self._get("")

    def send(self, content: Content, *, kind: str = "user", idempotency_key: Optional[str] = None) -> Sent:
        """Leaves a message. It is durable when this returns; the same key again is the same message."""
        accepted = self._post("/messages", {"content": content, "kind": kind}, _key(idempotency_key))
        return Sent(accepted["message_id"], accepted["bookmark"]["seq"])

    def complete(
        self, content: Content, *, timeout: float = 60.0, idempotency_key: Optional[str] = None
    ) -> Reply:
        """Leaves a message and waits for the end of its turn, `timeout` seconds at the most."""
        path = f"/messages?wait=true&timeout={timeout:g}"
        status, answer = self._server.ask(
            "POST", self._path + path, {"content": content}, _key(idempotency_key), timeout + 10.0
        )
        word = answer["status"] if status == 200 else "working"
        approvals = tuple(answer.get("approvals", ()))
        return Reply(word, answer.get("text"), answer.get("error"), approvals, answer["bookmark"]["seq"])

    def stream(self, content: Content, *, idempotency_key: Optional[str] = None) -> Iterator[str]:
        """Leaves a message and gives the words of the answer as they come, to the end of the turn or to where people have to
        decide. Words of an answer that was broken off and begun anew are followed by the new ones."""
        sent = self.send(content, idempotency_key=idempotency_key)
        shown = False
        for event in self.events(since=sent.seq - 1, channels=("progress", "control")):
            if event.type == "text_chunk":
                shown = True
                yield event.data["delta"]
            elif event.type == "text_chunk_end":
                if not shown and event.data["text"]:
                    yield event.data["text"]
                shown = False
            elif event.type in ("done", "permission_required"):
                return

    def events(self, *, since: int = 0, channels: Sequence[str] = CHANNELS) -> Iterator[Event]:
        """Everything after a number, for as long as it is asked for. Broken connections are made again: nothing is missed,
        nothing comes twice."""
        return following.follow(self._server, f"{self._path}/events", channels, since)

    def decide(
        self,
        approval: str,
        decision: str,
        *,
        note: Optional[str] = None,
        scope: str = "once",
        arguments: Optional[Mapping[str, Any]] = None,
    ) -> None:
        """Says `allow` or `deny` to what the agent waits for; with `arguments` the call may run with those alone."""
        body = {"approval_id": approval, "decision": decision, "note": note, "scope": scope, "arguments": arguments}
        self._post("/decide", {name: value for name, value in body.items() if value is not None})

    def interrupt(self, note: Optional[str] = None) -> None:
        """Stops what it does."""
        self._post("/interrupt", {} if note is None else {"note": note})

    def fork(self, *, seq: Optional[int] = None, snapshot: Optional[str] = None) -> Agent:
        """Another agent, which goes on from where this one is, or was."""
        body = {name: value for name, value in (("seq", seq), ("snapshot", snapshot)) if value is not None}
        return Agent(self._server, self._post("/fork", body)["id"])

    def snapshot(self, label: Optional[str] = None) -> dict[str, Any]:
        """Gives the point where it is a name."""
        return self._post("/snapshots", {} if label is None else {"label": label})

    def messages(self) -> list[dict[str, Any]]:
        """What was said."""
        return self._get("/messages")["messages"]

    def tool_calls(self) -> list[dict[str, Any]]:
        """The ledger of its calls of tools."""
        return self._get("/tool-calls")["tool_calls"]

    def delete(self, *, purge: bool = False) -> None:
        """Puts it away; with `purge` nothing of it is left."""
        self._server.ask("DELETE", f"{self._path}{'?purge=true' if purge else ''}")

    def _get(self, path: str) -> Any:
        return self._server.ask("GET", self._path + path)[1]

    def _post(self, path: str, body: Mapping[str, Any], headers: Optional[Mapping[str, str]] = None) -> Any:
        return self._server.ask("POST", self._path + path, body, headers)[1]


def _key(idempotency_key: Optional[str]) -> Optional[Mapping[str, str]]:
    return None if idempotency_key is None else {"idempotency-key": idempotency_key}
