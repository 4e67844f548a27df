"""Anthropic's own client: messages and what lies beside them."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from pydantic import BaseModel

from harness import prompts
from harness.gateway import Gateway, assert_told
from harness.prompts import MODEL
from harness.simulator import Simulator, price

TOOLS = [{"name": prompts.TOOL, "description": prompts.TOOL_DESCRIPTION, "input_schema": prompts.TOOL_SCHEMA}]


class Person(BaseModel):
    name: str
    age: int


def connect(gateway: Gateway, retries: int = 0) -> Anthropic:
    return Anthropic(base_url=gateway.url, api_key="sk-ant-dummy", max_retries=retries)


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[Anthropic]:
    with connect(gateway) as client:
        yield client


def ask(prompt: str) -> list[dict]:
    return [{"role": "user", "content": prompt}]


def test_a_plain_answer_comes_with_its_price(client: Anthropic, gateway: Gateway) -> None:
    record = gateway.from_now()
    raw = client.messages.with_raw_response.create(
        model=MODEL, max_tokens=100, messages=ask(prompts.text("good morning"))
    )
    message = raw.parse()
    assert (message.content[0].text, message.stop_reason) == ("good morning", "end_turn")
    call = record.one()
    assert_told(gateway, raw.headers, call)
    assert call.tokens == (message.usage.input_tokens, message.usage.output_tokens)
    assert call.cost_usd == price(*call.tokens) == Decimal(raw.headers["x-seawall-cost-usd"])
    assert not call.is_estimated


def test_a_stream_is_put_together_and_settled_exactly(client: Anthropic, gateway: Gateway) -> None:
    record = gateway.from_now()
    prompt = "sim:text one two three four\nsim:chunk 1"
    with client.messages.stream(model=MODEL, max_tokens=100, messages=ask(prompt)) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
        headers = stream.response.headers
    assert "".join(pieces) == message.content[0].text == "one two three four"
    assert len(pieces) == len("one two three four")
    call = record.one()
    assert_told(gateway, headers, call)
    assert call.tokens == (message.usage.input_tokens, message.usage.output_tokens)
    assert call.cost_usd == price(*call.tokens)
    assert not call.is_estimated


def test_the_raw_events_of_a_stream_come_in_the_order_of_the_format(client: Anthropic) -> None:
    events = list(client.messages.create(model=MODEL, max_tokens=100, messages=ask(prompts.text("a b")), stream=True))
    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[2:-3] == ["content_block_delta"] * 2
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_a_tool_is_called_and_its_result_answered(client: Anthropic, gateway: Gateway) -> None:
    record = gateway.from_now()
    messages = ask(prompts.tool_then_text())
    first = client.messages.create(model=MODEL, max_tokens=100, messages=messages, tools=TOOLS)
    assert first.stop_reason == "tool_use"
    (wanted,) = [block for block in first.content if block.type == "tool_use"]
    assert (wanted.name, wanted.input) == (prompts.TOOL, prompts.QUESTION)
    result = {"type": "tool_result", "tool_use_id": wanted.id, "content": prompts.TOOL_RESULT}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = client.messages.create(model=MODEL, max_tokens=100, messages=messages, tools=TOOLS)
    assert second.content[0].text == prompts.CONCLUSION
    assert [call.status for call in record.calls(2)] == [200, 200]


def test_a_streamed_tool_call_is_put_together_by_the_client(client: Anthropic, gateway: Gateway) -> None:
    record = gateway.from_now()
    with client.messages.stream(
        model=MODEL, max_tokens=100, messages=ask(prompts.tool_then_text()), tools=TOOLS
    ) as stream:
        kinds = [event.type for event in stream]
        (wanted,) = [block for block in stream.get_final_message().content if block.type == "tool_use"]
    assert kinds.count("input_json") > 1
    assert wanted.input == prompts.QUESTION
    assert not record.one().is_estimated


def test_thinking_comes_with_its_signature(client: Anthropic) -> None:
    message = client.messages.create(
        model=MODEL,
        max_tokens=2000,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=ask("sim:think step by step\nsim:text done"),
    )
    thought, said = message.content
    assert (thought.type, thought.thinking, said.text) == ("thinking", "step by step", "done")
    assert thought.signature


def test_a_structured_answer_is_parsed(client: Anthropic) -> None:
    message = client.messages.parse(model=MODEL, max_tokens=200, messages=ask("Who is it?"), output_format=Person)
    assert isinstance(message.parsed_output, Person)


def test_an_answer_is_cut_at_the_limit_that_the_client_sets(client: Anthropic, gateway: Gateway) -> None:
    record = gateway.from_now()
    message = client.messages.create(model=MODEL, max_tokens=3, messages=ask("sim:repeat 50 word"))
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 3)
    assert record.one().tokens[1] == 3


def test_tokens_are_counted_as_they_will_be_charged(client: Anthropic) -> None:
    messages = ask(prompts.text("count me"))
    counted = client.messages.count_tokens(model=MODEL, messages=messages).input_tokens
    assert counted == client.messages.create(model=MODEL, max_tokens=10, messages=messages).usage.input_tokens > 0


def test_models_are_listed_in_the_shape_of_anthropic(client: Anthropic) -> None:
    models = list(client.models.list())
    assert models
    assert all(model.type == "model" and model.display_name for model in models)


@pytest.mark.parametrize(
    ("status", "exception"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.InternalServerError),
    ],
)
def test_an_error_of_the_provider_is_its_own_exception(
    own_gateway: Gateway, status: int, exception: type[anthropic.APIStatusError]
) -> None:
    record = own_gateway.from_now()
    with connect(own_gateway) as client, pytest.raises(exception) as raised:
        client.messages.create(model=MODEL, max_tokens=10, messages=ask(prompts.error(status)))
    assert raised.value.status_code == status
    call = record.one()
    assert raised.value.response.headers["x-seawall-action"] == call.action
    # A provider may have read the prompt before it failed, and bills what it likes of a 5xx.
    assert (call.status, call.cost_usd > 0) == (status, status >= 500)


def test_a_spent_budget_is_refused_with_its_numbers(poor_gateway: Gateway, sim: Simulator) -> None:
    requests, record = sim.stats()["requests"], poor_gateway.from_now()
    with connect(poor_gateway, retries=2) as client, pytest.raises(anthropic.PaymentRequiredError) as raised:
        client.messages.create(model=MODEL, max_tokens=10, messages=ask(prompts.text("no")))
    body = raised.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "billing_error")
    assert (body["seawall"]["code"], body["seawall"]["scope"]) == ("BUDGET_EXCEEDED", "global")
    assert Decimal(body["seawall"]["held_usd"]) == 0
    assert record.denied()["status"] == 402
    assert sim.stats()["requests"] == requests


def test_an_unknown_path_is_not_found(gateway: Gateway) -> None:
    lost = Anthropic(base_url=f"{gateway.url}/nowhere", api_key="sk-ant-dummy", max_retries=0)
    with lost as client, pytest.raises(anthropic.NotFoundError):
        client.messages.create(model=MODEL, max_tokens=10, messages=ask("hello"))


def test_a_body_that_is_no_json_is_a_bad_request(client: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as raised:
        client.post(
            "/v1/messages", cast_to=object, content=b"{", options={"headers": {"content-type": "application/json"}}
        )
    assert raised.value.body["error"]["type"] == "invalid_request_error"
    assert raised.value.body["seawall"]["code"]


def test_a_client_that_gives_up_waiting_is_settled(client: Anthropic, gateway: Gateway, sim: Simulator) -> None:
    record, cancelled = gateway.from_now(), sim.stats()["cancelled"]
    with pytest.raises(anthropic.APITimeoutError):
        client.with_options(timeout=0.5).messages.create(model=MODEL, max_tokens=10, messages=ask(prompts.HANG))
    call = record.one()
    assert call.ended["ended"] == "cancelled"
    assert call.is_estimated
    assert sim.wait_idle()["cancelled"] == cancelled + 1


def test_a_cancelled_stream_is_cut_upstream_and_settled_from_what_was_seen(
    client: Anthropic, gateway: Gateway, sim: Simulator
) -> None:
    record, before = gateway.from_now(), sim.stats()
    with client.messages.stream(model=MODEL, max_tokens=4000, messages=ask(prompts.LONG)) as stream:
        list(islice(stream.text_stream, 5))
    call = record.one()
    after = sim.wait_idle()
    assert after["cancelled"] == before["cancelled"] + 1
    assert call.is_estimated
    assert 0 < call.tokens[1] < prompts.LONG_TOKENS
    assert call.cost_usd >= Decimal(after["cost_usd"]) - Decimal(before["cost_usd"])


def test_a_stream_that_breaks_off_is_an_error_and_never_a_silent_end(own_gateway: Gateway) -> None:
    record = own_gateway.from_now()
    with connect(own_gateway) as client, pytest.raises(anthropic.APIError):
        list(client.messages.create(model=MODEL, max_tokens=1000, messages=ask(prompts.BROKEN), stream=True))
    assert record.one().is_estimated


def test_calls_of_the_async_client_run_at_the_same_time(gateway: Gateway) -> None:
    record = gateway.from_now()

    async def one(client: AsyncAnthropic, number: int) -> str:
        prompt = f"sim:text number {number}\nsim:delay 50ms"
        async with client.messages.stream(model=MODEL, max_tokens=100, messages=ask(prompt)) as stream:
            return await stream.get_final_text()

    async def all_of_them() -> list[str]:
        async with AsyncAnthropic(base_url=gateway.url, api_key="sk-ant-dummy", max_retries=0) as client:
            return await asyncio.gather(*(one(client, number) for number in range(16)))

    assert asyncio.run(all_of_them()) == [f"number {number}" for number in range(16)]
    assert not any(call.is_estimated for call in record.calls(16))
