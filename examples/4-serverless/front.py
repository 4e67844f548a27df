#!/usr/bin/env python3
"""A stateless front of agents: what a serverless platform runs for each request. Nothing but the standard library.

`handle` is the function: it keeps nothing between two calls. The server around it is for trying it out:

    AGENTS_URL=http://127.0.0.1:8000 front.py
"""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

AGENTS = os.environ.get("AGENTS_URL", "http://127.0.0.1:8000")
KEY = os.environ.get("AGENTS_KEY")

Answer = tuple[int, str, Iterable[bytes]]


def handle(method: str, url: str, body: bytes) -> Answer:
    """One request: its status, the type of its answer, and the answer in pieces."""
    parts = urlsplit(url)
    try:
        if (method, parts.path) == ("POST", "/task"):
            return begin(json.loads(body))
        task = parse_qs(parts.query).get("task", [""])[0]
        agent, _, seq = task.rpartition("@")
        if not agent or not seq.isdigit():
            return told(404, {"error": "there is no such task"})
        if (method, parts.path) == ("GET", "/status"):
            return told(200, status(agent, int(seq)))
        if (method, parts.path) == ("GET", "/stream"):
            return 200, "text/event-stream", opened("GET", f"{path(agent)}/stream?since={seq}")
    except urllib.error.HTTPError as error:
        return error.code, "application/problem+json", [error.read()]
    except (KeyError, TypeError, ValueError) as error:
        return told(400, {"error": f"the request can't be read: {error!r}"})
    return told(404, {"error": "POST /task, GET /status?task=, GET /stream?task="})


def begin(wanted: dict[str, Any]) -> Answer:
    """Makes the agent if there is none and hands it the message; what is answered is durable."""
    agent = wanted["agent"]
    asked("POST", "/api/agents", {"id": agent, "template": wanted.get("template", "assistant")})
    key = {"idempotency-key": wanted["key"]} if "key" in wanted else {}
    sent = asked("POST", f"{path(agent)}/messages", {"content": wanted["message"]}, key)
    task = quote(f"{agent}@{sent['bookmark']['seq']}")
    return told(202, {"task": task, "status_url": f"/status?task={task}", "stream_url": f"/stream?task={task}"})


def status(agent: str, seq: int) -> dict[str, Any]:
    """How far the turn of the message with this number is."""
    state = asked("GET", path(agent))["state"]
    messages = asked("GET", f"{path(agent)}/messages")["messages"]
    later = [message for message in messages if message["seq"] > seq]
    if any(message.get("state") == "queued" for message in messages) or state == "working":
        return {"status": "working"}
    said = [block["text"] for message in later for block in message["content"] if block["type"] == "text"]
    done = {"paused": "paused", "failed": "failed"}.get(state, "done")
    return {"status": done, "text": said[-1] if said else None}


def path(agent: str) -> str:
    return f"/api/agents/{quote(agent)}"


def opened(method: str, where: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    headers = {"content-type": "application/json"} | (headers or {})
    if KEY:
        headers["authorization"] = f"Bearer {KEY}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(AGENTS + where, data, headers, method=method)
    return urllib.request.urlopen(request, timeout=60)


def asked(method: str, where: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    with opened(method, where, body, headers) as answer:
        return json.load(answer)


def told(status: int, value: Any) -> Answer:
    return status, "application/json", [json.dumps(value).encode()]


class Server(BaseHTTPRequestHandler):
    """Calls the function, as a platform would."""

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length", 0))
        status, kind, pieces = handle(self.command, self.path, self.rfile.read(length))
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    with ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Server) as server:
        print(f"front ready listen=http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
