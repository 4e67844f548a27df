"""What a screen adds to the first and to the last event of a paced stream: the real binary before the simulated provider,
with a policy of everything on, and the provider alone, by turns.
"""

import http.client
import json
import subprocess
import time
from pathlib import Path
from typing import Any

STREAMS = 30
EVENTS = 40
PER_SECOND = 100
POLICY = """
policy:
  mode: strict
  secrets: { in: deny, out: redact }
  pii: { in: redact, out: redact }
  injection: warn
  tools: [{ name: "shell", verdict: deny }]
"""


def started(binary: Path, folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], int]:
    """A server of ours, and its port out of the line that it prints when it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = [str(binary), *arguments, "--listen=127.0.0.1:0", f"--data-dir={folder / 'data'}"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder, env={})
    assert process.stdout is not None
    ready = process.stdout.readline()
    return process, int(ready.split("listen=http://127.0.0.1:")[1].split()[0])


def one(port: int) -> dict[str, float]:
    """Asks once: milliseconds to the first text and to the end."""
    text = f"sim:repeat {EVENTS} word\nsim:chunk 5"
    body = {"model": "sim-a", "stream": True, "messages": [{"role": "user", "content": text}]}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    begun = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    first = None
    for line in answer:
        if first is None and b'"content":"w' in line:
            first = time.perf_counter()
    end = time.perf_counter()
    connection.close()
    assert answer.status == 200 and first is not None, answer.status
    return {"first_ms": (first - begun) * 1000, "last_ms": (end - begun) * 1000}


def first_events(binary: Path, work: Path) -> list[dict[str, Any]]:
    provider, provider_port = started(binary, work / "sim", "sim", f"--tokens-per-second={PER_SECOND}")
    (work / "everything.yaml").write_text(POLICY)
    proxy, proxy_port = started(
        binary, work / "proxy", "proxy", f"--upstream=http://127.0.0.1:{provider_port}", f"--config={work / 'everything.yaml'}"
    )
    try:
        for port in (provider_port, proxy_port):
            one(port)
        ways = (("direct", provider_port), ("screened", proxy_port))
        return [{"way": way} | one(port) for _ in range(STREAMS) for way, port in ways]
    finally:
        for process in (proxy, provider):
            process.terminate()
            process.wait()
