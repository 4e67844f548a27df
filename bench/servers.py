"""The servers of the gateway bench: how each is configured, started, paused and stopped. Nothing is measured here.

Every server gets the same processors, as many workers as it has processors, and its logging turned down to what its
makers recommend for production.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import machine

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
RELEASE = HERE.parent / "target" / "release"
START_SECONDS = 90
PATH = "/v1/chat/completions"
MODEL = "gpt-4o-mini"


class Unavailable(Exception):
    """The server can't be run; the message says why."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def spawn(argv: Sequence[str], cores: Sequence[int], folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Starts a program on these processors, in a process group of its own. What it prints goes to `output.log`."""
    folder.mkdir(parents=True, exist_ok=True)
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", ",".join(map(str, cores)), *argv],
            cwd=folder,
            env=keep | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    machine.prefer(process.pid)
    return process


class Server:
    """One way to the upstream. Subclasses say how it is started."""

    name = ""
    headers: tuple[str, ...] = ()

    def __init__(self, upstream: int, cores: Sequence[int]) -> None:
        self.upstream = upstream
        self.cores = cores
        self.folder = WORK / "run" / self.name
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def version(cls) -> str:
        raise NotImplementedError

    def launch(self) -> subprocess.Popen[bytes]:
        """Writes the configuration and starts the program."""
        raise NotImplementedError

    def prepare(self) -> None:
        """What has to be done once before the program starts, and does not count as its start."""

    def after_start(self) -> None:
        """What has to be done once it answers."""

    def start(self) -> float:
        """Starts it and gives the seconds from there to its first answer."""
        subprocess.run(["rm", "-rf", str(self.folder)], check=True)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.prepare()
        began = time.monotonic()
        self.process = self.launch()
        try:
            took = self._first_answer(began)
            self.after_start()
        except BaseException:
            self.stop()
            raise
        return took

    def _first_answer(self, began: float) -> float:
        body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hello"}]})
        last = "it never accepted a connection"
        while time.monotonic() < began + START_SECONDS:
            if self.process is not None and self.process.poll() is not None:
                raise Unavailable(f"{self.name} ended at once: {self._log()}")
            with suppress(OSError):
                last = request(self.port, self.headers, body)
                if last.startswith("HTTP/1.1 200"):
                    return time.monotonic() - began
            time.sleep(0.0005)
        raise Unavailable(f"{self.name} did not answer: {last[:500]} {self._log()}")

    def _log(self) -> str:
        return (self.folder / "output.log").read_text(errors="replace")[-1500:]

    @property
    def pids(self) -> list[int]:
        return [self.process.pid] if self.process else []

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def pause(self) -> None:
        """Stops it from running at all while others are measured."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def stop(self) -> None:
        self.resume()
        self.signal(signal.SIGTERM)
        if self.process is not None:
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
                self.process.wait()
            self.process = None


def request(port: int, headers: Sequence[str], body: str) -> str:
    """The answer to one call, as text."""
    head = "".join(f"{header}\r\n" for header in headers)
    text = f"POST {PATH} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nconnection: close\r\n{head}content-length: {len(body)}\r\n\r\n{body}"
    with socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as stream:
        stream.sendall(text.encode())
        parts = []
        while part := stream.recv(65536):
            parts.append(part)
    return b"".join(parts).decode(errors="replace")


class Upstream(Server):
    """The fake provider. Reached without anything in between it is what everything else is compared with."""

    name = "direct"

    @classmethod
    def version(cls) -> str:
        return "the bench's own upstream"

    def launch(self) -> subprocess.Popen[bytes]:
        return spawn([str(RELEASE / "upstream"), "--listen", f"127.0.0.1:{self.port}"], self.cores, self.folder)


class Nginx(Server):
    name = "nginx"

    @classmethod
    def version(cls) -> str:
        return output("/usr/sbin/nginx", "-v").rsplit("/", 1)[-1]

    def launch(self) -> subprocess.Popen[bytes]:
        config = self.folder / "nginx.conf"
        config.write_text(f"""
