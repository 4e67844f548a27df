"""Real coding agents, unmodified, at work through the gateway: each writes a file with a tool call of the model.

They and the servers have a network with nothing but loopback: an agent that needs anybody but the gateway fails.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import prompts
from harness.gateway import Gateway
from harness.network import keep_loopback_only
from harness.places import TOOLS, clean_environment
from harness.simulator import Simulator

pytestmark = pytest.mark.timeout(150)

PACKAGES = TOOLS / "agents/node_modules"
WRITE = "echo hi > out.txt"
DONE = "The file is written."


@dataclass(frozen=True)
class Workplace:
    """Where an agent works: a repository, and a home of its own."""

    repository: Path
    home: Path

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs an agent with nothing of this machine's environment and nobody at the keyboard."""
        node = Path(shutil.which("node")).parent
        surroundings = clean_environment(self.home) | {"PATH": f"{node}:/usr/bin:/bin", "TERM": "dumb"}
        return subprocess.run(
            [str(part) for part in command],
            cwd=self.repository,
            env=surroundings | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def written(self) -> str | None:
        """What the agent wrote."""
        file = self.repository / "out.txt"
        return file.read_text() if file.exists() else None


@pytest.fixture(scope="module", autouse=True)
def loopback_only() -> None:
    """Before the servers, which must be in the same network. Where there can be none of our own, no agent runs."""
    keep_loopback_only()


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    repository, home = tmp_path / "repository", tmp_path / "home"
    repository.mkdir()
    home.mkdir()
    subprocess.run(["git", "init", "--quiet", repository], env=clean_environment(home), check=True)
    return Workplace(repository, home)


def run_claude(workplace: Workplace, url: str, prompt: str) -> subprocess.CompletedProcess[str]:
    # The launcher of the package is a stub until its install script has run, which we do not let run.
    (binary,) = PACKAGES.glob("@anthropic-ai/claude-code-linux-*/claude")
    return workplace.run(
        *(binary, "-p", prompt, "--dangerously-skip-permissions", "--output-format", "stream-json", "--verbose"),
        IS_SANDBOX="1",  # Else it refuses to skip permissions as root.
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        CLAUDE_CODE_MAX_RETRIES="1",
        ANTHROPIC_BASE_URL=url,
        ANTHROPIC_API_KEY="sk-ant-dummy",
    )


def run_codex(workplace: Workplace, url: str, prompt: str) -> subprocess.CompletedProcess[str]:
    provider = (
        f'{{name="gateway",base_url="{url}/v1",env_key="GATEWAY_KEY",wire_api="responses",'
        "request_max_retries=1,stream_max_retries=1}"
    )
    return workplace.run(
        *(PACKAGES / ".bin/codex", "exec", "--yolo", "--json", "--skip-git-repo-check"),
        *("-c", "analytics.enabled=false", "-c", "model_provider=gateway", "-c", f"model_providers.gateway={provider}"),
        *("-m", "gpt-5", prompt),
        GATEWAY_KEY="sk-dummy",
    )


def run_pi(workplace: Workplace, url: str, prompt: str) -> subprocess.CompletedProcess[str]:
    model = {
        "id": prompts.MODEL,
        "name": "Simulated",
        "reasoning": False,
        "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": 128_000,
        "maxTokens": 4096,
    }
    provider = {"baseUrl": f"{url}/v1", "api": "openai-completions", "apiKey": "sk-dummy", "models": [model]}
    settings = workplace.home / ".pi/agent/models.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"providers": {"gateway": provider}}))
    return workplace.run(
        *(PACKAGES / ".bin/pi", "-p", "--mode", "json", "--no-session"),
        *("--provider", "gateway", "--model", prompts.MODEL, prompt),
        PI_OFFLINE="1",
    )


AGENTS = {
    "claude": (run_claude, prompts.tool_call("Bash", {"command": WRITE, "description": "Write a file"})),
    "codex": (run_codex, prompts.tool_call("exec_command", {"cmd": WRITE})),
    "pi": (run_pi, prompts.tool_call("bash", {"command": WRITE})),
}
every_agent = pytest.mark.parametrize("agent", AGENTS)


def test_an_agent_has_no_way_but_loopback(workplace: Workplace) -> None:
    ways = workplace.run("cat", "/proc/net/route").stdout.splitlines()[1:]
    ways_v6 = workplace.run("cat", "/proc/net/ipv6_route").stdout.splitlines()
    assert {way.split()[0] for way in ways} | {way.split()[-1] for way in ways_v6} <= {"lo"}


@every_agent
def test_an_agent_does_its_work_and_every_call_is_in_the_trace(
    gateway: Gateway, sim: Simulator, workplace: Workplace, agent: str
) -> None:
    run, call_the_tool = AGENTS[agent]
    record, requests = gateway.from_now(), sim.stats()["requests"]
    done = run(workplace, gateway.url, f"Please write the file.\n{call_the_tool}\n{prompts.text(DONE)}")
    assert done.returncode == 0, done.stderr + done.stdout
    assert workplace.written() == "hi\n", done.stdout
    assert DONE in done.stdout
    calls = record.at_least(2)
    assert len(calls) == sim.stats()["requests"] - requests
    for call in calls:
        assert call.status == 200
        assert min(call.tokens) > 0
        assert call.cost_usd > 0
        assert not call.is_estimated


@every_agent
def test_an_agent_without_money_stops_and_nothing_is_sent(
    poor_gateway: Gateway, sim: Simulator, workplace: Workplace, agent: str
) -> None:
    run, call_the_tool = AGENTS[agent]
    requests = sim.stats()["requests"]
    done = run(workplace, poor_gateway.url, call_the_tool)
    assert "budget" in done.stdout + done.stderr, "the agent shows the reason"
    assert workplace.written() is None
    assert sim.stats()["requests"] == requests
