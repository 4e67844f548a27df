"""A small real language model as the upstream: real tokens, real usage, a real generation that is cut.

Nothing is asserted about what it says, and few tokens are asked for: it runs on the CPU.
"""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest
from anthropic import Anthropic
from openai import OpenAI

from harness.gateway import Call, Gateway, assert_told, gating
from harness.places import TOOLS
from harness.process import running
from harness.waiting import until

pytestmark = pytest.mark.timeout(180)

MODEL = "smollm2"
FEW = 24
LONG = 1000
"""Many times what the model says before it hears that nobody listens."""
QUESTION = [{"role": "user", "content": "Tell me about the sea."}]
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green", "blue"]}, "certain": {"type": "boolean"}},
    "required": ["colour", "certain"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Model:
    url: str

    def steps(self) -> int:
        """How often it has computed a next token in all its life, once it computes nothing any more."""

        def at_rest() -> dict[str, str] | None:
            counters = self._counters()
            return counters if counters["llamacpp:requests_processing"] == "0" else None

        # Long enough for an answer of LONG tokens: what was computed is judged by its number, not by the clock.
        return int(until("the model is at rest", at_rest, 150)["llamacpp:n_decode_total"])

    @contextmanager
    def cutting_short(self) -> Iterator[None]:
        """In this block an answer of LONG tokens is begun, and the model itself must stop well before its end."""
        before = self.steps()
        yield
        assert 0 < self.steps() - before < LONG // 2

    def _counters(self) -> dict[str, str]:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return dict(line.split(" ", 1) for line in lines if not line.startswith("#") and line)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    server = [str(TOOLS / "model/bin/python"), str(Path(__file__).with_name("serve.py"))]
    with running(server, folder=tmp_path_factory.mktemp("model"), log="model.log", ready="ready ") as facts:
        yield Model(facts["listen"])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Iterator[Gateway]:
    """A gateway in front of the model, which is said not to reason out of sight: what a stream that is left has cost is
    then what was seen of it, however long the machine took."""
    folder = tmp_path_factory.mktemp("gateway")
    prices = {"models": {MODEL: {"in": 0.1, "out": 0.2, "reasons": False}}}
    (folder / "prices.json").write_text(json.dumps(prices))
    config = folder / "seawall.json"
    config.write_text(json.dumps({"prices": {"file": str(folder / "prices.json")}}))
    with gating(folder, model.url, "--config", str(config)) as gateway:
        yield gateway
        assert json.loads(gateway.seawall("trace", "verify", gateway.run))["ok"] is True


@pytest.fixture(scope="module")
def openai(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-dummy", max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def anthropic(gateway: Gateway) -> Iterator[Anthropic]:
    with Anthropic(base_url=gateway.url, api_key="sk-ant-dummy", max_retries=0, timeout=120) as client:
        yield client


def test_a_chat_completion_is_metered_as_the_model_counted(openai: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    raw = openai.chat.completions.with_raw_response.create(model=MODEL, messages=QUESTION, max_tokens=FEW)
    answer = raw.parse()
    assert answer.choices[0].message.content
    call = record.one()
    assert_told(gateway, raw.headers, call)
    assert call.tokens == (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert 0 < call.tokens[1] <= FEW
    assert not call.is_estimated


def test_a_streamed_chat_completion_arrives_token_by_token(openai: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    chunks = list(openai.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=FEW, stream=True))
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert len(pieces) > FEW // 2
    assert all(chunk.usage is None for chunk in chunks)
    call = record.one()
    assert not call.is_estimated, "the gateway asked for the usage that the client did not ask for"
    assert call.tokens[1] <= FEW


def test_usage_is_shown_to_a_stream_that_asks_for_it(openai: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    options = {"include_usage": True}
    stream = openai.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=FEW, stream=True, stream_options=options
    )
    usage = [chunk.usage for chunk in stream if chunk.usage][-1]
    assert record.one().tokens == (usage.prompt_tokens, usage.completion_tokens)


def test_a_greedy_answer_is_the_same_plain_and_streamed(openai: OpenAI) -> None:
    settings = {"model": MODEL, "messages": QUESTION, "max_tokens": FEW, "temperature": 0, "seed": 1}
    plain = openai.chat.completions.create(**settings).choices[0].message.content
    chunks = openai.chat.completions.create(**settings, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plain


def test_a_structured_answer_keeps_to_its_schema(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Which colour has the sky?"}],
        # The schema allows white space between all words; a model that is left to chance fills short answers with it.
        max_tokens=256,
        temperature=0,
        seed=1,
        response_format={"type": "json_schema", "json_schema": {"name": "colour", "schema": SCHEMA, "strict": True}},
    )
    assert_fits(json.loads(answer.choices[0].message.content))


def test_a_cancelled_generation_stops_at_the_model_and_is_settled_from_what_was_seen(
    openai: OpenAI, gateway: Gateway, model: Model
) -> None:
    record = gateway.from_now()
    with (
        model.cutting_short(),
        openai.chat.completions.create(
            model=MODEL, messages=QUESTION, max_tokens=LONG, stream=True, extra_body={"ignore_eos": True}
        ) as stream,
    ):
        list(islice(stream, 4))
    assert_cancelled(record.one())


def test_a_response_is_metered_as_the_model_counted(openai: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    response = openai.responses.create(model=MODEL, input="Name a fish.", max_output_tokens=FEW)
    assert response.output_text
    assert record.one().tokens == (response.usage.input_tokens, response.usage.output_tokens)


def test_a_message_is_metered_as_the_model_counted(anthropic: Anthropic, gateway: Gateway) -> None:
    record = gateway.from_now()
    message = anthropic.messages.create(model=MODEL, max_tokens=FEW, messages=QUESTION)
    assert message.content[0].text
    call = record.one()
    assert call.tokens[1] == message.usage.output_tokens <= FEW
    assert call.tokens[0] >= message.usage.input_tokens


def test_a_streamed_message_is_settled_exactly(anthropic: Anthropic, gateway: Gateway) -> None:
    record = gateway.from_now()
    with anthropic.messages.stream(model=MODEL, max_tokens=FEW, messages=QUESTION) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(pieces) > 1
    call = record.one()
    assert call.tokens[1] == message.usage.output_tokens
    assert not call.is_estimated


def test_a_forced_tool_is_called_in_the_shape_of_its_schema(anthropic: Anthropic, gateway: Gateway) -> None:
    # Its other way to structure, `output_config`, is of no use here: the model's server drops that member unread.
    record = gateway.from_now()
    message = anthropic.messages.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Which colour has the sky?"}],
        max_tokens=256,
        tools=[{"name": "answer", "description": "Says which colour.", "input_schema": SCHEMA}],
        tool_choice={"type": "tool", "name": "answer"},
        extra_body={"temperature": 0},
    )
    assert message.stop_reason == "tool_use"
    (wanted,) = message.content
    assert (wanted.type, wanted.name) == ("tool_use", "answer")
    assert_fits(wanted.input)
    assert record.one().tokens[1] == message.usage.output_tokens


def test_a_cancelled_message_stops_at_the_model_and_is_settled_from_what_was_seen(
    anthropic: Anthropic, gateway: Gateway, model: Model
) -> None:
    record = gateway.from_now()
    # Here the model's server takes no `ignore_eos`: a tool with many words to give is what keeps the model from ending.
    words = {"type": "array", "items": {"const": "word"}, "minItems": LONG // 4}
    many = {"type": "object", "properties": {"words": words}, "required": ["words"], "additionalProperties": False}
    with (
        model.cutting_short(),
        anthropic.messages.stream(
            model=MODEL,
            max_tokens=LONG,
            messages=QUESTION,
            tools=[{"name": "write", "description": "Writes words.", "input_schema": many}],
            tool_choice={"type": "tool", "name": "write"},
        ) as stream,
    ):
        list(islice((event for event in stream if event.type == "input_json"), 4))
    assert_cancelled(record.one())


def assert_fits(said: dict) -> None:
    """It keeps to the schema."""
    assert said.keys() == {"colour", "certain"}
    assert said["colour"] in {"red", "green", "blue"}
    assert isinstance(said["certain"], bool)


def assert_cancelled(call: Call) -> None:
    assert call.ended["ended"] == "cancelled"
    assert call.is_estimated
    assert 0 < call.tokens[1] < LONG // 2
