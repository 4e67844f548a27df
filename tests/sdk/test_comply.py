"""What an independent compliance test says of the simulated provider, and of the gateway in front of it."""

import json
import subprocess
from pathlib import Path

import pytest

from harness.gateway import Gateway
from harness.places import TOOLS, clean_environment
from harness.prompts import MODEL
from harness.simulator import simulating


def verdicts(wire: str, url: str, home: Path) -> dict[str, dict]:
    """What `llm-comply` says of each of its tests of this wire format at `url`."""
    command = [TOOLS / "model/bin/llm-comply", "run", "--json", "--timeout", "20", "--format", wire]
    done = subprocess.run(
        [*command, "-u", f"{url}/v1", "-k", "sk-dummy", "-m", MODEL],
        env=clean_environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.startswith("{"), done.stderr
    return {result["id"]: result for result in json.loads(done.stdout)["results"]}


def failures(results: dict[str, dict]) -> dict[str, list[str]]:
    return {name: result["errors"] for name, result in results.items() if result["status"] == "failed"}


def counts(results: dict[str, dict]) -> str:
    statuses = [result["status"] for result in results.values()]
    return ", ".join(f"{statuses.count(status)} {status}" for status in ("passed", "failed", "skipped"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("wire", ["openai-chat", "open-responses", "anthropic"])
def test_nothing_fails_through_the_gateway_that_does_not_fail_directly(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str], wire: str
) -> None:
    with simulating(tmp_path / "direct") as upstream:  # Not the gateway's, whose counters are compared with its books.
        direct = verdicts(wire, upstream.url, tmp_path)
    gated = verdicts(wire, gateway.url, tmp_path)
    with capsys.disabled():
        print(f"\nllm-comply {wire}: direct {counts(direct)}; through the gateway {counts(gated)}")
        for name, errors in failures(direct).items():
            print(f"  direct {name}: {errors}")
    assert len(direct) == len(gated) >= 9
    assert [result["status"] for result in gated.values()].count("passed") > 0
    only_gated = {name: errors for name, errors in failures(gated).items() if name not in failures(direct)}
    assert only_gated == {}
