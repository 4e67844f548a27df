"""OpenAI's own client, chat completions. Runs with both majors of the package."""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from harness import prompts
from harness.gateway import Gateway, assert_told
from harness.prompts import MODEL
from harness.simulator import Simulator, price

TOOLS = [
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


class Person(BaseModel):
    name: str
    age: int
    tags: list[str]


def connect(gateway: Gateway, retries: int = 0) -> OpenAI:
    return OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-dummy", max_retries=retries)


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with connect(gateway) as client:
        yield client


def ask(prompt: str) -> list[dict]:
    return [{"role": "user", "content": prompt}]


def test_a_plain_answer_comes_with_its_price(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ask(prompts.text("good morning")))
    completion = raw.parse()
    assert completion.choices[0].message.content == "good morning"
    assert completion.choices[0].finish_reason == "stop"
    call = record.one()
    assert_told(gateway, raw.headers, call)
    assert call.status == 200
    assert call.tokens == (completion.usage.prompt_tokens, completion.usage.completion_tokens)
    assert not call.is_estimated
    assert call.cost_usd == price(*call.tokens) == Decimal(raw.headers["x-seawall-cost-usd"])
    assert call.admitted["name"] == MODEL


def test_a_stream_is_settled_exactly_without_showing_usage_nobody_asked_for(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    stream = client.chat.completions.create(
        model=MODEL, messages=ask("sim:text one two three four\nsim:chunk 1"), stream=True
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two three four"
    assert len(chunks) > len("one two three four")
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    call = record.one()
    assert_told(gateway, stream.response.headers, call)
    assert "x-seawall-cost-usd" not in stream.response.headers
    assert not call.is_estimated
    assert call.cost_usd == price(*call.tokens) > 0


def test_a_stream_shows_usage_when_it_is_asked_for(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=ask(prompts.text("hello")), stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    usage = chunks[-1].usage
    assert record.one().tokens == (usage.prompt_tokens, usage.completion_tokens)


def test_a_tool_is_called_and_its_result_answered(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    messages = ask(prompts.tool_then_text())
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0]
    assert first.finish_reason == "tool_calls"
    (wanted,) = first.message.tool_calls
    assert (wanted.function.name, json.loads(wanted.function.arguments)) == (prompts.TOOL, prompts.QUESTION)
    messages += [first.message, {"role": "tool", "tool_call_id": wanted.id, "content": prompts.TOOL_RESULT}]
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0]
    assert second.message.content == prompts.CONCLUSION
    assert [call.status for call in record.calls(2)] == [200, 200]


def test_a_streamed_tool_call_is_put_together_by_the_client(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    with client.chat.completions.stream(model=MODEL, messages=ask(prompts.tool_then_text()), tools=TOOLS) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert "tool_calls.function.arguments.delta" in kinds
    assert message.tool_calls[0].function.parsed_arguments == prompts.QUESTION
    assert not record.one().is_estimated


def test_several_tool_calls_of_one_answer_stay_apart(client: OpenAI) -> None:
    wanted = [{"name": "first", "arguments": {"a": 1}}, {"name": "second", "arguments": {"b": "two"}}]
    prompt = f"sim:tools {json.dumps(wanted)}"
    with client.chat.completions.stream(model=MODEL, messages=ask(prompt)) as stream:
        message = stream.get_final_completion().choices[0].message
    found = [
        {"name": call.function.name, "arguments": json.loads(call.function.arguments)} for call in message.tool_calls
    ]
    assert found == wanted


def test_a_structured_answer_is_parsed(client: OpenAI) -> None:
    completion = client.chat.completions.parse(model=MODEL, messages=ask("Who is it?"), response_format=Person)
    assert isinstance(completion.choices[0].message.parsed, Person)


def test_several_choices_are_all_paid_for(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    completion = client.chat.completions.create(model=MODEL, messages=ask(prompts.text("a word or two")), n=3)
    assert [choice.message.content for choice in completion.choices] == ["a word or two"] * 3
    call = record.one()
    assert call.tokens[1] == completion.usage.completion_tokens
    assert call.cost_usd == price(*call.tokens)


def test_a_field_that_nobody_knows_reaches_the_upstream(client: OpenAI, sim: Simulator) -> None:
    unknown = {"x_nobody_knows": {"deep": [1, 2.5, None, "ü\u2028"]}}
    client.chat.completions.create(model=MODEL, messages=ask(prompts.text("ok")), extra_body=unknown)
    assert sim.last_request()["body"]["x_nobody_knows"] == unknown["x_nobody_knows"]


@pytest.mark.parametrize(
    ("status", "exception"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_an_error_of_the_provider_is_its_own_exception(
    own_gateway: Gateway, status: int, exception: type[openai.APIStatusError]
) -> None:
    record = own_gateway.from_now()
    with connect(own_gateway) as client, pytest.raises(exception) as raised:
        client.chat.completions.create(model=MODEL, messages=ask(prompts.error(status)))
    assert raised.value.status_code == status
    call = record.one()
    assert raised.value.response.headers["x-seawall-action"] == call.action
    # A provider may have read the prompt before it failed, and bills what it likes of a 5xx.
    assert (call.status, call.cost_usd > 0) == (status, status >= 500)


def test_an_error_in_place_of_a_stream_is_its_own_exception(own_gateway: Gateway) -> None:
    record = own_gateway.from_now()
    with connect(own_gateway) as client, pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model=MODEL, messages=ask(prompts.error(429)), stream=True)
    assert record.one().status == 429


def test_an_upstream_that_recovers_is_tried_again_and_paid_once(own_gateway: Gateway, sim: Simulator) -> None:
    record, requests = own_gateway.from_now(), sim.stats()["requests"]
    with connect(own_gateway) as client:
        completion = client.chat.completions.create(model=MODEL, messages=ask("sim:fail 1 503\nsim:text recovered"))
    assert completion.choices[0].message.content == "recovered"
    call = record.one()
    assert [attempt["status"] for attempt in call.ended["attempts"]] == [503, 200]
    assert call.cost_usd == price(*call.tokens)
    assert sim.stats()["requests"] == requests + 2


def test_a_stream_that_breaks_off_is_an_error_and_never_a_silent_end(own_gateway: Gateway) -> None:
    record = own_gateway.from_now()
    with connect(own_gateway) as client:
        stream = client.chat.completions.create(model=MODEL, messages=ask(prompts.BROKEN), stream=True)
        with pytest.raises(openai.APIError) as raised:
            list(stream)
    assert raised.value.body["seawall"]["code"]
    call = record.one()
    assert call.is_estimated
    assert call.cost_usd > 0


def test_a_spent_budget_is_refused_with_its_numbers_and_not_sent(poor_gateway: Gateway, sim: Simulator) -> None:
    requests, record = sim.stats()["requests"], poor_gateway.from_now()
    with connect(poor_gateway, retries=2) as client, pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model=MODEL, messages=ask(prompts.text("no")))
    assert raised.value.status_code == 402
    assert raised.value.code == "insufficient_quota"
    ours = raised.value.body["seawall"]
    assert (ours["code"], ours["scope"]) == ("BUDGET_EXCEEDED", "global")
    assert Decimal(ours["limit_usd"]) == Decimal("0.000001")
    assert (Decimal(ours["spent_usd"]), Decimal(ours["held_usd"])) == (0, 0)
    assert ours["remedy"]
    assert record.denied()["status"] == 402, "and the client did not repeat it"
    assert sim.stats()["requests"] == requests


def test_an_unknown_path_is_not_found(gateway: Gateway) -> None:
    lost = OpenAI(base_url=f"{gateway.url}/nowhere", api_key="sk-dummy", max_retries=0)
    with lost as client, pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model=MODEL, messages=ask("hello"))
    assert "/v1" in raised.value.body["remedy"]


@pytest.mark.parametrize("body", [b'{"model":"sim-1","messages":[', b'{"model":"sim-1","model":"sim-2","messages":[]}'])
def test_a_body_that_is_no_clear_json_is_a_bad_request(client: OpenAI, sim: Simulator, body: bytes) -> None:
    requests = sim.stats()["requests"]
    with pytest.raises(openai.BadRequestError) as raised:
        client.post(
            "/chat/completions", cast_to=object, content=body, options={"headers": {"content-type": "application/json"}}
        )
    assert raised.value.body["seawall"]["code"]
    assert sim.stats()["requests"] == requests


def test_a_client_that_gives_up_waiting_is_settled(client: OpenAI, gateway: Gateway, sim: Simulator) -> None:
    record, cancelled = gateway.from_now(), sim.stats()["cancelled"]
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(model=MODEL, messages=ask(prompts.HANG))
    call = record.one()
    assert call.ended["ended"] == "cancelled"
    assert call.is_estimated
    assert sim.wait_idle()["cancelled"] == cancelled + 1


def test_a_cancelled_stream_is_cut_upstream_and_settled_from_what_was_seen(
    client: OpenAI, gateway: Gateway, sim: Simulator
) -> None:
    record, before = gateway.from_now(), sim.stats()
    with client.chat.completions.create(model=MODEL, messages=ask(prompts.LONG), stream=True) as stream:
        list(islice(stream, 5))
    call = record.one()
    after = sim.wait_idle()
    assert after["cancelled"] == before["cancelled"] + 1
    assert call.ended["ended"] == "cancelled"
    assert call.is_estimated
    assert 0 < call.tokens[1] < prompts.LONG_TOKENS
    assert call.cost_usd >= Decimal(after["cost_usd"]) - Decimal(before["cost_usd"])


def test_calls_of_the_async_client_run_at_the_same_time(gateway: Gateway) -> None:
    record = gateway.from_now()

    async def one(client: AsyncOpenAI, number: int) -> str:
        completion = await client.chat.completions.create(
            model=MODEL, messages=ask(f"sim:text number {number}\nsim:delay 50ms")
        )
        return completion.choices[0].message.content

    async def all_of_them() -> list[str]:
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="sk-dummy", max_retries=0) as client:
            return await asyncio.gather(*(one(client, number) for number in range(16)))

    assert asyncio.run(all_of_them()) == [f"number {number}" for number in range(16)]
    assert sum(call.cost_usd for call in record.calls(16)) > 0


def test_a_cancelled_task_of_the_async_client_is_settled(gateway: Gateway, sim: Simulator) -> None:
    record, cancelled = gateway.from_now(), sim.stats()["cancelled"]

    async def read_until_cancelled() -> None:
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="sk-dummy", max_retries=0) as client:
            seen = asyncio.Event()

            async def read() -> None:
                async for _ in await client.chat.completions.create(
                    model=MODEL, messages=ask(prompts.LONG), stream=True
                ):
                    seen.set()

            reading = asyncio.create_task(read())
            await asyncio.wait([reading, asyncio.create_task(seen.wait())], return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    asyncio.run(read_until_cancelled())
    assert record.one().is_estimated
    assert sim.wait_idle()["cancelled"] == cancelled + 1
