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
from harness.waiting import until

Ask = Callable[[Gateway, str], str]

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


def create_key(gateway: Gateway, name: str) -> str:
    return json.loads(gateway.seawall("keys", "create", "--name", name))["key"]


def outcome(ask: Ask, refused: type[Exception], gateway: Gateway, key: str) -> str:
    """What the client got: the answer, or `refused`."""
    try:
        return ask(gateway, key)
    except refused:
        return "refused"


@every_client
def test_a_running_gateway_takes_up_a_new_key_and_names_it_in_the_trace(
    gateway: Gateway, sim: Simulator, ask: Ask, refused: type[Exception]
) -> None:
    record = gateway.from_now()
    key = create_key(gateway, ask.__name__)
    until("the key works", lambda: outcome(ask, refused, gateway, key) == "welcome")
    assert record.one().actor == {"key": ask.__name__}
    assert key not in json.dumps(gateway.events())
    sent = {name.lower() for name in sim.last_request()["headers"]}
    assert sent.isdisjoint({"authorization", "x-api-key", "x-goog-api-key"}), "the key stays here"


@every_client
def test_a_running_gateway_refuses_a_revoked_key(gateway: Gateway, ask: Ask, refused: type[Exception]) -> None:
    name = f"revoked-{ask.__name__}"
    key = create_key(gateway, name)
    until("the key works", lambda: outcome(ask, refused, gateway, key) == "welcome")
    gateway.seawall("keys", "revoke", name)
    until("the key is refused", lambda: outcome(ask, refused, gateway, key) == "refused")


@every_client
def test_a_key_that_was_never_made_is_refused_and_nothing_is_sent(
    gateway: Gateway, sim: Simulator, ask: Ask, refused: type[Exception]
) -> None:
    requests = sim.stats()["requests"]
    with pytest.raises(refused) as raised:
        ask(gateway, f"sk-sw-{'0' * 52}")
    assert "401" in str(raised.value)
    assert sim.stats()["requests"] == requests
