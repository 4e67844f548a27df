#!/usr/bin/env python3
"""Records crates/llm-client/tests/cassettes anew: what the providers' own SDKs send, and what comes back.

    tests/setup.sh sdk
    .tools/venv/bin/python tests/cassettes/record.py

The SDKs talk to `seawall sim --record`, which stands before the simulated provider; each function below makes one cassette.
The keys are made up, look like real ones, and must not be found in what is written: a test holds that.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anthropic import Anthropic  # noqa: E402
from google import genai  # noqa: E402
from google.genai import types  # noqa: E402
from openai import OpenAI  # noqa: E402

from harness import prompts  # noqa: E402
from harness.places import ROOT  # noqa: E402
from harness.process import serving  # noqa: E402
from harness.simulator import simulating  # noqa: E402

CASSETTES = ROOT / "crates/llm-client/tests/cassettes"
OPENAI_KEY = "sk-proj-recorded-0123456789abcdefghijklmnopqrstuvwxyz"
ANTHROPIC_KEY = "sk-ant-api03-recorded-0123456789abcdefghijklmnopqrstuvwxyz"
GEMINI_KEY = "AIzaSyRecorded0123456789abcdefghijklmnop"
SYSTEM = "You tell the weather; größe 你好 🙂"
SPOKEN = "sim:text It is cold – größe 你好 🙂 \"quoted\".\nsim:chunk 5"
# A key in a prompt is masked too.
WITH_KEY = f"My key is {OPENAI_KEY}, keep it.\nsim:text I will not repeat it."


def openai_chat(url: str) -> None:
    client = openai(url)
    tools = [
        {
            "type": "function",
            "function": {
                "name": prompts.TOOL,
                "description": prompts.TOOL_DESCRIPTION,
                "parameters": prompts.TOOL_SCHEMA,
                "strict": True,
            },
        }
    ]
    said = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": SPOKEN}]
    client.chat.completions.create(model=prompts.MODEL, messages=said, temperature=0.2, max_tokens=200)
    drain(client.chat.completions.create(model=prompts.MODEL, messages=said, stream=True))
    usage = {"include_usage": True}
    drain(client.chat.completions.create(model=prompts.MODEL, messages=said, stream=True, stream_options=usage, n=2))
    for stream in (False, True):
        history = [{"role": "user", "content": prompts.tool_then_text()}]
        if stream:
            drain(client.chat.completions.create(model=prompts.MODEL, messages=history, tools=tools, stream=True))
        answer = client.chat.completions.create(model=prompts.MODEL, messages=history, tools=tools)
        message = answer.choices[0].message
        history.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            history.append({"role": "tool", "tool_call_id": call.id, "content": prompts.TOOL_RESULT})
        answered = client.chat.completions.create(model=prompts.MODEL, messages=history, tools=tools, stream=stream)
        if stream:
            drain(answered)
    client.chat.completions.create(model=prompts.MODEL, messages=[{"role": "user", "content": WITH_KEY}])
    refused(lambda: client.chat.completions.create(model=prompts.MODEL, messages=[user(prompts.error(429))]))


def openai_responses(url: str) -> None:
    client = openai(url)
    tools = [
        {
            "type": "function",
            "name": prompts.TOOL,
            "description": prompts.TOOL_DESCRIPTION,
            "parameters": prompts.TOOL_SCHEMA,
            "strict": True,
        }
    ]
    client.responses.create(model=prompts.MODEL, instructions=SYSTEM, input=SPOKEN)
    drain(client.responses.create(model=prompts.MODEL, instructions=SYSTEM, input=SPOKEN, stream=True))
    thinking = {"effort": "low", "summary": "auto"}
    drain(client.responses.create(model=prompts.MODEL, input=f"sim:think slowly\n{SPOKEN}", reasoning=thinking, stream=True))
    for stream in (False, True):
        history = [user(prompts.tool_then_text())]
        if stream:
            drain(client.responses.create(model=prompts.MODEL, input=history, tools=tools, stream=True))
        first = client.responses.create(model=prompts.MODEL, input=history, tools=tools)
        history += [item.model_dump(exclude_none=True) for item in first.output]
        for call in first.output:
            if call.type == "function_call":
                result = {"type": "function_call_output", "call_id": call.call_id, "output": prompts.TOOL_RESULT}
                history.append(result)
        second = client.responses.create(model=prompts.MODEL, input=history, tools=tools, stream=stream)
        if stream:
            drain(second)


def openai_completions(url: str) -> None:
    client = openai(url)
    client.completions.create(model=prompts.MODEL, prompt=SPOKEN, max_tokens=50)
    drain(client.completions.create(model=prompts.MODEL, prompt=SPOKEN, max_tokens=50, stream=True))


def openai_embeddings(url: str) -> None:
    client = openai(url)
    client.embeddings.create(model=prompts.MODEL, input=["cold", "größe 你好"], dimensions=8)
    client.embeddings.create(model=prompts.MODEL, input="warm", dimensions=8, encoding_format="float")


def anthropic_messages(url: str) -> None:
    client = anthropic(url)
    tools = [{"name": prompts.TOOL, "description": prompts.TOOL_DESCRIPTION, "input_schema": prompts.TOOL_SCHEMA}]
    said = {"model": prompts.MODEL, "max_tokens": 200, "messages": [user(SPOKEN)]}
    system = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
    client.messages.create(**said, system=system)
    with client.messages.stream(**said, system=system) as stream:
        drain(stream)
    thought = {"model": prompts.MODEL, "max_tokens": 3000, "thinking": {"type": "enabled", "budget_tokens": 2000}}
    with client.messages.stream(**thought, messages=[user(f"sim:think slowly\n{SPOKEN}")]) as stream:
        drain(stream)
    for streamed in (False, True):
        history = [user(prompts.tool_then_text())]
        options = {"model": prompts.MODEL, "max_tokens": 200, "tools": tools}
        if streamed:
            with client.messages.stream(messages=history, **options) as stream:
                drain(stream)
        first = client.messages.create(messages=history, **options)
        history.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]})
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": prompts.TOOL_RESULT}
            for block in first.content
            if block.type == "tool_use"
        ]
        history.append({"role": "user", "content": results})
        if streamed:
            with client.messages.stream(messages=history, **options) as stream:
                drain(stream)
        else:
            client.messages.create(messages=history, **options)
    refused(lambda: client.messages.create(model=prompts.MODEL, max_tokens=5, messages=[user(prompts.error(529))]))


def anthropic_count_tokens(url: str) -> None:
    client = anthropic(url)
    client.messages.count_tokens(model=prompts.MODEL, system=SYSTEM, messages=[user(SPOKEN)])


def gemini(url: str) -> None:
    client = google(url)
    config = types.GenerateContentConfig(system_instruction=SYSTEM, max_output_tokens=200, temperature=0.2)
    client.models.generate_content(model=prompts.MODEL, contents=SPOKEN, config=config)
    drain(client.models.generate_content_stream(model=prompts.MODEL, contents=SPOKEN, config=config))
    declaration = types.FunctionDeclaration(
        name=prompts.TOOL, description=prompts.TOOL_DESCRIPTION, parameters_json_schema=prompts.TOOL_SCHEMA
    )
    tools = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declaration])])
    contents = [types.UserContent(prompts.tool_then_text())]
    drain(client.models.generate_content_stream(model=prompts.MODEL, contents=contents, config=tools))
    first = client.models.generate_content(model=prompts.MODEL, contents=contents, config=tools)
    result = types.Part.from_function_response(name=prompts.TOOL, response={"result": prompts.TOOL_RESULT})
    contents += [first.candidates[0].content, types.Content(role="user", parts=[result])]
    client.models.generate_content(model=prompts.MODEL, contents=contents, config=tools)
    refused(lambda: client.models.generate_content(model=prompts.MODEL, contents=prompts.error(400)))


def gemini_count_tokens(url: str) -> None:
    client = google(url)
    client.models.count_tokens(model=prompts.MODEL, contents=SPOKEN)


def gemini_embed(url: str) -> None:
    client = google(url)
    config = types.EmbedContentConfig(output_dimensionality=8)
    client.models.embed_content(model=prompts.MODEL, contents=["cold", "größe 你好"], config=config)


def openai(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key=OPENAI_KEY, max_retries=0)


def anthropic(url: str) -> Anthropic:
    return Anthropic(base_url=url, api_key=ANTHROPIC_KEY, max_retries=0)


def google(url: str) -> genai.Client:
    options = types.HttpOptions(base_url=url, retry_options=types.HttpRetryOptions(attempts=1))
    return genai.Client(vertexai=False, api_key=GEMINI_KEY, http_options=options)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def drain(events: Iterator[object]) -> None:
    for _ in events:
        pass


def refused(call: Callable[[], object]) -> None:
    """The call is one that the provider refuses: that is recorded too."""
    try:
        call()
    except Exception as error:  # Each SDK has its own.
        print(f"  refused as wanted: {type(error).__name__}")
    else:
        raise AssertionError("the provider did not refuse")


@contextmanager
def recording(upstream: str, folder: Path) -> Iterator[str]:
    arguments = ["--listen", "127.0.0.1:0", "--record", upstream, "--cassettes", str(folder / "tape")]
    with serving("sim", *arguments, folder=folder) as server:
        yield server.url


MAKERS = [
    openai_chat,
    openai_responses,
    openai_completions,
    openai_embeddings,
    anthropic_messages,
    anthropic_count_tokens,
    gemini,
    gemini_count_tokens,
    gemini_embed,
]


def main() -> None:
    CASSETTES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, simulating(Path(scratch) / "real") as real:
        for maker in MAKERS:
            folder = Path(scratch) / maker.__name__
            with recording(real.url, folder) as url:
                maker(url)
            (tape,) = (folder / "tape").glob("*.jsonl")
            cassette = CASSETTES / f"{maker.__name__}.jsonl"
            cassette.write_bytes(tape.read_bytes())
            print(f"{cassette.name}: {len(tape.read_text().splitlines())} exchanges")


if __name__ == "__main__":
    main()
