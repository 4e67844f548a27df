"""LangChain's client for OpenAI's formats, as applications are built on it."""

import asyncio
from decimal import Decimal

import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from harness import prompts
from harness.gateway import Gateway, assert_told
from harness.prompts import MODEL
from harness.simulator import Simulator, price


@tool
def get_weather(city: str, days: int) -> str:
    """The weather of the coming days."""
    return f"{city}, {days} days: {prompts.TOOL_RESULT}"


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


def connect(gateway: Gateway, **options: object) -> ChatOpenAI:
    settings = {"model": MODEL, "base_url": f"{gateway.url}/v1", "api_key": "sk-dummy", "max_retries": 0}
    return ChatOpenAI(**(settings | options))


every_endpoint = pytest.mark.parametrize("use_responses_api", [False, True], ids=["chat", "responses"])


@pytest.fixture(scope="module")
def model(gateway: Gateway) -> ChatOpenAI:
    return connect(gateway, include_response_headers=True)


def test_a_plain_answer_comes_with_its_price(model: ChatOpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    answer = model.invoke(prompts.text("good morning"))
    assert answer.content == "good morning"
    call = record.one()
    headers = answer.response_metadata["headers"]
    assert_told(gateway, headers, call)
    assert call.tokens == (answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"])
    assert call.cost_usd == price(*call.tokens) == Decimal(headers["x-seawall-cost-usd"])


def test_a_stream_is_settled_exactly(model: ChatOpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    chunks = list(model.stream("sim:text one two three\nsim:chunk 1", stream_usage=True))
    assert "".join(chunk.text for chunk in chunks) == "one two three"
    usage = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata][-1]
    assert record.one().tokens == (usage["input_tokens"], usage["output_tokens"])


@every_endpoint
def test_a_tool_is_called_and_its_result_answered(gateway: Gateway, use_responses_api: bool) -> None:
    record = gateway.from_now()
    model = connect(gateway, use_responses_api=use_responses_api).bind_tools([get_weather])
    history = [HumanMessage(prompts.tool_then_text())]
    first = model.invoke(history)
    (wanted,) = first.tool_calls
    assert (wanted["name"], wanted["args"]) == (prompts.TOOL, prompts.QUESTION)
    result = get_weather.invoke(wanted)
    assert isinstance(result, ToolMessage)
    assert model.invoke([*history, first, result]).text == prompts.CONCLUSION
    assert [call.status for call in record.calls(2)] == [200, 200]


def test_a_structured_answer_is_parsed(model: ChatOpenAI) -> None:
    assert isinstance(model.with_structured_output(Person).invoke("Who is it?"), Person)


def test_a_batch_is_as_many_calls(model: ChatOpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    answers = model.batch([prompts.text(f"number {number}") for number in range(6)])
    assert [answer.content for answer in answers] == [f"number {number}" for number in range(6)]
    assert len(record.calls(6)) == 6


def test_embeddings_come_through(gateway: Gateway) -> None:
    # Texts go as they are: the tokens that this client sends otherwise need a vocabulary from the network.
    embeddings = OpenAIEmbeddings(
        model="sim-embed", base_url=f"{gateway.url}/v1", api_key="sk-dummy", check_embedding_ctx_length=False
    )
    left, right = embeddings.embed_documents(["left", "right"])
    assert len(left) == len(right) > 0
    assert left != right


@pytest.mark.parametrize(
    ("status", "exception"),
    [(401, openai.AuthenticationError), (429, openai.RateLimitError), (500, openai.InternalServerError)],
)
def test_an_error_of_the_provider_is_the_exception_of_the_client(
    own_gateway: Gateway, status: int, exception: type[openai.APIStatusError]
) -> None:
    with pytest.raises(exception):
        connect(own_gateway).invoke(prompts.error(status))


def test_a_spent_budget_is_refused(poor_gateway: Gateway) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        connect(poor_gateway).invoke(prompts.text("no"))
    assert raised.value.status_code == 402
    assert raised.value.body["seawall"]["code"] == "BUDGET_EXCEEDED"


@every_endpoint
def test_a_client_that_gives_up_waiting_is_settled(gateway: Gateway, use_responses_api: bool) -> None:
    record = gateway.from_now()
    with pytest.raises(openai.APITimeoutError):
        connect(gateway, timeout=0.5, use_responses_api=use_responses_api).invoke(prompts.HANG)
    assert record.one().is_estimated


@every_endpoint
def test_a_cancelled_stream_is_cut_upstream_and_settled_from_what_was_seen(
    gateway: Gateway, sim: Simulator, use_responses_api: bool
) -> None:
    record, cancelled = gateway.from_now(), sim.stats()["cancelled"]

    async def read_a_little() -> None:
        stream = connect(gateway, use_responses_api=use_responses_api).astream(prompts.LONG)
        async for chunk in stream:
            if chunk.text:
                break
        await stream.aclose()

    asyncio.run(read_a_little())
    call = record.one()
    assert call.is_estimated
    assert 0 < call.tokens[1] < prompts.LONG_TOKENS
    assert sim.wait_idle()["cancelled"] == cancelled + 1