daemon off;
worker_processes {len(self.cores)};
worker_rlimit_nofile 20000;
pid {self.folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 16000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_buffer_size 1m;
    client_body_temp_path {self.folder};
    proxy_temp_path {self.folder};
    upstream provider {{
        server 127.0.0.1:{self.upstream};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
""")
        return spawn(["/usr/sbin/nginx", "-p", str(self.folder), "-c", str(config)], self.cores, self.folder)


class Haproxy(Server):
    name = "haproxy"
    tuning = ""

    @classmethod
    def version(cls) -> str:
        return output("/usr/sbin/haproxy", "-v").split()[2]

    def launch(self) -> subprocess.Popen[bytes]:
        config = self.folder / "haproxy.cfg"
        config.write_text(f"""
global
    nbthread {len(self.cores)}
    maxconn 9000
    {self.tuning}
defaults
    mode http
    option http-no-delay
    timeout connect 5s
    timeout client 600s
    timeout server 600s
frontend front
    bind 127.0.0.1:{self.port} backlog 4096
    default_backend back
backend back
    http-reuse always
    server provider 127.0.0.1:{self.upstream}
""")
        return spawn(["/usr/sbin/haproxy", "-db", "-f", str(config)], self.cores, self.folder)


class HaproxyPolling(Haproxy):
    """Never sleeps: each of its threads asks the kernel for events without an end."""

    name = "haproxy-polling"
    tuning = "busy-polling"


class Seawall(Server):
    """Everything on that there is: a key that is checked, strict mode, the policy `safe` with the detectors of secrets and
    of personal data in both directions, four budgets, a trace in groups with redacted payloads.
    """

    name = "seawall"
    binary = RELEASE / "seawall"
    policy: dict[str, Any] | str = {
        "version": 1,
        "extends": ["safe"],
        "mode": "strict",
        "secrets": {"in": "deny", "out": "redact"},
        "pii": {"in": "warn", "out": "redact"},
    }
    content = "redacted"
    gateway: dict[str, Any] = {}

    @classmethod
    def version(cls) -> str:
        return output(str(cls.binary), "--version").split()[-1]

    def prepare(self) -> None:
        limits = {"body": "32M", "in_flight": 20000, "buffer": "4G"}
        config = {
            "gateway": {"mode": "strict", "listen": f"127.0.0.1:{self.port}", "limits": limits} | self.gateway,
            "auth": {"mode": "required"},
            "upstreams": self.providers(),
            "budgets": [
                {"scope": scope, "window": "total", "usd": "1000000", "tokens": 10**15}
                for scope in ("global", "key:bench", "tenant:bench")
            ],
            "policy": self.policy,
            "trace": {"durability": "group", "content": self.content},
            "logging": {"level": "warn"},
        }
        (self.folder / "seawall.json").write_text(json.dumps(config, indent=1))
        made = self.command("keys", "create", "--name", "bench", "--tenant", "bench")
        self.headers = (f"authorization: Bearer {json.loads(made)['key']}",)

    def providers(self) -> list[dict[str, Any]]:
        """Where calls go."""
        provider = {
            "name": "provider",
            "kind": "openai",
            "base_url": f"http://127.0.0.1:{self.upstream}/v1",
            "api_key": "sk-bench",
            "max_in_flight": 20000,
        }
        return [provider]

    def launch(self) -> subprocess.Popen[bytes]:
        return spawn([str(self.binary), "proxy", *self.flags()], self.cores, self.folder)

    def after_start(self) -> None:
        line = next(line for line in self._log().splitlines() if line.startswith("seawall ready "))
        run = dict(fact.split("=", 1) for fact in line.split()[2:])["run"]
        self.command("budget", "set", f"run:{run}", "--usd", "1000000", "--tokens", str(10**15))
        held = {budget["scope"] for budget in json.loads(self.command("budget", "show"))["budgets"]}
        wanted = {"global", "key:bench", "tenant:bench", f"run:{run}"}
        if not wanted <= held:
            raise Unavailable(f"seawall keeps only these budgets: {sorted(held)}")

    def flags(self) -> list[str]:
        return ["--config", str(self.folder / "seawall.json"), "--data-dir", str(self.folder / "data")]

    def command(self, *arguments: str) -> str:
        return output(str(self.binary), *arguments, "--json", *self.flags())


class SeawallBare(Seawall):
    """The same but for what looks into the texts: no policy, no detectors, no payloads. What those cost is the difference."""

    name = "seawall-bare"
    policy = "off"
    content = "none"


class SeawallPolling(Seawall):
    """Everything on, and its workers sleep only after 10 ms of silence: for who has processors to spare."""

    name = "seawall-polling"
    gateway = {"busy_poll": "10ms"}


class LiteLLM(Server):
    """One worker for each processor, no database: so without virtual keys and budgets, which it could not keep there."""

    name = "litellm"
    headers = ("authorization: Bearer sk-bench",)
    program = WORK / "venv" / "bin" / "litellm"

    @classmethod
    def version(cls) -> str:
        text = output(str(WORK / "venv" / "bin" / "python"), "-m", "pip", "show", "litellm")
        return next(line.split()[1] for line in text.splitlines() if line.startswith("Version:"))

    def launch(self) -> subprocess.Popen[bytes]:
        config = {
            "model_list": [
                {
                    "model_name": MODEL,
                    "litellm_params": {
                        "model": f"openai/{MODEL}",
                        "api_base": f"http://127.0.0.1:{self.upstream}/v1",
                        "api_key": "sk-bench",
                    },
                }
            ],
            "litellm_settings": {"num_retries": 0, "telemetry": False},
            "general_settings": {"master_key": "sk-bench"},
        }
        path = self.folder / "litellm.yaml"
        path.write_text(json.dumps(config))
        argv = [str(self.program), "--config", str(path), "--host", "127.0.0.1", "--port", str(self.port)]
        workers = ["--num_workers", str(len(self.cores))]
        quiet = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        return spawn([*argv, *workers], self.cores, self.folder, **quiet)


class Portkey(Server):
    """One process: it has no setting for more."""

    name = "portkey"
    program = WORK / "portkey" / "node_modules" / "@portkey-ai" / "gateway"

    @classmethod
    def version(cls) -> str:
        return json.loads((cls.program / "package.json").read_text())["version"]

    def launch(self) -> subprocess.Popen[bytes]:
        self.headers = (
            "authorization: Bearer sk-bench",
            "x-portkey-provider: openai",
            f"x-portkey-custom-host: http://127.0.0.1:{self.upstream}/v1",
        )
        script = str(self.program / "build" / "start-server.js")
        return spawn(
            ["node", script, f"--port={self.port}", "--headless"], self.cores, self.folder, NODE_ENV="production"
        )


GATEWAYS: tuple[type[Server], ...] = (Nginx, Haproxy, HaproxyPolling, Seawall, SeawallPolling, SeawallBare, LiteLLM, Portkey)


def output(*argv: str) -> str:
    """What a command prints. It must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{Path(argv[0]).name} exited {done.returncode}: {done.stderr[-500:]}")
    return (done.stdout or done.stderr).strip()
