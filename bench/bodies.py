"""The requests of the gateway bench, written to files that the generator reads."""

import json
from pathlib import Path
from typing import Any

from servers import MODEL

PROSE = (
    "The quarterly figures are in the second sheet, and the notes below it say how each of them was put together. "
    "Please read the notes first: two columns changed their meaning in spring, so a sum over the year is only right "
    "after the correction that is described there.\n"
)
LISTING = (
    '{"path": "src/ledger/account.rs", "line": 118, "text": "let held = self.held.checked_add(amount).ok_or(Overflow)?;"}\n'
    "drwxr-xr-x  4 build build   4096 Mar 12 09:41 fixtures\n"
    "warning: unused variable: `totals`\n   --> src/report/summary.rs:42:9\n    |\n42  |     let totals = sum(&rows);\n"
)


def filled(text: str, size: int) -> str:
    return (text * (size // len(text) + 1))[:size]


def write(folder: Path, name: str, body: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(body))
    return path


def chat(folder: Path) -> Path:
    """A question with 2 KB of text."""
    messages = [
        {"role": "system", "content": "You are a careful analyst."},
        {"role": "user", "content": filled(PROSE, 2_000)},
    ]
    return write(folder, "chat", {"model": MODEL, "max_tokens": 512, "temperature": 0.2, "messages": messages})


def stream(folder: Path, events: int, gap_us: int) -> Path:
    """The same question, to be answered by a stream of so many events."""
    messages = [{"role": "user", "content": f"bench:stream={events},{gap_us} {filled(PROSE, 2_000)}"}]
    return write(folder, f"stream-{events}", {"model": MODEL, "max_tokens": 8_000, "stream": True, "messages": messages})


def context(folder: Path) -> Path:
    """What an agent sends after two dozen steps: 100 KB, most of it results of tools."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": filled(PROSE, 4_000)},
        {"role": "user", "content": "Find out why the ledger test fails, and mend it."},
    ]
    while len(json.dumps(messages)) < 94_000:
        number = len(messages)
        call = {"name": "read_file", "arguments": json.dumps({"path": f"src/part_{number}.rs", "from": number})}
        calls = [{"id": f"call_{number}", "type": "function", "function": call}]
        messages.append({"role": "assistant", "content": filled(PROSE, 200), "tool_calls": calls})
        messages.append({"role": "tool", "tool_call_id": f"call_{number}", "content": filled(LISTING, 3_200)})
    properties = {"path": {"type": "string", "description": "the file"}, "from": {"type": "integer"}}
    tools = [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": filled(PROSE, 200),
                "parameters": {"type": "object", "properties": properties, "required": ["path"]},
            },
        }
        for name in ("read_file", "write_file", "list_files", "run_tests", "search")
    ]
    return write(folder, "context", {"model": MODEL, "max_tokens": 1_024, "messages": messages, "tools": tools})
