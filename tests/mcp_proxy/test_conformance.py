"""The public conformance suite, against its fixtures directly and through the proxy: nothing fails here that does not fail
there. The fixtures answer everything that it asks for, so that each of its checks can tell something."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_proxy import Proxy, http_server, proxying

TOOLS = Path(__file__).parents[2] / ".tools"
NODE = TOOLS / "node24" / "bin" / "node"
FIXTURES = Path(__file__).parents[1] / "node" / "harness" / "mcp-server.mjs"
SUITE = TOOLS / "node" / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"

SCENARIO = re.compile(r"^[✓✗] ([a-z0-9-]+): (\d+) passed, (\d+) failed$", re.MULTILINE)


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with http_server(tmp_path_factory.mktemp("fixtures"), str(NODE), str(FIXTURES)) as url:
        yield url


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory, direct: str) -> Iterator[Proxy]:
    servers = {"http": {"url": direct}, "stdio": {"command": [str(NODE), str(FIXTURES)]}}
    policy = {"version": 1, "mode": "strict", "extends": ["safe"], "secrets": {"in": "deny", "out": "redact"}}
    with proxying(tmp_path_factory.mktemp("conformance"), servers, policy=policy) as proxy:
        yield proxy


def scenarios(url: str, folder: Path) -> dict[str, tuple[int, int]]:
    """How many checks of each scenario have passed and failed."""
    argv = [str(NODE), str(SUITE), "server", "--url", url]
    said = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=100).stdout
    return {name: (int(passed), int(failed)) for name, passed, failed in SCENARIO.findall(said)}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("server", ["http", "stdio"])
def test_no_check_fails_that_does_not_fail_without_the_proxy(
    direct: str, proxied: Proxy, server: str, tmp_path: Path
) -> None:
    expected = scenarios(direct, tmp_path)
    assert len(expected) >= 30 and sum(passed for passed, _ in expected.values()) >= 35, expected
    seen = scenarios(proxied.url(server), tmp_path)
    worse = {
        name: (seen.get(name), checks) for name, checks in expected.items() if seen.get(name, (0, 1))[1] > checks[1]
    }
    assert not worse, f"seen and expected: {worse}"
    assert sum(failed for _, failed in seen.values()) == 0
