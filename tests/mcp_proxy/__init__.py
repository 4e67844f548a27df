"""A gateway with servers of tools behind it."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.gateway import Gateway
from harness.places import clean_environment
from harness.process import serving
from harness.waiting import until

SERVER = Path(__file__).parent / "server.py"

POLICY = {
    "version": 1,
    "name": "tools",
    "mode": "strict",
    "extends": ["safe"],
    "secrets": {"in": "deny", "out": "redact"},
    "injection": "warn",
    "tools": [{"name": "*.forbidden", "verdict": "deny", "reason": "nobody needs it"}],
}


@dataclass(frozen=True)
class Proxy:
    """A gateway with servers of tools behind it."""

    gateway: Gateway
    root: Path

    def url(self, server: str) -> str:
        return f"{self.gateway.url}/mcp/{server}"

    def actions(self, tool: str) -> list[dict]:
        """What the trace tells of the calls of one tool."""
        events = self.gateway.events()
        return [event for event in events if event["kind"].startswith("action.") and event["data"]["name"] == tool]

    def last(self, tool: str, kind: str) -> dict:
        """The last of these events about a tool, once there is one: the trace is written a moment after the answer."""

        def of_kind() -> list[dict]:
            return [event for event in self.actions(tool) if event["kind"] == kind]

        return until(f"{kind} of {tool}", of_kind)[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def http_server(folder: Path, *command: str) -> Iterator[str]:
    """Runs a server whose last argument is its port; gives its endpoint."""
    port = free_port()
    with (folder / f"server-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(port)], cwd=folder, env=clean_environment(folder), stdout=log, stderr=log
        )
        try:
            until(f"{command[-1]} listens", lambda: listens(port))
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.kill()
            process.wait()


@contextmanager
def proxying(folder: Path, servers: dict, *flags: str, policy: dict = POLICY, **more) -> Iterator[Proxy]:
    """Runs the gateway with these servers; its files are those of `work`, where it also runs."""
    work = folder / "work"
    work.mkdir(parents=True)
    (work / "notes.txt").write_text("buy milk")
    config = folder / "seawall.json"
    config.write_text(json.dumps({"policy": policy, "mcp": {"servers": servers}, **more}))
    data = folder / "data"
    arguments = ["up", "--listen", "127.0.0.1:0", "--config", str(config), "--data-dir", str(data), *flags]
    with serving(*arguments, folder=work) as server:
        yield Proxy(Gateway(server.url, server.run, data), work)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
