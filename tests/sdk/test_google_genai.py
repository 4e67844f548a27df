"""Google's own client for Gemini."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import httpx2
import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from harness import prompts
from harness.gateway import Gateway, assert_told
from harness.prompts import MODEL
from harness.simulator import Simulator, price

DECLARATION = types.FunctionDeclaration(
    name=prompts.TOOL, description=prompts.TOOL_DESCRIPTION, parameters_json_schema=prompts.TOOL_SCHEMA
)
TOOLS = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[DECLARATION])])


class Person(BaseModel):
    name: str
    age: int


def connect(gateway: Gateway, **options: object) -> genai.Client:
    return genai.Client(
        vertexai=False, api_key="dummy", http_options=types.HttpOptions(base_url=gateway.url, **options)
    )


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[genai.Client]:
    with connect(gateway) as client:
        yield client


def test_a_plain_answer_comes_with_its_price(client: genai.Client, gateway: Gateway) -> None:
    record = gateway.from_now()
    answer = client.models.generate_content(model=MODEL, contents=prompts.text("good morning"))
    assert answer.text == "good morning"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    call = record.one()
    headers = httpx2.Headers(answer.sdk_http_response.headers)
    assert_told(gateway, headers, call)
    assert call.tokens == (answer.usage_metadata.prompt_token_count, answer.usage_metadata.candidates_token_count)
    assert call.cost_usd == price(*call.tokens) == Decimal(headers["x-seawall-cost-usd"])


def test_a_stream_is_settled_exactly(client: genai.Client, gateway: Gateway) -> None:
    record = gateway.from_now()
    prompt = "sim:text one two three four\nsim:chunk 2"
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=prompt))
    assert "".join(chunk.text or "" for chunk in chunks) == "one two three four"
    assert len(chunks) > 5
    call = record.one()
    assert_told(gateway, httpx2.Headers(chunks[0].sdk_http_response.headers), call)
    usage = chunks[-1].usage_metadata
    assert call.tokens == (usage.prompt_token_count, usage.candidates_token_count)
    assert not call.is_estimated


def test_a_tool_is_called_and_its_result_answered(client: genai.Client, gateway: Gateway) -> None:
    record = gateway.from_now()
    contents = [types.UserContent(prompts.tool_then_text())]
    first = client.models.generate_content(model=MODEL, contents=contents, config=TOOLS)
    (wanted,) = first.function_calls
    assert (wanted.name, wanted.args) == (prompts.TOOL, prompts.QUESTION)
    result = types.Part.from_function_response(name=wanted.name, response={"result": prompts.TOOL_RESULT})
    contents += [first.candidates[0].content, types.UserContent(result)]
    second = client.models.generate_content(model=MODEL, contents=contents, config=TOOLS)
    assert second.text == prompts.CONCLUSION
    assert [call.status for call in record.calls(2)] == [200, 200]


def test_a_function_that_the_client_calls_by_itself_is_called(client: genai.Client, gateway: Gateway) -> None:
    record, asked = gateway.from_now(), []

    def get_weather(city: str, days: int) -> str:
        """The weather of the coming days."""
        asked.append({"city": city, "days": days})
        return prompts.TOOL_RESULT

    chat = client.chats.create(model=MODEL, config=types.GenerateContentConfig(tools=[get_weather]))
    assert chat.send_message(prompts.tool_then_text()).text == prompts.CONCLUSION
    assert asked == [prompts.QUESTION]
    assert len(record.calls(2)) == 2


def test_a_streamed_tool_call_arrives_whole(client: genai.Client) -> None:
    chunks = client.models.generate_content_stream(model=MODEL, contents=prompts.tool_then_text(), config=TOOLS)
    (wanted,) = [call for chunk in chunks for call in chunk.function_calls or []]
    assert wanted.args == prompts.QUESTION


def test_a_structured_answer_is_parsed(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Person)
    answer = client.models.generate_content(model=MODEL, contents="Who is it?", config=config)
    assert isinstance(answer.parsed, Person)


def test_tokens_are_counted_as_they_will_be_charged(client: genai.Client) -> None:
    prompt = prompts.text("count me")
    counted = client.models.count_tokens(model=MODEL, contents=prompt).total_tokens
    answer = client.models.generate_content(model=MODEL, contents=prompt)
    assert counted == answer.usage_metadata.prompt_token_count > 0


def test_embeddings_are_unit_vectors(client: genai.Client) -> None:
    answer = client.models.embed_content(model="sim-embed", contents=["left", "right"])
    assert len(answer.embeddings) == 2
    for embedding in answer.embeddings:
        assert sum(value * value for value in embedding.values) == pytest.approx(1, abs=1e-3)


def test_models_are_listed_in_the_shape_of_gemini(client: genai.Client) -> None:
    models = list(client.models.list())
    assert models
    assert all(model.name.startswith("models/") for model in models)


@pytest.mark.parametrize(
    ("status", "exception", "name"),
    [
        (400, errors.ClientError, "INVALID_ARGUMENT"),
        (401, errors.ClientError, "UNAUTHENTICATED"),
        (429, errors.ClientError, "RESOURCE_EXHAUSTED"),
        (500, errors.ServerError, "INTERNAL"),
    ],
)
def test_an_error_of_the_provider_is_its_own_exception(
    own_gateway: Gateway, status: int, exception: type[errors.APIError], name: str
) -> None:
    record = own_gateway.from_now()
    with connect(own_gateway) as client, pytest.raises(exception) as raised:
        client.models.generate_content(model=MODEL, contents=prompts.error(status))
    assert (raised.value.code, raised.value.status) == (status, name)
    assert record.one().status == status


def test_a_stream_that_breaks_off_is_an_error_and_never_a_silent_end(own_gateway: Gateway) -> None:
    record = own_gateway.from_now()
    with connect(own_gateway) as client, pytest.raises(errors.APIError):
        list(client.models.generate_content_stream(model=MODEL, contents=prompts.BROKEN))
    assert record.one().is_estimated


def test_a_spent_budget_is_refused_with_its_numbers(poor_gateway: Gateway, sim: Simulator) -> None:
    requests, record = sim.stats()["requests"], poor_gateway.from_now()
    with connect(poor_gateway) as client, pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model=MODEL, contents=prompts.text("no"))
    assert (raised.value.code, raised.value.status) == (402, "RESOURCE_EXHAUSTED")
    ours = raised.value.details["seawall"]
    assert (ours["code"], ours["scope"], Decimal(ours["held_usd"])) == ("BUDGET_EXCEEDED", "global", 0)
    assert record.denied()["status"] == 402
    assert sim.stats()["requests"] == requests


def test_an_unknown_path_is_not_found(gateway: Gateway) -> None:
    with connect(gateway, api_version="v7") as client, pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model=MODEL, contents="hello")
    assert raised.value.code == 404


def test_a_client_that_gives_up_waiting_is_settled(gateway: Gateway, sim: Simulator) -> None:
    record, cancelled = gateway.from_now(), sim.stats()["cancelled"]
    with connect(gateway, timeout=500) as client, pytest.raises(httpx2.TimeoutException):
        client.models.generate_content(model=MODEL, contents=prompts.HANG)
    assert record.one().is_estimated
    assert sim.wait_idle()["cancelled"] == cancelled + 1


def test_a_cancelled_stream_is_cut_upstream_and_settled_from_what_was_seen(gateway: Gateway, sim: Simulator) -> None:
    record, before = gateway.from_now(), sim.stats()

    async def read_a_little() -> None:
        client = connect(gateway).aio
        stream = await client.models.generate_content_stream(model=MODEL, contents=prompts.LONG)
        await anext(stream)
        await stream.aclose()
        await client.aclose()

    asyncio.run(read_a_little())
    call = record.one()
    after = sim.wait_idle()
    assert after["cancelled"] == before["cancelled"] + 1
    assert call.is_estimated
    assert 0 < call.tokens[1] < prompts.LONG_TOKENS
    assert call.cost_usd >= Decimal(after["cost_usd"]) - Decimal(before["cost_usd"])


def test_calls_of_the_async_client_run_at_the_same_time(gateway: Gateway) -> None:
    record = gateway.from_now()

    async def all_of_them() -> list[str]:
        async with connect(gateway).aio as client:
            asked = [
                client.models.generate_content(model=MODEL, contents=f"sim:text number {number}\nsim:delay 50ms")
                for number in range(8)
            ]
            return [answer.text for answer in await asyncio.gather(*asked)]

    assert asyncio.run(all_of_them()) == [f"number {number}" for number in range(8)]
    assert len(record.calls(8)) == 8
