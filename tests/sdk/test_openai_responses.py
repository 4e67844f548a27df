"""OpenAI's own client, the responses API. Runs with both majors of the package."""

import json
from collections.abc import Iterator
from decimal import Decimal

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from harness import prompts
from harness.gateway import Gateway, assert_told
from harness.prompts import MODEL
from harness.simulator import Simulator, price

TOOLS = [
    {
        "type": "function",
        "name": prompts.TOOL,
        "description": prompts.TOOL_DESCRIPTION,
        "parameters": prompts.TOOL_SCHEMA,
        "strict": True,
    }
]


class Place(BaseModel):
    name: str
    population: int


def connect(gateway: Gateway) -> OpenAI:
    return OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-dummy", max_retries=0)


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with connect(gateway) as client:
        yield client


def test_a_plain_answer_comes_with_its_price(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    raw = client.responses.with_raw_response.create(model=MODEL, input=prompts.text("good morning"))
    response = raw.parse()
    assert (response.status, response.output_text) == ("completed", "good morning")
    call = record.one()
    assert_told(gateway, raw.headers, call)
    assert call.tokens == (response.usage.input_tokens, response.usage.output_tokens)
    assert call.cost_usd == price(*call.tokens) == Decimal(raw.headers["x-seawall-cost-usd"])


def test_the_events_of_a_stream_come_in_order_and_complete(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    stream = client.responses.create(model=MODEL, input="sim:text one two three\nsim:chunk 2", stream=True)
    events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == "one two three"
    assert len(deltas) > 3
    final = events[-1]
    assert (final.type, final.response.output_text) == ("response.completed", "one two three")
    call = record.one()
    assert_told(gateway, stream.response.headers, call)
    assert call.tokens == (final.response.usage.input_tokens, final.response.usage.output_tokens)
    assert not call.is_estimated


def test_a_tool_is_called_and_its_result_answered(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    history = [{"role": "user", "content": prompts.tool_then_text()}]
    first = client.responses.create(model=MODEL, input=history, tools=TOOLS)
    (wanted,) = [item for item in first.output if item.type == "function_call"]
    assert (wanted.name, json.loads(wanted.arguments)) == (prompts.TOOL, prompts.QUESTION)
    history += first.output
    history.append({"type": "function_call_output", "call_id": wanted.call_id, "output": prompts.TOOL_RESULT})
    second = client.responses.create(model=MODEL, input=history, tools=TOOLS)
    assert second.output_text == prompts.CONCLUSION
    assert [call.status for call in record.calls(2)] == [200, 200]


def test_a_conversation_goes_on_by_the_id_of_its_last_response(client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input=prompts.tool_then_text(), tools=TOOLS)
    (wanted,) = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": wanted.call_id, "output": prompts.TOOL_RESULT}
    second = client.responses.create(model=MODEL, previous_response_id=first.id, input=[result], tools=TOOLS)
    assert second.output_text == prompts.CONCLUSION


def test_a_streamed_tool_call_is_put_together_by_the_client(client: OpenAI) -> None:
    with client.responses.stream(model=MODEL, input=prompts.tool_then_text(), tools=TOOLS) as stream:
        kinds = [event.type for event in stream]
        (wanted,) = [item for item in stream.get_final_response().output if item.type == "function_call"]
    assert kinds.count("response.function_call_arguments.delta") > 1
    assert json.loads(wanted.arguments) == prompts.QUESTION


def test_a_structured_answer_is_parsed(client: OpenAI) -> None:
    response = client.responses.parse(model=MODEL, input="Where is it?", text_format=Place)
    assert isinstance(response.output_parsed, Place)


def test_a_response_is_kept_shown_and_deleted(client: OpenAI) -> None:
    made = client.responses.create(model=MODEL, input=prompts.text("keep me"))
    assert client.responses.retrieve(made.id).output_text == "keep me"
    (item,) = client.responses.input_items.list(made.id).data
    assert item.content[0].text == prompts.text("keep me")
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_reasoning_comes_through(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    response = client.responses.create(
        model=MODEL, input="sim:think step by step\nsim:text done", reasoning={"effort": "low", "summary": "auto"}
    )
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output_text == "done"
    assert record.one().tokens[1] == response.usage.output_tokens


@pytest.mark.parametrize(
    ("status", "exception"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_an_error_of_the_provider_is_its_own_exception(
    own_gateway: Gateway, status: int, exception: type[openai.APIStatusError]
) -> None:
    record = own_gateway.from_now()
    with connect(own_gateway) as client, pytest.raises(exception):
        client.responses.create(model=MODEL, input=prompts.error(status))
    assert record.one().status == status


def test_a_spent_budget_is_refused(poor_gateway: Gateway) -> None:
    with connect(poor_gateway) as client, pytest.raises(openai.APIStatusError) as raised:
        client.responses.create(model=MODEL, input="anything", stream=True)
    assert raised.value.status_code == 402
    assert raised.value.body["seawall"]["code"] == "BUDGET_EXCEEDED"


def test_a_client_that_gives_up_waiting_is_settled(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).responses.create(model=MODEL, input=prompts.HANG)
    assert record.one().is_estimated


def test_a_cancelled_stream_is_cut_upstream_and_settled_from_what_was_seen(
    client: OpenAI, gateway: Gateway, sim: Simulator
) -> None:
    record, before = gateway.from_now(), sim.stats()
    with client.responses.create(model=MODEL, input=prompts.LONG, stream=True) as stream:
        next(event for event in stream if event.type == "response.output_text.delta")
    call = record.one()
    after = sim.wait_idle()
    assert after["cancelled"] == before["cancelled"] + 1
    assert call.is_estimated
    assert 0 < call.tokens[1] < prompts.LONG_TOKENS
    assert call.cost_usd >= Decimal(after["cost_usd"]) - Decimal(before["cost_usd"])


def test_a_stream_that_breaks_off_is_an_error_and_never_a_silent_end(own_gateway: Gateway) -> None:
    record = own_gateway.from_now()
    with connect(own_gateway) as client:
        stream = client.responses.create(model=MODEL, input=prompts.BROKEN, stream=True)
        with pytest.raises(openai.APIError):
            list(stream)
    assert record.one().is_estimated
