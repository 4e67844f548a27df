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


def worse(direct: dict[str, dict], gated: dict[str, dict]) -> dict[str, dict]:
    """What ended worse through the gateway than directly."""
    order = ["failed", "skipped", "passed"]
    return {
        name: result
        for name, result in gated.items()
        if order.index(result["status"]) < order.index(direct[name]["status"])
    }


def counts(results: dict[str, dict]) -> str:
    statuses = [result["status"] for result in results.values()]
    return ", ".join(f"{statuses.count(status)} {status}" for status in ("passed", "failed", "skipped"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("wire", "passing"), [("openai-chat", 8), ("open-responses", 12), ("anthropic", 8)])
def test_no_check_ends_worse_through_the_gateway_than_directly(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str], wire: str, passing: int
) -> None:
    with simulating(tmp_path / "direct") as upstream:  # Not the gateway's, whose counters are compared with its books.
        direct = verdicts(wire, upstream.url, tmp_path)
    gated = verdicts(wire, gateway.url, tmp_path)
    with capsys.disabled():
        print(f"\nllm-comply {wire}: direct {counts(direct)}; through the gateway {counts(gated)}")
        for name, result in direct.items():
            if result["status"] == "failed":
                print(f"  direct {name}: {result['errors']}")
    assert gated.keys() == direct.keys()
    assert worse(direct, gated) == {}
    assert [result["status"] for result in gated.values()].count("passed") >= passing
