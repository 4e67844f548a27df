#!/usr/bin/env python3
"""Plays what the program is for on a build of it that counts: the load of the gateway's bench, all wire formats at the
simulated provider, agents on two stores, and the commands of a day. Nothing is measured. What is not played here is taken
for cold by the release build, so whatever becomes hot belongs here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import bodies
from servers import RELEASE, WORK, Seawall, SeawallBare, Unavailable, Upstream, output

TEXT = "Write to ada.lovelace@example.com or call +1 415 555 0132; the key is AKIAIOSFODNN7EXAMPLE.\n" + bodies.PROSE


class Simulated(Seawall):
    """In front of the simulated provider, which speaks every wire format; what is found is redacted on both ways."""

    name = "seawall-simulated"
    policy = {
        "version": 1,
        "extends": ["safe"],
        "secrets": {"in": "redact", "out": "redact"},
        "pii": {"in": "redact", "out": "redact"},
    }

    def providers(self) -> list[dict[str, Any]]:
        return [{"name": kind, "kind": kind, "base_url": "sim:"} for kind in ("openai", "anthropic", "gemini")]


def load(server: Seawall, body: Path, *shape: str, path: str = "/v1/chat/completions") -> None:
    argv = [str(RELEASE / "load"), f"--target=127.0.0.1:{server.port}", f"--path={path}", f"--body={body}"]
    argv += [f"--header={header}" for header in server.headers]
    done = subprocess.run([*argv, *shape], check=True, stdout=subprocess.PIPE, text=True)
    report = json.loads(done.stdout)
    if report["failed"]:
        raise Unavailable(f"{path}: {report['failed']} failed: {report['first_failure']}")


def play_bench(server: Seawall) -> None:
    """What the gateway's bench measures."""
    streams = bodies.stream(WORK, events=500, gap_us=10_000)
    load(server, bodies.chat(WORK), "--seconds=5", "closed", "--connections=32")
    load(server, bodies.context(WORK), "--seconds=4", "closed", "--connections=8")
    load(server, bodies.chat(WORK), "--seconds=3", "open", "--rate=200")
    load(server, streams, "--patience=120", "streams", "--at-once=64", "--events=500", "--apart-us=1156")


def play_formats(server: Seawall) -> None:
    """Answers with words, thoughts, calls of tools and what is to be redacted, whole and as streams, in each format."""
    tool = 'sim:tool write {"path":"out.txt","text":"hi"}'
    said = ("sim:echo", "sim:think So it is.", "sim:secret", tool, "sim:repeat 60 word")
    for number, directive in enumerate(said):
        text = f"{TEXT}\n{directive}"
        messages = [{"role": "user", "content": text}]
        chat = {"model": "gpt-4o-mini", "messages": messages, "max_tokens": 900}
        responses = {"model": "gpt-4o-mini", "input": text, "max_output_tokens": 900}
        claude = {"model": "claude-sonnet-4-5", "messages": messages, "max_tokens": 900}
        parts = {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": 900}}
        gemini = "/v1beta/models/gemini-2.5-flash:"
        for stream in (False, True):
            asked = {"stream": True} if stream else {}
            method = "streamGenerateContent?alt=sse" if stream else "generateContent"
            calls = [
                ("/v1/chat/completions", chat | asked),
                ("/v1/responses", responses | asked),
                ("/v1/messages", claude | asked),
                (gemini + method, parts),
            ]
            for format_number, (path, body) in enumerate(calls):
                file = bodies.write(WORK, f"train-{number}-{format_number}-{stream}", body)
                load(server, file, "--warm-up=0.1", "--seconds=0.4", "closed", "--connections=8", path=path)


def play_commands(server: Seawall) -> None:
    """The commands of a day, beside the server."""
    for command in (("trace", "list"), ("trace", "verify"), ("budget", "show"), ("keys", "list")):
        server.command(*command)


def play(server: Seawall, *parts: Any) -> None:
    server.start()
    try:
        for part in parts:
            part(server)
    finally:
        process = server.process
        server.stop()
    if process is None or process.returncode != 0:
        raise Unavailable(f"{server.name} did not end by itself, so its counts are lost")


def main() -> int:
    Seawall.binary = Path(sys.argv[1]).resolve()
    processors = sorted(os.sched_getaffinity(0))
    upstream = Upstream(0, processors)
    upstream.start()
    try:
        # Not while it polls: turns in which nothing happens would outweigh everything that does.
        for kind in (Seawall, SeawallBare):
            play(kind(upstream.port, processors), play_bench)
        play(Simulated(upstream.port, processors), play_formats, play_commands)
    finally:
        upstream.stop()
    folder = WORK / "train"
    folder.mkdir(parents=True, exist_ok=True)
    for store in (f"sqlite:{folder}/agents.db", f"json:{folder}/agents"):
        output(str(Seawall.binary), "doctor", "--capacity", "--store", store, "--data-dir", str(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
