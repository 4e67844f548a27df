"""What to ask the simulated provider for, in the words of its directives."""

import json
from typing import Any

MODEL = "sim-1"
"""A model whose price is known."""

HANG = "sim:hang"
"""No answer, not even headers."""

LONG = "sim:pace 20ms\nsim:repeat 1000 word"
"""A stream of twenty seconds."""
LONG_TOKENS = 1250
"""What it would have in the end: four bytes are a token."""

BROKEN = "sim:repeat 50 word\nsim:disconnect after=5"
"""A stream that breaks in the middle."""

QUESTION = {"city": "Oslo", "days": 3}
"""The arguments of the tool call that `tool_then_text` asks for."""
TOOL = "get_weather"
TOOL_DESCRIPTION = "The weather of the coming days."
TOOL_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL_RESULT = "-4 degrees, snow"
CONCLUSION = "Take a warm coat."


def text(words: str) -> str:
    """Answer these words."""
    return f"sim:text {words}"


def tool_then_text() -> str:
    """Call the weather tool; after its result, answer the conclusion."""
    return f"How is the weather?\n{tool_call(TOOL, QUESTION)}\n{text(CONCLUSION)}"


def tool_call(name: str, arguments: dict[str, Any]) -> str:
    """Call this tool."""
    return f"sim:tool {name} {json.dumps(arguments)}"


def error(status: int) -> str:
    """Answer with an error that the client may repeat at once."""
    return f"sim:error {status} retry-after=0"
