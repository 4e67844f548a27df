"""API keys of the gateway, where each client puts them by its own habit."""

import json
from collections.abc import Callable

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from harness import prompts
from harness.gateway import Gateway
from harness.prompts import MODEL
from harness.simulator import Simulator

PROMPT = prompts.text("welcome")


def ask_openai(gateway: Gateway, key: str) -> str:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client:
        answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": PROMPT}])
    return answer.choices[0].message.content


def ask_anthropic(gateway: Gateway, key: str) -> str:
    with anthropic.Anthropic(base_url=gateway.url, api_key=key, max_retries=0) as client:
        answer = client.messages.create(model=MODEL, max_tokens=10, messages=[{"role": "user", "content": PROMPT}])
    return answer.content[0].text


def ask_anthropic_with_a_token(gateway: Gateway, key: str) -> str:
    with anthropic.Anthropic(base_url=gateway.url, auth_token=key, max_retries=0) as client:
        answer = client.messages.create(model=MODEL, max_tokens=10, messages=[{"role": "user", "content": PROMPT}])
    return answer.content[0].text


def ask_google(gateway: Gateway, key: str) -> str:
    with genai.Client(vertexai=False, api_key=key, http_options=types.HttpOptions(base_url=gateway.url)) as client:
        return client.models.generate_content(model=MODEL, contents=PROMPT).text


CLIENTS = [
    (ask_openai, openai.AuthenticationError),
    (ask_anthropic, anthropic.AuthenticationError),
    (ask_anthropic_with_a_token, anthropic.AuthenticationError),
    (ask_google, errors.ClientError),
]
every_client = pytest.mark.parametrize(("ask", "refused"), CLIENTS)

Ask = Callable[[Gateway, str], str]


@every_client
def test_a_key_is_known_at_once_and_named_in_the_trace(
    gateway: Gateway, sim: Simulator, ask: Ask, refused: type[Exception]
) -> None:
    record = gateway.from_now()
    key = json.loads(gateway.seawall("keys", "create", "--name", ask.__name__))["key"]
    assert ask(gateway, key) == "welcome"
    call = record.one()
    assert call.actor == {"key": ask.__name__}
    assert key not in json.dumps(gateway.events())
    sent = {name.lower() for name in sim.last_request()["headers"]}
    assert sent.isdisjoint({"authorization", "x-api-key", "x-goog-api-key"}), "the key stays here"


@every_client
def test_a_key_that_was_never_made_is_refused(gateway: Gateway, sim: Simulator, ask: Ask, refused: type[Exception]) -> None:
    requests = sim.stats()["requests"]
    with pytest.raises(refused) as raised:
        ask(gateway, "sk-sw-0000000000000000000000000000000000000000000000000000")
    assert 401 in (getattr(raised.value, "status_code", None), raised.value.code)
    assert sim.stats()["requests"] == requests


@every_client
def test_a_revoked_key_is_refused(gateway: Gateway, ask: Ask, refused: type[Exception]) -> None:
    name = f"revoked-{ask.__name__}"
    key = json.loads(gateway.seawall("keys", "create", "--name", name))["key"]
    assert ask(gateway, key) == "welcome"
    gateway.seawall("keys", "revoke", name)
    with pytest.raises(refused):
        ask(gateway, key)
