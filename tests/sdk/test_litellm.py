"""LiteLLM as a client, in three wire formats. It runs in an environment of its own."""

import asyncio
import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # Otherwise importing it asks the network for prices.

import litellm
import pytest

from harness import prompts
from harness.gateway import Gateway
from harness.simulator import Simulator, price

litellm.telemetry = False
litellm.suppress_debug_info = True
litellm.return_response_headers = True

TOOLS = [
    {
        "type": "function",
        "function": {"name": prompts.TOOL, "description": prompts.TOOL_DESCRIPTION, "parameters": prompts.TOOL_SCHEMA},
    }
]
FORMATS = ["openai", "anthropic", "gemini"]
every_format = pytest.mark.parametrize("wire", FORMATS)


def settings(gateway: Gateway, wire: str) -> dict:
    """How to reach the gateway as a provider of this wire format."""
    base = {"openai": f"{gateway.url}/v1", "anthropic": gateway.url, "gemini": f"{gateway.url}/v1beta"}[wire]
    return {
        "model": f"{wire}/{prompts.MODEL}",
        "api_base": base,
        "api_key": "sk-dummy",
        "num_retries": 0,
        "max_retries": 0,
    }


def ask(prompt: str) -> list[dict]:
    return [{"role": "user", "content": prompt}]


@every_format
def test_a_plain_answer_is_metered(gateway: Gateway, wire: str) -> None:
    record = gateway.from_now()
    answer = litellm.completion(**settings(gateway, wire), messages=ask(prompts.text("good morning")))
    assert answer.choices[0].message.content == "good morning"
    call = record.one()
    assert call.tokens == (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert call.cost_usd == price(*call.tokens)
    if wire != "gemini":  # There it shows no headers of the answer.
        told = answer._hidden_params["additional_headers"]
        assert told["llm_provider-x-seawall-action"] == call.action
        assert told["llm_provider-x-seawall-run"] == gateway.run


@every_format
def test_a_stream_is_settled_exactly(gateway: Gateway, wire: str) -> None:
    record = gateway.from_now()
    prompt = "sim:text one two three\nsim:chunk 2"
    chunks = list(litellm.completion(**settings(gateway, wire), messages=ask(prompt), stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two three"
    call = record.one()
    assert not call.is_estimated
    assert call.cost_usd == price(*call.tokens) > 0


@every_format
def test_a_tool_is_called_and_its_result_answered(gateway: Gateway, wire: str) -> None:
    record = gateway.from_now()
    messages = ask(prompts.tool_then_text())
    first = litellm.completion(**settings(gateway, wire), messages=messages, tools=TOOLS).choices[0].message
    (wanted,) = first.tool_calls
    assert (wanted.function.name, json.loads(wanted.function.arguments)) == (prompts.TOOL, prompts.QUESTION)
    messages += [first.model_dump(), {"role": "tool", "tool_call_id": wanted.id, "content": prompts.TOOL_RESULT}]
    second = litellm.completion(**settings(gateway, wire), messages=messages, tools=TOOLS)
    assert second.choices[0].message.content == prompts.CONCLUSION
    assert [call.status for call in record.calls(2)] == [200, 200]


@pytest.mark.parametrize(
    ("wire", "status", "exception"),
    [
        ("openai", 400, litellm.BadRequestError),
        # Its mapping goes by the words of the message, which are the simulated provider's own.
        ("openai", 401, litellm.BadRequestError),
        ("openai", 429, litellm.RateLimitError),
        ("openai", 500, litellm.InternalServerError),
        ("anthropic", 400, litellm.BadRequestError),
        ("anthropic", 401, litellm.AuthenticationError),
        ("anthropic", 429, litellm.RateLimitError),
        ("anthropic", 500, litellm.InternalServerError),
        ("gemini", 400, litellm.BadRequestError),
        ("gemini", 401, litellm.AuthenticationError),
        ("gemini", 429, litellm.RateLimitError),
        ("gemini", 500, litellm.InternalServerError),
    ],
)
def test_an_error_of_the_provider_is_the_exception_of_the_client(
    own_gateway: Gateway, wire: str, status: int, exception: type[Exception]
) -> None:
    record = own_gateway.from_now()
    with pytest.raises(exception):
        litellm.completion(**settings(own_gateway, wire), messages=ask(prompts.error(status)))
    assert record.one().status == status


@every_format
def test_a_spent_budget_is_refused_and_not_sent(poor_gateway: Gateway, sim: Simulator, wire: str) -> None:
    record, requests = poor_gateway.from_now(), sim.stats()["requests"]
    with pytest.raises(Exception, match="budget of global"):
        litellm.completion(**settings(poor_gateway, wire), messages=ask(prompts.text("no")))
    assert record.denied()["status"] == 402
    assert sim.stats()["requests"] == requests


@every_format
def test_a_client_that_gives_up_waiting_is_settled(gateway: Gateway, wire: str) -> None:
    record = gateway.from_now()
    with pytest.raises(litellm.Timeout):
        litellm.completion(**settings(gateway, wire), messages=ask(prompts.HANG), timeout=0.5)
    assert record.one().is_estimated


@every_format
def test_a_cancelled_stream_is_cut_upstream_and_settled_from_what_was_seen(
    gateway: Gateway, sim: Simulator, wire: str
) -> None:
    record, cancelled = gateway.from_now(), sim.stats()["cancelled"]

    async def read_until_cancelled() -> None:
        seen = asyncio.Event()

        async def read() -> None:
            async for chunk in await litellm.acompletion(
                **settings(gateway, wire), messages=ask(prompts.LONG), stream=True
            ):
                if chunk.choices[0].delta.content:
                    seen.set()

        reading = asyncio.create_task(read())
        await asyncio.wait([reading, asyncio.create_task(seen.wait())], return_when=asyncio.FIRST_COMPLETED)
        reading.cancel()
        await asyncio.wait([reading])

    asyncio.run(read_until_cancelled())
    call = record.one()
    assert call.is_estimated
    assert 0 < call.tokens[1] < prompts.LONG_TOKENS
    assert sim.wait_idle()["cancelled"] == cancelled + 1


def test_embeddings_come_through(gateway: Gateway) -> None:
    record = gateway.from_now()
    where = settings(gateway, "openai") | {"model": "openai/sim-embed"}
    answer = litellm.embedding(**where, input=["left", "right"])
    assert len(answer.data) == 2
    assert record.one().tokens[0] > 0
