#!/usr/bin/env python3
"""A client of one server, with nothing but Python: get or create an agent, talk to it, follow it.

    client.py http://127.0.0.1:8000 friend "How are you?"
"""

import json
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any


def ask(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def words(url: str) -> Iterator[str]:
    """The words of a turn as they come, up to its end. What was there at once has no pieces."""
    with urllib.request.urlopen(url, timeout=60) as events:
        kind, in_pieces = "", False
        for line in events:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                event = json.loads(value)["event"]
                if kind == "text_chunk":
                    in_pieces = True
                    yield event["delta"]
                elif kind == "text_chunk_end":
                    yield "\n" if in_pieces else event["text"] + "\n"
                    in_pieces = False
                elif kind == "done":
                    return


def main() -> None:
    server, agent, text = sys.argv[1:]
    ask(f"{server}/api/agents", {"id": agent, "template": "assistant"})
    sent = ask(f"{server}/api/agents/{agent}/messages", {"content": text})
    for piece in words(f"{server}/api/agents/{agent}/stream?since={sent['bookmark']['seq']}"):
        print(piece, end="", flush=True)


if __name__ == "__main__":
    main()
