"""OpenAI's own client, what lies beside chat completions and responses. Runs with both majors of the package."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from harness import prompts
from harness.gateway import Gateway
from harness.prompts import MODEL


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-dummy", max_retries=0) as client:
        yield client


def test_embeddings_are_unit_vectors_and_metered(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    answer = client.embeddings.create(model="sim-embed", input=["left", "right"])
    assert [item.index for item in answer.data] == [0, 1]
    for item in answer.data:
        assert sum(value * value for value in item.embedding) == pytest.approx(1, abs=1e-3)
    call = record.one()
    assert call.tokens == (answer.usage.prompt_tokens, 0)
    assert call.cost_usd > 0


def test_an_embedding_is_the_same_in_both_encodings(client: OpenAI) -> None:
    plain = client.embeddings.create(model="sim-embed", input="same", encoding_format="float").data[0].embedding
    packed = client.embeddings.create(model="sim-embed", input="same").data[0].embedding
    assert packed == pytest.approx(plain, abs=1e-6)


def test_completions_of_the_old_kind_are_metered(client: OpenAI, gateway: Gateway) -> None:
    record = gateway.from_now()
    answer = client.completions.create(model=MODEL, prompt=prompts.text("old but there"))
    assert answer.choices[0].text == "old but there"
    assert record.one().tokens == (answer.usage.prompt_tokens, answer.usage.completion_tokens)


def test_models_are_listed_and_found(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names
    assert client.models.retrieve(names[0]).id == names[0]


def test_moderation_passes_through(client: OpenAI) -> None:
    assert client.moderations.create(input="a kind word").results[0].flagged is False
