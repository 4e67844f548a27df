"""Model calls of a run through the real gateway: with OpenAI's own client, which is told of nothing."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest
from seawall import ConfigError, run

from harness.gateway import Gateway

VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL")


def ask() -> str:
    from openai import OpenAI

    client = OpenAI(api_key="any", max_retries=0)
    answer = client.chat.completions.create(model="sim-1", messages=[{"role": "user", "content": "sim:text hello"}])
    return answer.choices[0].message.content


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://before.test")


def test_clients_made_in_the_run_call_through_the_gateway(gateway: Gateway):
    with run(policy="safe", gateway=gateway.url):
        assert ask() == "hello"
        with run(policy="safe", gateway=f"{gateway.url}/v1/"):
            assert ask() == "hello"
        assert ask() == "hello", "the inner run's end is not the outer one's"
    admitted = [event for event in gateway.events() if event["kind"] == "action.admitted"]
    assert [event["data"]["name"] for event in admitted] == ["sim-1"] * 3
    assert [os.environ.get(name) for name in VARIABLES] == [None, None, "http://before.test", None]


def test_the_gateway_s_address_is_in_the_environment(gateway: Gateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SEAWALL_GATEWAY", gateway.url)

    @run(policy="safe", gateway=True)
    def job() -> str:
        return ask()

    assert job() == job() == "hello"


def test_a_budget_of_the_gateway_stops_the_call(poor_gateway: Gateway):
    from openai import APIStatusError

    with run(policy="safe", gateway=poor_gateway.url), pytest.raises(APIStatusError) as refused:
        ask()
    assert refused.value.status_code == 402


@pytest.fixture
def no_http() -> Iterator[int]:
    """The port of a server that speaks something else."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 ready\r\n")

        threading.Thread(target=greet, daemon=True).start()
        yield server.getsockname()[1]


def test_without_a_gateway_the_run_does_not_begin(gateway: Gateway, no_http: int):
    for address, says in {
        "http://127.0.0.1:9": "no gateway answers",
        f"http://127.0.0.1:{no_http}": "no gateway answers",
        "localhost:8000": "no http",
        "http://127.0.0.1:abc": "no http",
        "http://[::1": "no http",
    }.items():
        with pytest.raises(ConfigError, match=says), run(policy="safe", gateway=address):
            raise AssertionError("it began")
    with run(policy="safe", gateway=gateway.url), pytest.raises(ConfigError, match="through"):
        run(policy="safe", gateway=gateway.url.replace("127.0.0.1", "localhost")).__enter__()
    assert os.environ["ANTHROPIC_BASE_URL"] == "http://before.test"
